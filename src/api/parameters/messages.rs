//! Tables of messages and their parts.

use super::documents::{FILE_DATA, FILE_ID, FILE_NAME};
use super::{Parameter, Shape, honoured, ignored, refused, required, sent_back};
use crate::api::limits;

/// Of what a client adds to an answer and sends back with it.
pub(super) const PARSED: &str = "not OpenAI's; what a client made of an answer that is sent back";

pub(super) const CACHE_CONTROL: Parameter = ignored(
    "cache_control",
    "not OpenAI's; the beginnings of prompts are cached without it",
);

/// A message of the roles system, developer and user.
pub const MESSAGE: &[Parameter] = &[
    required(
        "role",
        Shape::Word(&["system", "developer", "user"]),
        "`system`, `developer`, `user`, `assistant` or `tool`",
    ),
    required(
        "content",
        Shape::Either(&[
            Shape::Text,
            Shape::List(
                &Shape::Either(&[Shape::Object(CONTENT_PART), Shape::Object(FILE_PART)]),
                1,
                limits::MAX_CONTENT_PARTS,
            ),
        ]),
        "a string or an array of parts: texts and files",
    ),
    honoured(
        "name",
        Shape::Short(limits::MAX_NAME_CHARS),
        "given to the chat template; listed as ignored where that makes nothing of it",
    ),
];

/// A message of the role assistant, as an earlier answer may be sent back.
pub const ASSISTANT_MESSAGE: &[Parameter] = &[
    required("role", Shape::Word(&["assistant"]), ""),
    honoured(
        "content",
        Shape::Either(&[
            Shape::Text,
            Shape::List(&Shape::Object(CONTENT_PART), 1, limits::MAX_CONTENT_PARTS),
        ]),
        "required without `tool_calls`; a string or an array of text parts",
    ),
    honoured(
        "name",
        Shape::Short(limits::MAX_NAME_CHARS),
        "given to the chat template; listed as ignored where that makes nothing of it",
    ),
    refused("refusal", &[], ""),
    honoured(
        "tool_calls",
        Shape::List(&Shape::Object(TOOL_CALL), 0, limits::MAX_TOOL_CALLS),
        "the functions that it called; see below",
    ),
    honoured(
        "reasoning_content",
        Shape::Text,
        "not OpenAI's; what it thought, for templates that show that again",
    ),
    honoured(
        "reasoning",
        Shape::Text,
        "not OpenAI's; another name of `reasoning_content`",
    ),
    refused("function_call", &[], ""),
    refused("audio", &[], ""),
    sent_back(
        "annotations",
        "not OpenAI's; part of an answer that is sent back",
    ),
    sent_back("parsed", PARSED),
];

/// A message of the role tool: what a function gave back.
pub const TOOL_MESSAGE: &[Parameter] = &[
    required("role", Shape::Word(&["tool"]), ""),
    required(
        "content",
        Shape::Either(&[
            Shape::Text,
            Shape::List(&Shape::Object(CONTENT_PART), 1, limits::MAX_CONTENT_PARTS),
        ]),
        "a string or an array of text parts",
    ),
    required(
        "tool_call_id",
        Shape::Text,
        "the call that it is the result of",
    ),
    honoured(
        "name",
        Shape::Short(limits::MAX_NAME_CHARS),
        "not OpenAI's; given to the chat template; listed as ignored where that makes nothing of it",
    ),
];

/// A call in a message of the role assistant.
pub const TOOL_CALL: &[Parameter] = &[
    required("id", Shape::Text, ""),
    honoured("type", Shape::Word(&["function"]), "`function`"),
    required(
        "function",
        Shape::Object(CALLED_FUNCTION),
        "`name` and `arguments`",
    ),
    sent_back(
        "index",
        "not OpenAI's; part of a streamed call that is sent back",
    ),
];

/// The function of such a call.
pub const CALLED_FUNCTION: &[Parameter] = &[
    required("name", Shape::Text, ""),
    required(
        "arguments",
        Shape::Text,
        "a string, which should hold a JSON object",
    ),
    sent_back("parsed_arguments", PARSED),
];

/// A part of a message's content that is a file.
pub const FILE_PART: &[Parameter] = &[
    required("type", Shape::Word(&["file"]), "`file`"),
    required("file", Shape::Object(FILE), "see below"),
    ignored("prompt_cache_breakpoint", ""),
    CACHE_CONTROL,
];

/// A file in such a part.
pub const FILE: &[Parameter] = &[FILE_DATA, FILE_ID, FILE_NAME];

/// A part of a message's content.
pub const CONTENT_PART: &[Parameter] = &[
    required("type", Shape::Word(&["text"]), "`text`"),
    required(
        "text",
        Shape::Text,
        "parts are joined by a line break, unless the chat template takes parts",
    ),
    ignored("prompt_cache_breakpoint", ""),
    CACHE_CONTROL,
];
