//! Every documented property of a request and what becomes of it: nothing is dropped in
//! silence. The tables are the check and, in `docs/api.md`, the documentation.

mod formats;
mod messages;
mod responses;
mod tools;

pub use formats::{JSON_SCHEMA, RESPONSE_FORMAT, STRUCTURED_OUTPUTS};
pub use messages::{
    ASSISTANT_MESSAGE, CALLED_FUNCTION, CONTENT_PART, MESSAGE, TOOL_CALL, TOOL_MESSAGE,
};
pub use responses::{
    RESPONSE_CALL, RESPONSE_CALL_OUTPUT, RESPONSE_MESSAGE, RESPONSE_PART, RESPONSE_REASONING,
    RESPONSE_REASONING_OPTIONS, RESPONSE_REASONING_PART, RESPONSE_TEXT, RESPONSE_TEXT_FORMAT,
    RESPONSE_TOOL, RESPONSE_TOOL_CHOICE, RESPONSES,
};
pub use tools::{ALLOWED_TOOLS, FUNCTION, NAMED_FUNCTION, TOOL, TOOL_CHOICE};

use super::error::{ApiError, shown};
use super::fields::Fields;
use super::json::Json;
use axum::http::HeaderValue;
use axum::response::Response;

/// The response header that lists what was accepted and not used.
pub const IGNORED_HEADER: &str = "x-guichet-ignored";

pub struct Parameter {
    pub name: &'static str,
    pub outcome: Outcome,
    pub note: &'static str,
}

pub enum Outcome {
    Honoured,
    /// Not supported yet: refused by name, except null and these JSON values, which ask
    /// for nothing.
    RefusedUnless(&'static [&'static str]),
    /// Does not change the answer: listed in [`IGNORED_HEADER`].
    Ignored,
}

/// The parameters of one request that were given and not used.
#[derive(Debug, Default)]
pub struct Ignored {
    names: Vec<String>,
    is_refused: bool,
}

impl Ignored {
    /// `is_refused`: nothing may be given that is not used.
    pub fn new(is_refused: bool) -> Self {
        Self {
            names: Vec::new(),
            is_refused,
        }
    }

    pub fn write_header(&self, response: &mut Response) {
        if let Ok(value) = HeaderValue::from_str(&self.names.join(", "))
            && !self.names.is_empty()
        {
            response.headers_mut().insert(IGNORED_HEADER, value);
        }
    }

    /// `path` is where it stands in this request, `name` what it is called in any.
    pub fn add(&mut self, path: &str, name: &str) -> Result<(), ApiError> {
        if self.is_refused {
            return Err(ApiError::invalid(
                path,
                format!(
                    "`{path}` would be ignored, which this server is told to refuse; leave it out."
                ),
            ));
        }
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        Ok(())
    }
}

/// Holds an object of the request against its table.
pub fn check(
    table: &'static [Parameter],
    fields: &Fields<'_>,
    ignored: &mut Ignored,
) -> Result<(), ApiError> {
    for (name, field) in fields.entries() {
        let path = field.path();
        let Some(parameter) = table.iter().find(|p| p.name == name) else {
            return Err(ApiError::invalid(
                path,
                format!("`{path}` is not a known parameter; {}", known(table, name)),
            ));
        };
        if *field.value() == Json::Null {
            continue;
        }
        match parameter.outcome {
            Outcome::Honoured => {}
            Outcome::Ignored => ignored.add(path, &without_indices(path))?,
            Outcome::RefusedUnless(neutral) => {
                if !neutral.iter().any(|literal| is(field.value(), literal)) {
                    return Err(ApiError::invalid(path, refusal(path, neutral)));
                }
            }
        }
    }
    Ok(())
}

/// `messages[3].content[0].text` as `messages[].content[].text`, so that a list of names is no
/// longer than the tables are.
pub fn without_indices(path: &str) -> String {
    let is_index = |c: char| c.is_ascii_digit();
    let mut parts = path.split('[');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        name.push('[');
        name.push_str(part.trim_start_matches(is_index));
    }
    name
}

fn is(value: &Json, literal: &str) -> bool {
    Json::parse(literal.as_bytes()).is_ok_and(|neutral| value.same_as(&neutral))
}

fn refusal(path: &str, neutral: &[&str]) -> String {
    if neutral.is_empty() {
        return format!("`{path}` is not supported by this server; leave it out.");
    }
    format!(
        "`{path}` is not supported by this server; leave it out or send {}.",
        neutral.join(" or ")
    )
}

