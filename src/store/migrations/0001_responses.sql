-- What a caller may ask for again, or go on from. `owner` is the name of the caller's key.
CREATE TABLE responses (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Unix seconds.
    stored_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    num_bytes INTEGER NOT NULL,
    -- The response object, as JSON.
    body TEXT NOT NULL,
    -- The items of the conversation up to its end, as JSON.
    items TEXT NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX responses_by_age ON responses (owner, stored_at);
CREATE INDEX responses_by_expiry ON responses (expires_at);
