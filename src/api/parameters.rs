//! Every documented property of a request and what becomes of it: nothing is dropped in
//! silence. The tables are the check and, in `docs/api.md`, the documentation.

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
pub struct Ignored(Vec<&'static str>);

impl Ignored {
    pub fn write_header(&self, response: &mut Response) {
        if let Ok(value) = HeaderValue::from_str(&self.0.join(", "))
            && !self.0.is_empty()
        {
            response.headers_mut().insert(IGNORED_HEADER, value);
        }
    }

    pub fn add(&mut self, name: &'static str) {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
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
            Outcome::Ignored => ignored.add(parameter.name),
            Outcome::RefusedUnless(neutral) => {
                if !neutral.iter().any(|literal| is(field.value(), literal)) {
                    return Err(ApiError::invalid(path, refusal(path, neutral)));
                }
            }
        }
    }
    Ok(())
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
    refused("tools", &["[]"], ""),
    refused(
        "tool_choice",
        &[r#""none""#, r#""auto""#],
        "without tools they mean the same",
    ),
    refused(
        "parallel_tool_calls",
        &["true", "false"],
        "without tools they mean the same",
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
    refused("reasoning_effort", &[r#""none""#], ""),
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
    SERVICE_TIER,
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

/// `stream_options` of both.
pub const STREAM_OPTIONS: &[Parameter] = &[
    honoured(
        "include_usage",
        "one more chunk at the end, with `usage` and no choices",
    ),
    refused("include_obfuscation", &["false"], ""),
];

/// `response_format`.
pub const RESPONSE_FORMAT: &[Parameter] = &[
    honoured(
        "type",
        "required; `text`, `json_object` (any JSON object) or `json_schema`",
    ),
    honoured("json_schema", "required with that type"),
];

/// `response_format.json_schema`.
pub const JSON_SCHEMA: &[Parameter] = &[
    honoured("name", "required; for people, it changes nothing"),
    honoured("description", "for people, it changes nothing"),
    honoured(
        "schema",
        "the answer is JSON that it accepts; absent: any JSON object",
    ),
    honoured(
        "strict",
        "changes nothing: a schema is always enforced, and refused where it cannot be",
    ),
];

/// `structured_outputs`: one of these.
pub const STRUCTURED_OUTPUTS: &[Parameter] = &[
    honoured("json", "a JSON schema, or its text"),
    honoured("json_object", "true: any JSON object"),
    honoured("regex", "the whole answer matches it"),
    honoured("choice", "an array of strings; the answer is one of them"),
    honoured("grammar", "a context-free grammar in llguidance's Lark"),
    refused("structural_tag", &[], ""),
    refused(
        "disable_fallback",
        &["true", "false"],
        "there is no other backend",
    ),
    refused("disable_any_whitespace", &["false"], ""),
    refused("disable_additional_properties", &["false"], ""),
    refused("whitespace_pattern", &[], ""),
];

/// A message of the roles system, developer and user.
pub const MESSAGE: &[Parameter] = &[
    honoured(
        "role",
        "required; `system`, `developer`, `user` or `assistant`",
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
    honoured("content", "required; a string or an array of text parts"),
    honoured(
        "name",
        "given to the chat template; listed as ignored where that makes nothing of it",
    ),
    refused("refusal", &[], ""),
    refused("tool_calls", &["[]"], ""),
    refused("function_call", &[], ""),
    refused("audio", &[], ""),
    refused(
        "annotations",
        &["[]"],
        "part of an answer that is sent back",
    ),
];

/// A part of a message's content.
pub const CONTENT_PART: &[Parameter] = &[
    honoured("type", "required; `text`"),
    honoured("text", "required; parts are joined by a line break"),
    ignored("prompt_cache_breakpoint", ""),
];
