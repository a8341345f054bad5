//! Tables of what takes text as it is: completions and the tokenizer.

use super::sampling::*;
use super::shape::SERVICE_TIERS;
use super::{Parameter, RESPONSE_FORMAT, Shape, honoured, ignored, refused, required};
use crate::api::limits;

/// `POST /v1/completions`.
pub const COMPLETIONS: &[Parameter] = &[
    MODEL,
    required(
        "prompt",
        Shape::TextsOrIds(limits::MAX_PROMPTS),
        "a string, strings, token ids, or arrays of token ids",
    ),
    honoured(
        "max_tokens",
        Shape::Integer(0, limits::MAX_MAX_TOKENS as i64),
        "absent: 16; 0 only with `echo: true`",
    ),
    STOP,
    TEMPERATURE,
    TOP_P,
    SEED,
    honoured(
        "n",
        Shape::Integer(1, limits::MAX_N as i64),
        "1 to 16 choices for each prompt",
    ),
    STREAM,
    STREAM_OPTIONS_FIELD,
    honoured(
        "logprobs",
        Shape::Integer(0, limits::MAX_TOP_LOGPROBS as i64),
        "0 to 20 of the most probable tokens at each place; see Log-probabilities",
    ),
    honoured(
        "echo",
        Shape::Boolean,
        "the answer begins with the prompt; see Log-probabilities",
    ),
    FREQUENCY_PENALTY,
    PRESENCE_PENALTY,
    LOGIT_BIAS,
    honoured(
        "service_tier",
        Shape::Word(SERVICE_TIERS),
        "not OpenAI's; `flex` waits for those that do not; see Sharing the server",
    ),
    TOP_K,
    MIN_P,
    REPETITION_PENALTY,
    MIN_TOKENS,
    IGNORE_EOS,
    STOP_TOKEN_IDS,
    honoured(
        "response_format",
        Shape::Object(RESPONSE_FORMAT),
        "not OpenAI's; see Structured output",
    ),
    STRUCTURED_OUTPUTS_FIELD,
    GUIDED_JSON,
    GUIDED_REGEX,
    GUIDED_CHOICE,
    GUIDED_GRAMMAR,
    refused("best_of", &["1"], ""),
    refused("suffix", &[r#""""#], ""),
    ignored("user", ""),
];

/// `POST /tokenize`.
pub const TOKENIZE: &[Parameter] = &[
    honoured("model", Shape::Text, "the id that `GET /v1/models` lists"),
    required(
        "prompt",
        Shape::Text,
        "a string, template text as in a completion",
    ),
    honoured(
        "add_special_tokens",
        Shape::Boolean,
        "false: only what the text says; absent: true",
    ),
    honoured(
        "return_token_strs",
        Shape::Boolean,
        "true: `token_strs` holds each token as the vocabulary writes it",
    ),
    refused(
        "messages",
        &[],
        "`POST /v1/chat/completions/render` takes a chat",
    ),
];

/// `POST /detokenize`.
pub const DETOKENIZE: &[Parameter] = &[
    honoured("model", Shape::Text, "the id that `GET /v1/models` lists"),
    required(
        "tokens",
        Shape::List(
            &Shape::Integer(0, u32::MAX as i64),
            1,
            limits::MAX_JSON_VALUES,
        ),
        "token ids",
    ),
];
