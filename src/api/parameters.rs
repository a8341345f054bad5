//! Every documented property of a request and what becomes of it: nothing is dropped in
//! silence. The tables are the check and, in `docs/api.md`, the documentation.

mod chat;
mod completions;
mod documents;
mod encoders;
mod files;
mod formats;
mod messages;
mod responses;
mod sampling;
mod shape;
mod tools;

pub use chat::CHAT;
pub use completions::{COMPLETIONS, DETOKENIZE, TOKENIZE};
pub use documents::{CITATIONS, PARSE, PRIVACY, PROMPT};
pub use encoders::{DOCUMENT, EMBEDDINGS, RERANK, TEI_RERANK};
pub use files::{EXPIRES_AFTER, FILE_LIST, FILE_UPLOAD};
pub use formats::{JSON_SCHEMA, RESPONSE_FORMAT, STRUCTURED_OUTPUTS};
pub use messages::{
    ASSISTANT_MESSAGE, CALLED_FUNCTION, CONTENT_PART, FILE, FILE_PART, MESSAGE, TOOL_CALL,
    TOOL_MESSAGE,
};
pub use responses::{
    RESPONSE_ALLOWED_TOOL, RESPONSE_CALL, RESPONSE_CALL_OUTPUT, RESPONSE_FILE, RESPONSE_MESSAGE,
    RESPONSE_PART, RESPONSE_REASONING, RESPONSE_REASONING_OPTIONS, RESPONSE_REASONING_PART,
    RESPONSE_TEXT, RESPONSE_TEXT_FORMAT, RESPONSE_TOOL, RESPONSE_TOOL_CHOICE, RESPONSES,
};
pub use sampling::STREAM_OPTIONS;
pub use shape::{EFFORTS, SERVICE_TIERS, Shape};
pub use tools::{ALLOWED_TOOL, ALLOWED_TOOLS, FUNCTION, NAMED_FUNCTION, TOOL, TOOL_CHOICE};

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
    /// What it may look like, where it is honoured.
    pub shape: Shape,
    pub is_required: bool,
    pub note: &'static str,
}

pub enum Outcome {
    Honoured,
    /// Not supported yet: refused by name, except null and these JSON values, which ask
    /// for nothing.
    RefusedUnless(&'static [&'static str]),
    /// Does not change the answer: listed in [`IGNORED_HEADER`].
    Ignored,
    /// The same of what an answer held: a client that sends it back asks for nothing, so that no
    /// server is so strict as to refuse it.
    SentBack,
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
        self.list(name);
        Ok(())
    }

    /// What is not used and asks for nothing.
    pub fn list(&mut self, name: &str) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
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
            Outcome::Ignored => ignored.add(path, &without_indices(path))?,
            // What clients add where there was nothing is no news.
            Outcome::SentBack if field.is_empty_array() => {}
            Outcome::SentBack => ignored.list(&without_indices(path)),
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

const fn honoured(name: &'static str, shape: Shape, note: &'static str) -> Parameter {
    Parameter {
        name,
        outcome: Outcome::Honoured,
        shape,
        is_required: false,
        note,
    }
}

const fn required(name: &'static str, shape: Shape, note: &'static str) -> Parameter {
    Parameter {
        is_required: true,
        ..honoured(name, shape, note)
    }
}

const fn refused(
    name: &'static str,
    neutral: &'static [&'static str],
    note: &'static str,
) -> Parameter {
    Parameter {
        outcome: Outcome::RefusedUnless(neutral),
        ..honoured(name, Shape::Any, note)
    }
}

const fn ignored(name: &'static str, note: &'static str) -> Parameter {
    Parameter {
        outcome: Outcome::Ignored,
        ..honoured(name, Shape::Any, note)
    }
}

/// `note` says which answer it is part of.
const fn sent_back(name: &'static str, note: &'static str) -> Parameter {
    Parameter {
        outcome: Outcome::SentBack,
        ..honoured(name, Shape::Any, note)
    }
}

/// For most of them.
const OF_AN_ANSWER: &str = "part of an answer that is sent back";
