//! What a prompt's file may hold. A file is its operator's, so these bound mistakes rather than
//! attacks; what a request brings is bounded by the variables and documents that a file declares.

/// Bytes in one file.
pub const MAX_FILE_BYTES: usize = 256 << 10;
/// Prompt files in one directory, all ids together.
pub const MAX_FILES: usize = 1000;
/// Characters in an id, or in a variable's name.
pub const MAX_NAME_CHARS: usize = 64;
pub const MAX_LANGUAGES: usize = 24;
pub const MAX_VARIABLES: usize = 32;
pub const MAX_CHOICES: usize = 32;
/// Characters in a text variable, whatever its file says.
pub const MAX_TEXT_CHARS: usize = 1_000_000;
/// Characters in a text variable whose file says nothing.
pub const DEFAULT_TEXT_CHARS: usize = 1000;
/// Items in a list variable, whatever its file says.
pub const MAX_LIST_ITEMS: usize = 256;
/// Items in a list variable whose file says nothing.
pub const DEFAULT_LIST_ITEMS: usize = 32;
/// Characters in an item of a list whose file says nothing.
pub const DEFAULT_ITEM_CHARS: usize = 200;
/// Documents in one request.
pub const MAX_DOCUMENTS: usize = 256;
pub const MAX_MAX_TOKENS: u32 = 16_777_216;
/// Schemas inside one another.
pub const MAX_SCHEMA_DEPTH: usize = 32;
/// Bytes in one `{{ … }}` or `{% … %}`: the template parser recurses within them, uncounted in
/// places.
pub const MAX_TAG_BYTES: usize = 1000;
/// Tags in one message: the parser recurses once for each `elif`.
pub const MAX_TAGS: usize = 300;
/// Instructions that rendering one message may execute. A message takes some hundreds.
pub const FUEL: u64 = 1_000_000;
/// A rendered message may be this much longer than four times what a request brought.
pub const MAX_ADDED_BYTES: usize = 1 << 20;
/// Marks that are tried for documents before giving up; one in ten thousand million is taken by
/// chance.
pub const MAX_MARK_TRIES: u32 = 100;
