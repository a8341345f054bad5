//! Tables of `POST /v1/responses`.

use super::documents::{
    ALLOW_UNREADABLE_PAGES, CITATIONS_ASKED, FILE_DATA, FILE_ID, FILE_NAME, PRIVACY_ASKED,
    RESPONSE_PROMPT,
};
use super::messages::{CACHE_CONTROL, PARSED};
use super::sampling::*;
use super::shape::{EFFORTS, MAX_TOKENS};
use super::{OF_AN_ANSWER, Parameter, Shape, honoured, ignored, refused, required, sent_back};
use crate::api::limits;

const INPUT_ITEM: Shape = Shape::Either(&[
    Shape::Object(RESPONSE_MESSAGE),
    Shape::Object(RESPONSE_CALL),
    Shape::Object(RESPONSE_CALL_OUTPUT),
    Shape::Object(RESPONSE_REASONING),
]);

pub const RESPONSES: &[Parameter] = &[
    MODEL,
    honoured(
        "input",
        Shape::Either(&[
            Shape::Text,
            Shape::List(&INPUT_ITEM, 1, limits::MAX_MESSAGES),
        ]),
        "required without `prompt`; a string or an array of items",
    ),
    honoured(
        "instructions",
        Shape::Text,
        "a system message before everything else",
    ),
    honoured(
        "previous_response_id",
        Shape::Text,
        "the conversation goes on after this stored response; its `instructions` do not",
    ),
    honoured(
        "max_output_tokens",
        MAX_TOKENS,
        "absent: the rest of the context",
    ),
    TEMPERATURE,
    TOP_P,
    honoured(
        "top_logprobs",
        Shape::Integer(0, limits::MAX_TOP_LOGPROBS as i64),
        "0 to 20 of the most probable tokens, with `include`",
    ),
    honoured(
        "include",
        Shape::List(
            &Shape::Word(&["message.output_text.logprobs"]),
            0,
            limits::MAX_INCLUDE,
        ),
        "`message.output_text.logprobs`",
    ),
    STREAM,
    refused(
        "stream_options",
        &[r#"{}"#, r#"{"include_obfuscation":false}"#],
        "",
    ),
    honoured(
        "store",
        Shape::Boolean,
        "absent: true, unless the server stores nothing; the answer says whether it is stored",
    ),
    honoured(
        "background",
        Shape::Boolean,
        "true: answered at once, to be asked for by its id",
    ),
    honoured("metadata", Shape::Metadata, "up to 16 strings, given back"),
    honoured(
        "tools",
        Shape::List(&Shape::Object(RESPONSE_TOOL), 0, limits::MAX_TOOLS),
        "functions",
    ),
    honoured(
        "tool_choice",
        Shape::Either(&[
            Shape::Word(&["none", "auto", "required"]),
            Shape::Object(RESPONSE_TOOL_CHOICE),
        ]),
        "`none`, `auto`, `required`, a function by its name, or `allowed_tools`",
    ),
    honoured(
        "parallel_tool_calls",
        Shape::Boolean,
        "false: an answer calls one function at most",
    ),
    honoured(
        "text",
        Shape::Object(RESPONSE_TEXT),
        "the form of the answer",
    ),
    honoured(
        "reasoning",
        Shape::Object(RESPONSE_REASONING_OPTIONS),
        "`effort`, given to a chat template that takes it",
    ),
    SERVICE_TIER,
    honoured(
        "seed",
        Shape::Integer(i64::MIN, i64::MAX),
        "not OpenAI's; a 64-bit integer; the same seed gives the same answer; absent: drawn",
    ),
    TOP_K,
    MIN_P,
    REPETITION_PENALTY,
    CHAT_TEMPLATE_KWARGS,
    refused("truncation", &[r#""disabled""#], "a prompt is never cut"),
    RESPONSE_PROMPT,
    ALLOW_UNREADABLE_PAGES,
    CITATIONS_ASKED,
    PRIVACY_ASKED,
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
    honoured(
        "format",
        Shape::Object(RESPONSE_TEXT_FORMAT),
        "`text`, `json_object` or `json_schema`",
    ),
    refused("verbosity", &[r#""medium""#], ""),
];

/// `text.format`.
pub const RESPONSE_TEXT_FORMAT: &[Parameter] = &[
    required(
        "type",
        Shape::Word(&["text", "json_object", "json_schema"]),
        "`text`, `json_object` (any JSON object) or `json_schema`",
    ),
    honoured(
        "name",
        Shape::Name(limits::MAX_FORMAT_NAME_CHARS),
        "required with that type; what a refusal calls the schema",
    ),
    ignored("description", "given back; the model is not told"),
    honoured(
        "schema",
        Shape::Either(&[Shape::Schema, Shape::Text]),
        "required with that type; the answer is JSON that it accepts",
    ),
    honoured(
        "strict",
        Shape::Boolean,
        "true, or listed as ignored: a schema is always enforced, and refused where it cannot be",
    ),
];

/// `reasoning`.
pub const RESPONSE_REASONING_OPTIONS: &[Parameter] = &[
    honoured(
        "effort",
        Shape::Word(EFFORTS),
        "as `reasoning_effort` of a chat",
    ),
    refused("summary", &[], "what is thought comes whole"),
    refused("generate_summary", &[], ""),
    refused("context", &[r#""auto""#], ""),
    refused("mode", &[r#""standard""#], ""),
];

/// A member of `tools`.
pub const RESPONSE_TOOL: &[Parameter] = &[
    required("type", Shape::Word(&["function"]), "`function`"),
    required(
        "name",
        Shape::DottedName(limits::MAX_FUNCTION_NAME_CHARS),
        "given to the chat template",
    ),
    honoured("description", Shape::Text, "given to the chat template"),
    honoured(
        "parameters",
        Shape::Parameters,
        "a JSON schema, given to the chat template; absent: the function takes nothing",
    ),
    honoured(
        "strict",
        Shape::Boolean,
        "true: arguments fit the schema in every call; absent: the same where the schema can be enforced",
    ),
    refused("defer_loading", &["false"], ""),
    refused("output_schema", &[], ""),
    refused("allowed_callers", &[r#"["direct"]"#], ""),
];

/// `tool_choice`, as an object.
pub const RESPONSE_TOOL_CHOICE: &[Parameter] = &[
    required(
        "type",
        Shape::Word(&["function", "allowed_tools"]),
        "`function` or `allowed_tools`",
    ),
    honoured(
        "name",
        Shape::DottedName(limits::MAX_FUNCTION_NAME_CHARS),
        "required with that type; the name of a function in `tools`",
    ),
    honoured(
        "mode",
        Shape::Word(&["auto", "required"]),
        "required with that type; `auto` or `required`",
    ),
    honoured(
        "tools",
        Shape::List(&Shape::Object(RESPONSE_ALLOWED_TOOL), 1, limits::MAX_TOOLS),
        "required with that type; functions by their names, the only ones that may be called",
    ),
];

/// A message among the items.
pub const RESPONSE_MESSAGE: &[Parameter] = &[
    honoured(
        "type",
        Shape::Word(&["message"]),
        "`message`, which may be left out",
    ),
    required(
        "role",
        Shape::Word(&["user", "assistant", "system", "developer"]),
        "`user`, `assistant`, `system` or `developer`",
    ),
    required(
        "content",
        Shape::Either(&[
            Shape::Text,
            Shape::List(
                &Shape::Either(&[Shape::Object(RESPONSE_PART), Shape::Object(RESPONSE_FILE)]),
                1,
                limits::MAX_CONTENT_PARTS,
            ),
        ]),
        "a string or an array of parts: texts and files",
    ),
    sent_back("id", OF_AN_ANSWER),
    sent_back("status", OF_AN_ANSWER),
    sent_back("phase", OF_AN_ANSWER),
];

/// A part of a message that is a file.
pub const RESPONSE_FILE: &[Parameter] = &[
    required("type", Shape::Word(&["input_file"]), "`input_file`"),
    FILE_DATA,
    FILE_ID,
    FILE_NAME,
    refused(
        "file_url",
        &[],
        "this server fetches nothing: send the file",
    ),
    ignored("detail", "of images"),
    ignored("prompt_cache_breakpoint", ""),
    CACHE_CONTROL,
];

/// A text part of a message.
pub const RESPONSE_PART: &[Parameter] = &[
    required(
        "type",
        Shape::Word(&["input_text", "output_text", "text"]),
        "`input_text` or `output_text`; `text` means the same",
    ),
    required(
        "text",
        Shape::Text,
        "parts are joined by a line break, unless the chat template takes parts",
    ),
    sent_back("annotations", OF_AN_ANSWER),
    sent_back("logprobs", OF_AN_ANSWER),
    sent_back("parsed", PARSED),
    ignored("prompt_cache_breakpoint", ""),
    CACHE_CONTROL,
];

/// A call of a function.
pub const RESPONSE_CALL: &[Parameter] = &[
    required("type", Shape::Word(&["function_call"]), "`function_call`"),
    required("call_id", Shape::Text, ""),
    required("name", Shape::Text, ""),
    required(
        "arguments",
        Shape::Text,
        "a string, which should hold a JSON object",
    ),
    sent_back("id", OF_AN_ANSWER),
    sent_back("status", OF_AN_ANSWER),
    sent_back("parsed_arguments", PARSED),
    refused("namespace", &[], ""),
    refused("caller", &[], ""),
];

/// What a function gave back.
pub const RESPONSE_CALL_OUTPUT: &[Parameter] = &[
    required(
        "type",
        Shape::Word(&["function_call_output"]),
        "`function_call_output`",
    ),
    required("call_id", Shape::Text, "the call that it is the result of"),
    required(
        "output",
        Shape::Either(&[
            Shape::Text,
            Shape::List(&Shape::Object(RESPONSE_PART), 1, limits::MAX_CONTENT_PARTS),
        ]),
        "a string or an array of text parts",
    ),
    sent_back("id", OF_AN_ANSWER),
    sent_back("status", OF_AN_ANSWER),
    ignored("name", ""),
    refused("namespace", &[], ""),
    refused("caller", &[], ""),
];

/// What was thought in an earlier answer.
pub const RESPONSE_REASONING: &[Parameter] = &[
    required("type", Shape::Word(&["reasoning"]), "`reasoning`"),
    honoured(
        "content",
        Shape::List(
            &Shape::Object(RESPONSE_REASONING_PART),
            0,
            limits::MAX_CONTENT_PARTS,
        ),
        "parts of the type `reasoning_text`, for templates that show that again",
    ),
    honoured(
        "summary",
        Shape::List(
            &Shape::Object(RESPONSE_REASONING_PART),
            0,
            limits::MAX_CONTENT_PARTS,
        ),
        "parts of the type `summary_text`, where there is no content",
    ),
    sent_back("id", OF_AN_ANSWER),
    sent_back("status", OF_AN_ANSWER),
    refused("encrypted_content", &[], ""),
];

/// A part of it.
pub const RESPONSE_REASONING_PART: &[Parameter] = &[
    required(
        "type",
        Shape::Word(&["reasoning_text", "summary_text"]),
        "`reasoning_text` or `summary_text`",
    ),
    required("text", Shape::Text, ""),
];

/// A function that may be called.
pub const RESPONSE_ALLOWED_TOOL: &[Parameter] = &[
    required("type", Shape::Word(&["function"]), "`function`"),
    required(
        "name",
        Shape::DottedName(limits::MAX_FUNCTION_NAME_CHARS),
        "the name of a function in `tools`",
    ),
];
