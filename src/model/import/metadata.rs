//! Typed access to a GGUF file's metadata.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::ImportError;
use super::value::Value;

/// Metadata with errors that name the key. Remembers which keys were asked for, so that one
/// which nobody knows can be refused.
pub(super) struct Metadata<'a> {
    values: &'a HashMap<String, Value>,
    known: RefCell<HashSet<String>>,
}

impl<'a> Metadata<'a> {
    pub(super) fn new(values: &'a HashMap<String, Value>) -> Self {
        Self {
            values,
            known: RefCell::default(),
        }
    }

    /// The first key, in alphabetical order, that begins with `prefix` and was not asked for.
    pub(super) fn unknown_key(&self, prefix: &str) -> Option<&'a str> {
        let known = self.known.borrow();
        let unknown = self.values.keys().map(String::as_str);
        unknown
            .filter(|key| key.starts_with(prefix) && !known.contains(*key))
            .min()
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.known.borrow_mut().insert(key.to_owned());
        self.values.get(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, ImportError> {
        self.optional_text(key)?.ok_or_else(|| missing(key))
    }

    pub(super) fn optional_text(&self, key: &str) -> Result<Option<&'a str>, ImportError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(key, "a string")),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<&'a [String], ImportError> {
        self.optional_texts(key)?.ok_or_else(|| missing(key))
    }

    pub(super) fn optional_texts(&self, key: &str) -> Result<Option<&'a [String]>, ImportError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Texts(texts)) => Ok(Some(texts)),
            Some(_) => Err(wrong(key, "an array of strings")),
        }
    }

    pub(super) fn optional_integers(&self, key: &str) -> Result<Option<&'a [i64]>, ImportError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Integers(integers)) => Ok(Some(integers)),
            Some(_) => Err(wrong(key, "an array of integers")),
        }
    }

    /// Finite numbers only.
    pub(super) fn floats(&self, key: &str) -> Result<&'a [f32], ImportError> {
        match self.get(key) {
            None => Err(missing(key)),
            Some(Value::Floats(floats)) if floats.iter().all(|float| float.is_finite()) => {
                Ok(floats)
            }
            Some(_) => Err(wrong(key, "an array of finite numbers")),
        }
    }

    pub(super) fn size(&self, key: &str) -> Result<usize, ImportError> {
        self.optional_size(key)?.ok_or_else(|| missing(key))
    }

    /// A count: above 0 and below 2^32.
    pub(super) fn optional_size(&self, key: &str) -> Result<Option<usize>, ImportError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Unsigned(value)) if (1..=u64::from(u32::MAX)).contains(value) => {
                Ok(Some(*value as usize))
            }
            Some(_) => Err(wrong(key, "one number above 0")),
        }
    }

    /// A number that may be 0, like a token id.
    pub(super) fn optional_index(&self, key: &str) -> Result<Option<u32>, ImportError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Unsigned(value)) if *value <= u64::from(u32::MAX) => {
                Ok(Some(*value as u32))
            }
            Some(_) => Err(wrong(key, "one number of 32 bits")),
        }
    }

    pub(super) fn float(&self, key: &str) -> Result<f64, ImportError> {
        self.optional_float(key)?.ok_or_else(|| missing(key))
    }

    pub(super) fn optional_float(&self, key: &str) -> Result<Option<f64>, ImportError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Float(value)) if value.is_finite() => Ok(Some(*value)),
            Some(_) => Err(wrong(key, "a finite number")),
        }
    }

    pub(super) fn optional_bool(&self, key: &str) -> Result<Option<bool>, ImportError> {
        match self.get(key) {
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
