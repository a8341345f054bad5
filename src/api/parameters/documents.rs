//! Tables of documents and prompts.

use super::{Parameter, Shape, honoured, required};
use crate::api::limits;

pub(super) const ALLOW_UNREADABLE_PAGES: Parameter = honoured(
    "allow_unreadable_pages",
    Shape::Boolean,
    "not OpenAI's; true: a document with pages of which no text can be read is taken all the same, and the answer lists them",
);

pub(super) const CITATIONS_ASKED: Parameter = honoured(
    "citations",
    Shape::Object(CITATIONS),
    "not OpenAI's; the answer quotes the documents word for word and says where; refused where it has a form of its own; see Documents",
);

pub(super) const PRIVACY_ASKED: Parameter = honoured(
    "privacy",
    Shape::Object(PRIVACY),
    "not OpenAI's; the model reads the request without the personal data that is recognised; see Privacy",
);

/// `privacy`.
pub const PRIVACY: &[Parameter] = &[required(
    "mode",
    Shape::Word(&["pseudonymize", "mask", "block"]),
    "`pseudonymize`: the values come back in the answer; `mask`: they do not; `block`: a request with any is refused",
)];

/// `citations`.
pub const CITATIONS: &[Parameter] = &[
    required(
        "mode",
        Shape::Word(&["verbatim"]),
        "`verbatim`: nothing but words of the document can stand in a quotation",
    ),
    honoured(
        "min_chars",
        Shape::Integer(1, limits::MAX_MIN_QUOTED_CHARS as i64),
        "a quotation that ends before its paragraph has at least so many characters; absent: 1",
    ),
    honoured(
        "first",
        Shape::Boolean,
        "true: the answer begins with a quotation, and goes on as the model likes",
    ),
];

pub(super) const FILE_DATA: Parameter = honoured(
    "file_data",
    Shape::Text,
    "this or `file_id`; base64, alone or in a data URL; see Documents",
);

pub(super) const FILE_ID: Parameter = honoured(
    "file_id",
    Shape::Text,
    "this or `file_data`; a file that is kept (POST /v1/files)",
);

pub(super) const FILE_NAME: Parameter = honoured(
    "filename",
    Shape::Short(limits::MAX_FILE_NAME_CHARS),
    "shown to the model and in the answer; absent: that of the kept file; what a file is follows from its content",
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
pub const PARSE: &[Parameter] = &[FILE_DATA, FILE_ID, FILE_NAME, ALLOW_UNREADABLE_PAGES];
