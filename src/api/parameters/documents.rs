//! Tables of documents and prompts.

use super::{Parameter, Shape, honoured, refused, required};
use crate::api::limits;

pub(super) const ALLOW_UNREADABLE_PAGES: Parameter = honoured(
    "allow_unreadable_pages",
    Shape::Boolean,
    "not OpenAI's; true: a document with pages of which no text can be read is taken all the same, and the answer lists them",
);

/// Of a chat.
pub(super) const CHAT_PROMPT: Parameter = honoured(
    "prompt",
    Shape::Object(PROMPT),
    "not OpenAI's; a prompt of this server (GET /v1/prompts), whose messages come first; see Prompts",
);

/// Of a response.
pub(super) const RESPONSE_PROMPT: Parameter = honoured(
    "prompt",
    Shape::Object(PROMPT),
    "a prompt of this server (GET /v1/prompts), whose messages come first; see Prompts",
);

/// `prompt`.
pub const PROMPT: &[Parameter] = &[
    required("id", Shape::Text, ""),
    honoured("version", Shape::Text, "absent: the newest"),
    honoured(
        "variables",
        Shape::Map(limits::MAX_PROMPT_VARIABLES),
        "texts, lists and numbers as the prompt declares them; a text may be a part of type `input_text`",
    ),
];

/// `POST /v1/documents/parse`.
pub const PARSE: &[Parameter] = &[
    required("file_data", Shape::Text, "base64, alone or in a data URL"),
    honoured(
        "filename",
        Shape::Short(limits::MAX_FILE_NAME_CHARS),
        "for messages; what a file is follows from its content",
    ),
    refused("file_id", &[], "this server keeps no files"),
    ALLOW_UNREADABLE_PAGES,
];
