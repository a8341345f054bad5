//! What writing a schema out may cost. Schemas of ours hold copies of what was sent, and copies of
//! copies where their keywords nest: so all that is written is counted before it is.

use super::limits::{MAX_DEPTH, MAX_PARTS, MAX_POINTER_BYTES, MAX_WRITTEN};
use super::{FormatError, Walk};
use serde_json::Value;

/// Bytes of a text that count as one value.
const TEXT_BYTES: usize = 64;

/// What was written so far.
#[derive(Debug, Default)]
pub struct Written {
    num_parts: usize,
    num_values: usize,
    /// How deep it is now.
    depth: usize,
}

impl Walk<'_> {
    pub(super) fn count_part(&mut self) -> Result<(), FormatError> {
        if self.pointer.len() > MAX_POINTER_BYTES {
            return Err(self.refuse(&format!(
                "the pointer to it has more than {MAX_POINTER_BYTES} bytes"
            )));
        }
        self.written.num_parts += 1;
        if self.written.num_parts > MAX_PARTS {
            return Err(self.refuse(&format!("the schema has more than {MAX_PARTS} parts")));
        }
        Ok(())
    }

    /// Counts so many values.
    pub(super) fn count_values(&mut self, num_values: usize) -> Result<(), FormatError> {
        let written = &mut self.written.num_values;
        *written = written.saturating_add(num_values);
        if *written > MAX_WRITTEN {
            return Err(self.refuse(&format!(
                "the schema has more than {MAX_WRITTEN} values once it is written out: use fewer or shorter ones, or nest less"
            )));
        }
        Ok(())
    }

    /// Counts copies.
    pub(super) fn count_copies(
        &mut self,
        schema: &Value,
        num_copies: usize,
    ) -> Result<(), FormatError> {
        if num_copies == 0 {
            return Ok(());
        }
        self.count_values(size(schema).saturating_mul(num_copies))
    }

    /// Looks into a schema within the one where it is. The stack has room for so many.
    pub(super) fn deeper<T>(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        if self.written.depth >= MAX_DEPTH {
            return Err(self.refuse(&format!(
                "more than {MAX_DEPTH} schemas are within one another there"
            )));
        }
        self.written.depth += 1;
        let found = walk(self);
        self.written.depth -= 1;
        found
    }
}

/// How many values it counts as.
pub fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => size_of_text(text),
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => {
            let sizes = members
                .iter()
                .map(|(name, member)| name.len() / TEXT_BYTES + size(member));
            1 + sizes.sum::<usize>()
        }
    }
}

pub fn size_of_text(text: &str) -> usize {
    1 + text.len() / TEXT_BYTES
}
