//! Puts the values back into an answer while it streams.

use super::surrogate::{Held, Surrogates};
use std::fmt;
use std::sync::Arc;

/// Replaces surrogates by the values that they stand for, across any borders of chunks. What is
/// no surrogate of its session passes unchanged.
///
/// Text is held back from an opening bracket on, and only while it can still become a surrogate.
pub struct Restorer {
    surrogates: Arc<Surrogates>,
    held: String,
    escapes_json: bool,
}

impl Restorer {
    pub(super) fn new(surrogates: Arc<Surrogates>) -> Self {
        Self {
            surrogates,
            held: String::new(),
            escapes_json: false,
        }
    }

    /// For an answer that is JSON, as the arguments of a call are: values stand in strings there.
    /// No value has a quotation mark or a backslash, but one may go over a line's end.
    #[must_use]
    pub fn escaping_json(mut self) -> Self {
        self.escapes_json = true;
        self
    }

    /// What can be told after this chunk.
    pub fn push(&mut self, chunk: &str) -> String {
        if self.surrogates.is_empty() {
            return chunk.to_owned();
        }
        let mut out = String::with_capacity(self.held.len() + chunk.len());
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.held.is_empty() {
                let bracket = rest.find('[').unwrap_or(rest.len());
                let (plain, from_bracket) = rest.split_at(bracket);
                out.push_str(plain);
                rest = from_bracket;
            }
            let Some(next) = rest.chars().next() else {
                break;
            };
            rest = &rest[next.len_utf8()..];
            self.push_char(next, &mut out);
        }
        out
    }

    fn push_char(&mut self, next: char, out: &mut String) {
        // No surrogate has a bracket inside: with the next one, another may begin.
        if next == '[' {
            out.push_str(&self.held);
            self.held.clear();
        }
        self.held.push(next);
        match self.surrogates.held(&self.held) {
            Held::Beginning => return,
            Held::Whole(value) if self.escapes_json => out.push_str(&escaped(value)),
            Held::Whole(value) => out.push_str(value),
            Held::Other => out.push_str(&self.held),
        }
        self.held.clear();
    }

    /// What was held back when the answer ended.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// As it stands between the quotation marks of a JSON string.
fn escaped(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    let inner = quoted
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(value).to_owned()
}

/// Without what is held back, which is the model's and not yet told.
impl fmt::Debug for Restorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restorer")
            .field("surrogates", &self.surrogates)
            .field("held_bytes", &self.held.len())
            .field("escapes_json", &self.escapes_json)
            .finish()
    }
}
