//! Tables of `POST /v1/responses`.

use super::messages::{CACHE_CONTROL, PARSED};
use super::{
    CHAT_TEMPLATE_KWARGS, MIN_P, MODEL, Parameter, REPETITION_PENALTY, SEED, SERVICE_TIER, STREAM,
    TEMPERATURE, TOP_K, TOP_P, honoured, ignored, refused,
};

pub const RESPONSES: &[Parameter] = &[
    MODEL,
    honoured("input", "required; a string or an array of items"),
    honoured("instructions", "a system message before everything else"),
    honoured(
        "previous_response_id",
        "the conversation goes on after this stored response; its `instructions` do not",
    ),
    honoured("max_output_tokens", "absent: the rest of the context"),
    TEMPERATURE,
    TOP_P,
    honoured(
        "top_logprobs",
        "0 to 20 of the most probable tokens, with `include`",
    ),
    honoured("include", "`message.output_text.logprobs`"),
    STREAM,
    refused(
        "stream_options",
        &[r#"{}"#, r#"{"include_obfuscation":false}"#],
        "",
    ),
    honoured(
        "store",
        "absent: true, unless the server stores nothing; the answer says whether it is stored",
    ),
    honoured(
        "background",
        "true: answered at once, to be asked for by its id",
    ),
    honoured("metadata", "up to 16 strings, given back"),
    honoured("tools", "functions"),
    honoured(
        "tool_choice",
        "`none`, `auto`, `required`, a function by its name, or `allowed_tools`",
    ),
    honoured(
        "parallel_tool_calls",
        "false: an answer calls one function at most",
    ),
    honoured("text", "the form of the answer"),
    honoured(
        "reasoning",
        "`effort`, given to a chat template that takes it",
    ),
    SERVICE_TIER,
    SEED,
    TOP_K,
    MIN_P,
    REPETITION_PENALTY,
    CHAT_TEMPLATE_KWARGS,
    refused("truncation", &[r#""disabled""#], "a prompt is never cut"),
    refused("prompt", &[], ""),
    refused("conversation", &[], ""),
    refused("context_management", &["[]"], ""),
    refused("moderation", &[], ""),
    ignored(
        "max_tool_calls",
        "bounds calls of built-in tools, of which there are none",
    ),
    ignored("user", ""),
    ignored("safety_identifier", ""),
    ignored("prompt_cache_key", ""),
    ignored("prompt_cache_retention", ""),
    ignored("prompt_cache_options", ""),
];

/// `text`.
pub const RESPONSE_TEXT: &[Parameter] = &[
    honoured("format", "`text`, `json_object` or `json_schema`"),
    refused("verbosity", &[r#""medium""#], ""),
];

/// `text.format`.
pub const RESPONSE_TEXT_FORMAT: &[Parameter] = &[
    honoured(
        "type",
        "required; `text`, `json_object` (any JSON object) or `json_schema`",
    ),
    honoured(
        "name",
        "required with that type; for people, it changes nothing",
    ),
    honoured("description", "for people, it changes nothing"),
    honoured(
        "schema",
        "required with that type; the answer is JSON that it accepts",
    ),
    honoured(
        "strict",
        "changes nothing: a schema is always enforced, and refused where it cannot be",
    ),
];

/// `reasoning`.
pub const RESPONSE_REASONING_OPTIONS: &[Parameter] = &[
    honoured("effort", "as `reasoning_effort` of a chat"),
    refused("summary", &[], "what is thought comes whole"),
    refused("generate_summary", &[], ""),
    refused("context", &[r#""auto""#], ""),
    refused("mode", &[r#""standard""#], ""),
];

/// A member of `tools`.
pub const RESPONSE_TOOL: &[Parameter] = &[
    honoured("type", "required; `function`"),
    honoured("name", "required; given to the chat template"),
    honoured("description", "given to the chat template"),
    honoured(
        "parameters",
        "a JSON schema, given to the chat template; absent: the function takes nothing",
    ),
    honoured(
        "strict",
        "true: arguments fit the schema in every call; absent: the same where the schema can be enforced",
    ),
    refused("defer_loading", &["false"], ""),
    refused("output_schema", &[], ""),
    refused("allowed_callers", &[r#"["direct"]"#], ""),
];

/// `tool_choice`, as an object.
pub const RESPONSE_TOOL_CHOICE: &[Parameter] = &[
    honoured("type", "required; `function` or `allowed_tools`"),
    honoured(
        "name",
        "required with that type; the name of a function in `tools`",
    ),
    honoured("mode", "required with that type; `auto` or `required`"),
    honoured(
        "tools",
        "required with that type; functions by their names, the only ones that may be called",
    ),
];

/// A message among the items.
pub const RESPONSE_MESSAGE: &[Parameter] = &[
    honoured("type", "`message`, which may be left out"),
    honoured(
        "role",
        "required; `user`, `assistant`, `system` or `developer`",
    ),
    honoured("content", "required; a string or an array of text parts"),
    ignored("id", "part of an answer that is sent back"),
    ignored("status", "part of an answer that is sent back"),
    ignored("phase", "part of an answer that is sent back"),
];

/// A text part of a message.
pub const RESPONSE_PART: &[Parameter] = &[
    honoured("type", "required; `input_text` or `output_text`"),
    honoured("text", "required; parts are joined by a line break"),
    refused(
        "annotations",
        &["[]"],
        "part of an answer that is sent back",
    ),
    ignored("logprobs", "part of an answer that is sent back"),
    ignored("parsed", PARSED),
    ignored("prompt_cache_breakpoint", ""),
    CACHE_CONTROL,
];

/// A call of a function.
pub const RESPONSE_CALL: &[Parameter] = &[
    honoured("type", "required; `function_call`"),
    honoured("call_id", "required"),
    honoured("name", "required"),
    honoured(
        "arguments",
        "required; a string, which should hold a JSON object",
    ),
    ignored("id", "part of an answer that is sent back"),
    ignored("status", "part of an answer that is sent back"),
    ignored("parsed_arguments", PARSED),
    refused("namespace", &[], ""),
    refused("caller", &[], ""),
];

/// What a function gave back.
pub const RESPONSE_CALL_OUTPUT: &[Parameter] = &[
    honoured("type", "required; `function_call_output`"),
    honoured("call_id", "required; the call that it is the result of"),
    honoured("output", "required; a string or an array of text parts"),
    ignored("id", ""),
    ignored("status", ""),
    ignored("name", ""),
    refused("namespace", &[], ""),
    refused("caller", &[], ""),
];

/// What was thought in an earlier answer.
pub const RESPONSE_REASONING: &[Parameter] = &[
    honoured("type", "required; `reasoning`"),
    honoured(
        "content",
        "parts of the type `reasoning_text`, for templates that show that again",
    ),
    honoured(
        "summary",
        "parts of the type `summary_text`, where there is no content",
    ),
    ignored("id", "part of an answer that is sent back"),
    ignored("status", "part of an answer that is sent back"),
    refused("encrypted_content", &[], ""),
];

/// A part of it.
pub const RESPONSE_REASONING_PART: &[Parameter] = &[
    honoured("type", "required; `reasoning_text` or `summary_text`"),
    honoured("text", "required"),
];