/// Names the parameter that was probably meant, or all that are honoured.
fn known(table: &[Parameter], name: &str) -> String {
    let name = shown(name).to_ascii_lowercase().replace(['-', '_'], "");
    let honoured = || {
        let is_honoured = |p: &&Parameter| matches!(p.outcome, Outcome::Honoured);
        table.iter().filter(is_honoured).map(|p| p.name)
    };
    let meant = honoured().find(|known| {
        let known = known.replace('_', "");
        known == name || (name.len() > 3 && (known.starts_with(&name) || name.starts_with(&known)))
    });
    match meant {
        Some(known) => format!("`{known}` is."),
        None => format!("these are: {}.", honoured().collect::<Vec<_>>().join(", ")),
    }
}

const fn honoured(name: &'static str, note: &'static str) -> Parameter {
    Parameter {
        name,
        outcome: Outcome::Honoured,
        note,
    }
}

const fn refused(
    name: &'static str,
    neutral: &'static [&'static str],
    note: &'static str,
) -> Parameter {
    Parameter {
        name,
        outcome: Outcome::RefusedUnless(neutral),
        note,
    }
}

const fn ignored(name: &'static str, note: &'static str) -> Parameter {
    Parameter {
        name,
        outcome: Outcome::Ignored,
        note,
    }
}

const MODEL: Parameter = honoured("model", "required; the id that `GET /v1/models` lists");
const STOP: Parameter = honoured("stop", "a string or up to 4; not part of the answer");
const TEMPERATURE: Parameter = honoured(
    "temperature",
    "0 to 2; 0 is greedy; absent: the model's default",
);
const TOP_P: Parameter = honoured("top_p", "0 to 1; absent: the model's default");
const SEED: Parameter = honoured(
    "seed",
    "a 64-bit integer; the same seed gives the same answer; absent: drawn",
);
const STREAM: Parameter = honoured("stream", "");
const STREAM_OPTIONS_FIELD: Parameter =
    honoured("stream_options", "only with `stream: true`; see below");
const FREQUENCY_PENALTY: Parameter = honoured("frequency_penalty", "-2 to 2");
const PRESENCE_PENALTY: Parameter = honoured("presence_penalty", "-2 to 2");
const LOGIT_BIAS: Parameter = honoured(
    "logit_bias",
    "an object of numbers from -100 to 100 by token id",
);
const SERVICE_TIER: Parameter = honoured(
    "service_tier",
    "`flex` waits for those that do not; see Sharing the server",
);
const TOP_K: Parameter = honoured(
    "top_k",
    "not OpenAI's; at least 1, or -1 or 0 for all tokens; absent: the model's default",
);
const MIN_P: Parameter = honoured("min_p", "not OpenAI's; 0 to 1; absent: the model's default");
const REPETITION_PENALTY: Parameter = honoured(
    "repetition_penalty",
    "not OpenAI's; 0.01 to 2; 1 changes nothing; absent: the model's default",
);
const MIN_TOKENS: Parameter = honoured(
    "min_tokens",
    "not OpenAI's; until then no stop token is drawn and no stop string ends the answer",
);
const IGNORE_EOS: Parameter = honoured(
    "ignore_eos",
    "not OpenAI's; true: the model's own stop tokens end nothing",
);
const STOP_TOKEN_IDS: Parameter = honoured(
    "stop_token_ids",
    "not OpenAI's; token ids that end the answer too and are not part of it",
);

const STRUCTURED_OUTPUTS_FIELD: Parameter =
    honoured("structured_outputs", "not OpenAI's; see Structured output");
const CHAT_TEMPLATE_KWARGS: Parameter = honoured(
    "chat_template_kwargs",
    "not OpenAI's; variables for the chat template, listed as ignored where it names one of them nowhere",
);
const GUIDED_JSON: Parameter = honoured(
    "guided_json",
    "not OpenAI's; the older name of `structured_outputs.json`",
);
const GUIDED_REGEX: Parameter = honoured(
    "guided_regex",
    "not OpenAI's; the older name of `structured_outputs.regex`",
);
const GUIDED_CHOICE: Parameter = honoured(
    "guided_choice",
    "not OpenAI's; the older name of `structured_outputs.choice`",
);
const GUIDED_GRAMMAR: Parameter = honoured(
    "guided_grammar",
    "not OpenAI's; the older name of `structured_outputs.grammar`",
);

