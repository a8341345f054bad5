//! Rows that several tables share: what to answer with, how tokens are chosen, and what form the
//! answer has.

use super::formats::EXPRESSION;
use super::shape::SERVICE_TIERS;
use super::{Parameter, STRUCTURED_OUTPUTS, Shape, honoured, refused, required};
use crate::api::limits;

const STOP_SHAPE: Shape = Shape::Either(&[
    Shape::Short(limits::MAX_STOP_BYTES),
    Shape::List(
        &Shape::Short(limits::MAX_STOP_BYTES),
        0,
        limits::MAX_STOP_STRINGS,
    ),
]);

pub const MODEL: Parameter = required("model", Shape::Text, "the id that `GET /v1/models` lists");
pub const STOP: Parameter = honoured(
    "stop",
    STOP_SHAPE,
    "a string or up to 4; not part of the answer",
);
pub const TEMPERATURE: Parameter = honoured(
    "temperature",
    Shape::Number(limits::TEMPERATURE),
    "0 to 2; 0 is greedy; absent: the model's default",
);
pub const TOP_P: Parameter = honoured(
    "top_p",
    Shape::Number(limits::TOP_P),
    "0 to 1; absent: the model's default",
);
pub const SEED: Parameter = honoured(
    "seed",
    Shape::Integer(i64::MIN, i64::MAX),
    "a 64-bit integer; the same seed gives the same answer; absent: drawn",
);
pub const STREAM: Parameter = honoured("stream", Shape::Boolean, "");
pub const STREAM_OPTIONS_FIELD: Parameter = honoured(
    "stream_options",
    Shape::Object(STREAM_OPTIONS),
    "only with `stream: true`; see below",
);
pub const FREQUENCY_PENALTY: Parameter = honoured(
    "frequency_penalty",
    Shape::Number(limits::PENALTY),
    "-2 to 2",
);
pub const PRESENCE_PENALTY: Parameter = honoured(
    "presence_penalty",
    Shape::Number(limits::PENALTY),
    "-2 to 2",
);
pub const LOGIT_BIAS: Parameter = honoured(
    "logit_bias",
    Shape::Biases,
    "an object of numbers from -100 to 100 by token id",
);
pub const SERVICE_TIER: Parameter = honoured(
    "service_tier",
    Shape::Word(SERVICE_TIERS),
    "`flex` waits for those that do not; see Sharing the server",
);
pub const TOP_K: Parameter = honoured(
    "top_k",
    Shape::Integer(-1, u32::MAX as i64),
    "not OpenAI's; at least 1, or -1 or 0 for all tokens; absent: the model's default",
);
pub const MIN_P: Parameter = honoured(
    "min_p",
    Shape::Number(limits::MIN_P),
    "not OpenAI's; 0 to 1; absent: the model's default",
);
pub const REPETITION_PENALTY: Parameter = honoured(
    "repetition_penalty",
    Shape::Number(limits::REPETITION_PENALTY),
    "not OpenAI's; 0.01 to 2; 1 changes nothing; absent: the model's default",
);
pub const MIN_TOKENS: Parameter = honoured(
    "min_tokens",
    Shape::Integer(0, limits::MAX_MAX_TOKENS as i64),
    "not OpenAI's; until then no stop token is drawn and no stop string ends the answer",
);
pub const IGNORE_EOS: Parameter = honoured(
    "ignore_eos",
    Shape::Boolean,
    "not OpenAI's; true: the model's own stop tokens end nothing",
);
pub const STOP_TOKEN_IDS: Parameter = honoured(
    "stop_token_ids",
    Shape::List(
        &Shape::Integer(0, u32::MAX as i64),
        0,
        limits::MAX_STOP_TOKEN_IDS,
    ),
    "not OpenAI's; token ids that end the answer too and are not part of it",
);

pub const STRUCTURED_OUTPUTS_FIELD: Parameter = honoured(
    "structured_outputs",
    Shape::Object(STRUCTURED_OUTPUTS),
    "not OpenAI's; see Structured output",
);
pub const CHAT_TEMPLATE_KWARGS: Parameter = honoured(
    "chat_template_kwargs",
    Shape::Map(limits::MAX_TEMPLATE_KWARGS),
    "not OpenAI's; variables for the chat template, listed as ignored where it names one of them nowhere",
);
pub const GUIDED_JSON: Parameter = honoured(
    "guided_json",
    Shape::Either(&[Shape::Schema, Shape::Text]),
    "not OpenAI's; the older name of `structured_outputs.json`",
);
pub const GUIDED_REGEX: Parameter = honoured(
    "guided_regex",
    EXPRESSION,
    "not OpenAI's; the older name of `structured_outputs.regex`",
);
pub const GUIDED_CHOICE: Parameter = honoured(
    "guided_choice",
    Shape::List(&EXPRESSION, 1, limits::MAX_FORMAT_CHOICES),
    "not OpenAI's; the older name of `structured_outputs.choice`",
);
pub const GUIDED_GRAMMAR: Parameter = honoured(
    "guided_grammar",
    EXPRESSION,
    "not OpenAI's; the older name of `structured_outputs.grammar`",
);

/// `stream_options` of both.
pub const STREAM_OPTIONS: &[Parameter] = &[
    honoured(
        "include_usage",
        Shape::Boolean,
        "one more chunk at the end, with `usage` and no choices",
    ),
    refused("include_obfuscation", &["false"], ""),
];
