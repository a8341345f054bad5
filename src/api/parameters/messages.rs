//! Tables of messages and their parts.

use super::{Parameter, honoured, ignored, refused};

/// Of what a client adds to an answer and sends back with it.
pub(super) const PARSED: &str = "not OpenAI's; what a client made of an answer that is sent back";

pub(super) const CACHE_CONTROL: Parameter = ignored(
    "cache_control",
    "not OpenAI's; the beginnings of prompts are cached without it",
);

/// A message of the roles system, developer and user.
pub const MESSAGE: &[Parameter] = &[
    honoured(
        "role",
        "required; `system`, `developer`, `user`, `assistant` or `tool`",
    ),
    honoured("content", "required; a string or an array of text parts"),
    honoured(
        "name",
        "given to the chat template; listed as ignored where that makes nothing of it",
    ),
];

/// A message of the role assistant, as an earlier answer may be sent back.
pub const ASSISTANT_MESSAGE: &[Parameter] = &[
    honoured("role", "required"),
    honoured(
        "content",
        "required without `tool_calls`; a string or an array of text parts",
    ),
    honoured(
        "name",
        "given to the chat template; listed as ignored where that makes nothing of it",
    ),
    refused("refusal", &[], ""),
    honoured("tool_calls", "the functions that it called; see below"),
    honoured(
        "reasoning_content",
        "not OpenAI's; what it thought, for templates that show that again",
    ),
    honoured(
        "reasoning",
        "not OpenAI's; another name of `reasoning_content`",
    ),
    refused("function_call", &[], ""),
    refused("audio", &[], ""),
    refused(
        "annotations",
        &["[]"],
        "part of an answer that is sent back",
    ),
    ignored("parsed", PARSED),
];

/// A message of the role tool: what a function gave back.
pub const TOOL_MESSAGE: &[Parameter] = &[
    honoured("role", "required"),
    honoured("content", "required; a string or an array of text parts"),
    honoured(
        "tool_call_id",
        "required; the call that it is the result of",
    ),
    honoured(
        "name",
        "not OpenAI's; given to the chat template; listed as ignored where that makes nothing of it",
    ),
];

/// A call in a message of the role assistant.
pub const TOOL_CALL: &[Parameter] = &[
    honoured("id", "required"),
    honoured("type", "`function`"),
    honoured("function", "required; `name` and `arguments`"),
    ignored("index", "part of a streamed call that is sent back"),
];

/// The function of such a call.
pub const CALLED_FUNCTION: &[Parameter] = &[
    honoured("name", "required"),
    honoured(
        "arguments",
        "required; a string, which should hold a JSON object",
    ),
    ignored("parsed_arguments", PARSED),
];

/// A part of a message's content.
pub const CONTENT_PART: &[Parameter] = &[
    honoured("type", "required; `text`"),
    honoured("text", "required; parts are joined by a line break"),
    ignored("prompt_cache_breakpoint", ""),
    CACHE_CONTROL,
];