/// `POST /v1/chat/completions`.
pub const CHAT: &[Parameter] = &[
    MODEL,
    honoured("messages", "required; see below"),
    honoured("max_completion_tokens", "absent: the rest of the context"),
    honoured(
        "max_tokens",
        "the older name; if both are given they must be equal",
    ),
    STOP,
    TEMPERATURE,
    TOP_P,
    SEED,
    honoured("n", "1 to 16 choices"),
    STREAM,
    STREAM_OPTIONS_FIELD,
    honoured("logprobs", "see Log-probabilities"),
    honoured(
        "top_logprobs",
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
    honoured("response_format", "see Structured output"),
    STRUCTURED_OUTPUTS_FIELD,
    GUIDED_JSON,
    GUIDED_REGEX,
    GUIDED_CHOICE,
    GUIDED_GRAMMAR,
    honoured("tools", "functions; see Tools"),
    honoured(
        "tool_choice",
        "`none`, `auto`, `required`, a function by its name, or `allowed_tools`; see Tools",
    ),
    honoured(
        "parallel_tool_calls",
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
        "given to a chat template that takes it; refused but for `none` where none does; see Reasoning",
    ),
    CHAT_TEMPLATE_KWARGS,
    honoured(
        "add_generation_prompt",
        "not OpenAI's; false: the prompt ends with the last message",
    ),
    honoured(
        "continue_final_message",
        "not OpenAI's; true: the answer goes on in the last message, which is the assistant's",
    ),
    honoured(
        "documents",
        "not OpenAI's; an array of objects, for a chat template that takes documents; refused where it takes none",
    ),
    honoured(
        "chat_template",
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

/// `POST /v1/completions`.
pub const COMPLETIONS: &[Parameter] = &[
    MODEL,
    honoured(
        "prompt",
        "required; a string, strings, token ids, or arrays of token ids",
    ),
    honoured("max_tokens", "absent: 16; 0 only with `echo: true`"),
    STOP,
    TEMPERATURE,
    TOP_P,
    SEED,
    honoured("n", "1 to 16 choices for each prompt"),
    STREAM,
    STREAM_OPTIONS_FIELD,
    honoured(
        "logprobs",
        "0 to 20 of the most probable tokens at each place; see Log-probabilities",
    ),
    honoured(
        "echo",
        "the answer begins with the prompt; see Log-probabilities",
    ),
    FREQUENCY_PENALTY,
    PRESENCE_PENALTY,
    LOGIT_BIAS,
    honoured(
        "service_tier",
        "not OpenAI's; `flex` waits for those that do not; see Sharing the server",
    ),
    TOP_K,
    MIN_P,
    REPETITION_PENALTY,
    MIN_TOKENS,
    IGNORE_EOS,
    STOP_TOKEN_IDS,
    honoured("response_format", "not OpenAI's; see Structured output"),
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
    honoured("model", "the id that `GET /v1/models` lists"),
    honoured(
        "prompt",
        "required; a string, template text as in a completion",
    ),
    honoured(
        "add_special_tokens",
        "false: only what the text says; absent: true",
    ),
    honoured(
        "return_token_strs",
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
    honoured("model", "the id that `GET /v1/models` lists"),
    honoured("tokens", "required; token ids"),
];

/// `POST /v1/embeddings`.
pub const EMBEDDINGS: &[Parameter] = &[
    MODEL,
    honoured(
        "input",
        "required; a string, an array of strings, an array of the model's token ids or an array of such arrays",
    ),
    honoured("encoding_format", "`float` or `base64`"),
    honoured(
        "dimensions",
        "where the model was made for it; else only the length that it has",
    ),
    honoured(
        "input_type",
        "not OpenAI's; a name among the model's prompts, such as `query`, whose text stands before each input",
    ),
    ignored("user", ""),
];

/// `POST /v1/rerank`.
pub const RERANK: &[Parameter] = &[
    MODEL,
    honoured("query", "required; a string"),
    honoured(
        "documents",
        "required; an array of strings, or of objects with `text`",
    ),
    honoured("top_n", "how many of the best; absent: all"),
    honoured("return_documents", "true: each result holds its document"),
    honoured(
        "max_tokens_per_doc",
        "cuts the end off longer documents, and says so in `truncated_from`; absent: what is too long is refused",
    ),
    ignored("user", ""),
];

/// `POST /rerank`.
pub const TEI_RERANK: &[Parameter] = &[
    honoured(
        "model",
        "not theirs; needed where several rerankers are served",
    ),
    honoured("query", "required; a string"),
    honoured("texts", "required; an array of strings"),
    honoured(
        "raw_scores",
        "true: scores as the model says them; absent: from 0 to 1",
    ),
    honoured("return_text", "true: each result holds its text"),
    honoured(
        "truncate",
        "true: cuts texts that are too long; absent: they are refused",
    ),
    honoured("truncation_direction", "`Right` or `Left`"),
];

/// `stream_options` of both.
pub const STREAM_OPTIONS: &[Parameter] = &[
    honoured(
        "include_usage",
        "one more chunk at the end, with `usage` and no choices",
    ),
    refused("include_obfuscation", &["false"], ""),
];
