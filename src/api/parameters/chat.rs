//! The table of `POST /v1/chat/completions`.

use super::documents::{ALLOW_UNREADABLE_PAGES, CHAT_PROMPT, CITATIONS_ASKED, PRIVACY_ASKED};
use super::sampling::*;
use super::shape::{EFFORTS, MAX_TOKENS};
use super::{
    ASSISTANT_MESSAGE, MESSAGE, Parameter, RESPONSE_FORMAT, Shape, TOOL, TOOL_CHOICE, TOOL_MESSAGE,
    honoured, ignored, refused,
};
use crate::api::limits;

const MESSAGES: Shape = Shape::List(
    &Shape::Either(&[
        Shape::Object(MESSAGE),
        Shape::Object(ASSISTANT_MESSAGE),
        Shape::Object(TOOL_MESSAGE),
    ]),
    1,
    limits::MAX_MESSAGES,
);

/// `POST /v1/chat/completions`.
pub const CHAT: &[Parameter] = &[
    MODEL,
    honoured("messages", MESSAGES, "required without `prompt`; see below"),
    CHAT_PROMPT,
    ALLOW_UNREADABLE_PAGES,
    CITATIONS_ASKED,
    PRIVACY_ASKED,
    honoured(
        "max_completion_tokens",
        MAX_TOKENS,
        "absent: the rest of the context",
    ),
    honoured(
        "max_tokens",
        MAX_TOKENS,
        "the older name; if both are given they must be equal",
    ),
    STOP,
    TEMPERATURE,
    TOP_P,
    SEED,
    honoured(
        "n",
        Shape::Integer(1, limits::MAX_N as i64),
        "1 to 16 choices",
    ),
    STREAM,
    STREAM_OPTIONS_FIELD,
    honoured("logprobs", Shape::Boolean, "see Log-probabilities"),
    honoured(
        "top_logprobs",
        Shape::Integer(0, limits::MAX_TOP_LOGPROBS as i64),
        "0 to 20; above 0 only with `logprobs: true`",
    ),
    FREQUENCY_PENALTY,
    PRESENCE_PENALTY,
    LOGIT_BIAS,
    SERVICE_TIER,
    TOP_K,
    MIN_P,
    REPETITION_PENALTY,
    MIN_TOKENS,
    IGNORE_EOS,
    STOP_TOKEN_IDS,
    honoured(
        "response_format",
        Shape::Object(RESPONSE_FORMAT),
        "see Structured output",
    ),
    STRUCTURED_OUTPUTS_FIELD,
    GUIDED_JSON,
    GUIDED_REGEX,
    GUIDED_CHOICE,
    GUIDED_GRAMMAR,
    honoured(
        "tools",
        Shape::List(&Shape::Object(TOOL), 0, limits::MAX_TOOLS),
        "functions; see Tools",
    ),
    honoured(
        "tool_choice",
        Shape::Either(&[
            Shape::Word(&["none", "auto", "required"]),
            Shape::Object(TOOL_CHOICE),
        ]),
        "`none`, `auto`, `required`, a function by its name, or `allowed_tools`; see Tools",
    ),
    honoured(
        "parallel_tool_calls",
        Shape::Boolean,
        "false: an answer calls one function at most",
    ),
    refused("functions", &["[]"], ""),
    refused(
        "function_call",
        &[r#""none""#, r#""auto""#],
        "without functions they mean the same",
    ),
    refused("modalities", &[r#"["text"]"#], ""),
    refused("audio", &[], ""),
    refused("prediction", &[], ""),
    honoured(
        "reasoning_effort",
        Shape::Word(EFFORTS),
        "given to a chat template that takes it; refused but for `none` where none does; see Reasoning",
    ),
    CHAT_TEMPLATE_KWARGS,
    honoured(
        "add_generation_prompt",
        Shape::Boolean,
        "not OpenAI's; false: the prompt ends with the last message",
    ),
    honoured(
        "continue_final_message",
        Shape::Boolean,
        "not OpenAI's; true: the answer goes on in the last message, which is the assistant's",
    ),
    honoured(
        "documents",
        Shape::List(
            &Shape::Map(limits::MAX_JSON_VALUES),
            0,
            limits::MAX_DOCUMENTS,
        ),
        "not OpenAI's; an array of objects, for a chat template that takes documents; refused where it takes none",
    ),
    honoured(
        "chat_template",
        Shape::Text,
        "not OpenAI's; the name of one of the model's templates; the text of another is refused",
    ),
    refused("verbosity", &[r#""medium""#], ""),
    refused("web_search_options", &[], ""),
    refused("moderation", &[], ""),
    ignored("user", ""),
    ignored("safety_identifier", ""),
    ignored("metadata", ""),
    ignored("store", "nothing is stored"),
    ignored("prompt_cache_key", ""),
    ignored("prompt_cache_retention", ""),
    ignored("prompt_cache_options", ""),
];
