-- What a caller may name in a request instead of sending it. `owner` is the name of the caller's key.
CREATE TABLE files (
    -- In the order in which they came; never used again.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    num_bytes INTEGER NOT NULL,
    -- Of the content, in hexadecimal.
    sha256 TEXT NOT NULL,
    -- Unix seconds.
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (owner, id)
) STRICT;

CREATE INDEX files_by_expiry ON files (expires_at);

-- In pieces, so that nobody needs all of a file in memory to write or read it.
CREATE TABLE file_pieces (
    file INTEGER NOT NULL REFERENCES files (number) ON DELETE CASCADE,
    -- From 0.
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (file, part)
) STRICT;
