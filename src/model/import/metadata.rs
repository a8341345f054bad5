//! Typed access to a GGUF file's metadata.

use std::collections::HashMap;

use super::ImportError;
use super::value::Value;

/// Metadata with errors that name the key.
pub(super) struct Metadata<'a> {
    values: &'a HashMap<String, Value>,
}

impl<'a> Metadata<'a> {
    pub(super) fn new(values: &'a HashMap<String, Value>) -> Self {
        Self { values }
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, ImportError> {
        self.optional_text(key)?.ok_or_else(|| missing(key))
    }

    pub(super) fn optional_text(&self, key: &str) -> Result<Option<&'a str>, ImportError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(key, "a string")),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<&'a [String], ImportError> {
        match self.values.get(key) {
            None => Err(missing(key)),
            Some(Value::Texts(texts)) => Ok(texts),
            Some(_) => Err(wrong(key, "an array of strings")),
        }
    }

    pub(super) fn optional_integers(&self, key: &str) -> Result<Option<&'a [i64]>, ImportError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Integers(integers)) => Ok(Some(integers)),
            Some(_) => Err(wrong(key, "an array of integers")),
        }
    }

    pub(super) fn size(&self, key: &str) -> Result<usize, ImportError> {
        self.optional_size(key)?.ok_or_else(|| missing(key))
    }

    /// A count: above 0 and below 2^32.
    pub(super) fn optional_size(&self, key: &str) -> Result<Option<usize>, ImportError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Unsigned(value)) if (1..=u64::from(u32::MAX)).contains(value) => {
                Ok(Some(*value as usize))
            }
            Some(_) => Err(wrong(key, "one number above 0")),
        }
    }

    /// A number that may be 0, like a token id.
    pub(super) fn optional_index(&self, key: &str) -> Result<Option<u32>, ImportError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Unsigned(value)) if *value <= u64::from(u32::MAX) => {
                Ok(Some(*value as u32))
            }
            Some(_) => Err(wrong(key, "one number of 32 bits")),
        }
    }

    pub(super) fn optional_float(&self, key: &str) -> Result<Option<f64>, ImportError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Float(value)) if value.is_finite() => Ok(Some(*value)),
            Some(_) => Err(wrong(key, "a finite number")),
        }
    }

    pub(super) fn optional_bool(&self, key: &str) -> Result<Option<bool>, ImportError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(wrong(key, "true or false")),
        }
    }
}

fn missing(key: &str) -> ImportError {
    ImportError::Malformed(format!("{key} is missing"))
}

fn wrong(key: &str, expected: &str) -> ImportError {
    ImportError::Malformed(format!("{key} is not {expected}"))
}
