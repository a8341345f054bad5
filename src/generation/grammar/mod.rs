//! Answers that keep to a form: JSON of a schema, a regular expression, a choice, a grammar.
//!
//! A form is compiled once, on a thread of its own, and then says for each token of an answer
//! which ones may follow (llguidance: an Earley parser over a lexer of derivatives).

mod calls;
mod compiler;
mod constraint;
mod schema;
mod vocabulary;

pub use calls::{CallForm, Function};
pub use compiler::Grammars;
pub use schema::{FORMATS as SCHEMA_FORMATS, SCHEMA_LIMITS, enforced_keywords};

use crate::engine::TokenConstraint;
use constraint::GrammarConstraint;
use llguidance::Matcher;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The form that an answer must have.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Any JSON object.
    JsonObject,
    /// JSON that a schema (draft 2020-12 or older) accepts.
    JsonSchema(Value),
    /// The whole answer matches a regular expression.
    Regex(String),
    /// One of these.
    Choice(Vec<String>),
    /// A context-free grammar in llguidance's Lark.
    Lark(String),
    /// Calls of functions, whose arguments are JSON of their schemas.
    Calls(CallForm),
}

/// Whether a schema can be enforced.
pub fn check_schema(schema: &Value) -> Result<(), FormatError> {
    schema::prepare(schema).map(drop)
}

/// Why a form cannot be kept to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A place in a schema, as a JSON pointer, and what is wrong there.
    #[error("{reason} (at {pointer:?} in the schema)")]
    Schema { pointer: String, reason: String },
    #[error("{0}")]
    Grammar(String),
    /// Nothing would end such an answer.
    #[error("this model has no token that ends an answer")]
    NoStopToken,
    #[error("it was not compiled within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("the thread that compiles formats has ended")]
    Stopped,
}

/// A compiled form.
#[derive(Clone)]
pub struct Grammar(Arc<Start>);

/// Where an answer of a form begins.
struct Start {
    matcher: Matcher,
    /// These end an answer, and nothing else does.
    stop_token_ids: Arc<[u32]>,
}

impl Grammar {
    fn new(matcher: Matcher, stop_token_ids: Arc<[u32]>) -> Self {
        Self(Arc::new(Start {
            matcher,
            stop_token_ids,
        }))
    }

    /// For one answer.
    pub fn constraint(&self) -> Arc<dyn TokenConstraint> {
        Arc::new(GrammarConstraint::new(Arc::clone(&self.0)))
    }
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Grammar")
    }
}

impl PartialEq for Grammar {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests;
