use super::keywords::{FORMATS, TYPES};
use super::limits::MAX_COUNT;
use super::texts::{is_writable, kept_to};
use super::written::size_of_text;
use super::{FormatError, Walk, bounds};
use serde_json::Value;

/// Every day from year 1 on, leap years included.
const DATE: &str = r"(?:(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)";
/// A time of day with its zone; seconds to nanoseconds.
const TIME: &str = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
const JSON_POINTER: &str = r"(?:/(?:[ -.0-}\x7f-\u{10ffff}\x08\t\n\f\r]|~[01])*)*";

/// Keywords whose values are no schemas.
impl Walk<'_> {
    pub(super) fn types(&mut self, value: &Value) -> Result<Value, FormatError> {
        let is_type = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
        let is_known = match value {
            Value::Array(types) => !types.is_empty() && types.iter().all(is_type),
            one => is_type(one),
        };
        if !is_known {
            let types = TYPES.join(", ");
            return Err(self.refuse(&format!("it must be one or some of {types}")));
        }
        self.count_copies(value, 1)?;
        Ok(value.clone())
    }

    pub(super) fn values(&mut self, name: &str, value: &Value) -> Result<Value, FormatError> {
        if name == "enum" && value.as_array().is_none_or(Vec::is_empty) {
            return Err(self.refuse("it must be an array that is not empty"));
        }
        if !bounds::holds_exact_numbers(value) {
            return Err(self.refuse("its numbers must be between -2^53 and 2^53"));
        }
        self.spellable_texts(value)?;
        self.count_copies(value, 1)?;
        Ok(value.clone())
    }

    /// A control character that has no short escape could only be written as `\u`.
    pub(super) fn spellable(&self, text: &str) -> Result<(), FormatError> {
        if !text.chars().all(is_writable) {
            return Err(self.refuse("it holds a control character"));
        }
        Ok(())
    }

    pub(super) fn spellable_texts(&self, value: &Value) -> Result<(), FormatError> {
        match value {
            Value::String(text) => self.spellable(text),
            Value::Array(items) => items.iter().try_for_each(|item| self.spellable_texts(item)),
            Value::Object(members) => members.iter().try_for_each(|(name, value)| {
                self.spellable(name)?;
                self.spellable_texts(value)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    pub(super) fn names(&mut self, value: &Value) -> Result<Value, FormatError> {
        let is_names = |names: &Vec<Value>| names.iter().all(Value::is_string);
        if !value.as_array().is_some_and(is_names) {
            return Err(self.refuse("it must be an array of strings"));
        }
        self.spellable_texts(value)?;
        self.count_copies(value, 1)?;
        Ok(value.clone())
    }

    pub(super) fn count(&self, value: &Value) -> Result<Value, FormatError> {
        // As JSON means it: 3.0 is 3.
        let count = value
            .as_f64()
            .filter(|count| count.fract() == 0.0 && (0.0..=MAX_COUNT as f64).contains(count));
        match count {
            Some(count) => Ok((count as u64).into()),
            None => Err(self.refuse(&format!("it must be an integer from 0 to {MAX_COUNT}"))),
        }
    }

    pub(super) fn dialect(&self, value: &Value) -> Result<(), FormatError> {
        let uri = value.as_str().unwrap_or_default();
        let schemes = ["https://", "http://"];
        let path = schemes.iter().find_map(|scheme| uri.strip_prefix(scheme));
        if !path.is_some_and(|path| path.starts_with("json-schema.org/")) {
            return Err(self.refuse(
                "it must be a draft of json-schema.org: elsewhere keywords may mean something else",
            ));
        }
        Ok(())
    }

    pub(super) fn number(&self, value: &Value) -> Result<Value, FormatError> {
        if !bounds::is_exact(value) {
            return Err(self.refuse("it must be a number between -2^53 and 2^53"));
        }
        Ok(value.clone())
    }

    pub(super) fn divisor(&self, value: &Value) -> Result<Value, FormatError> {
        if bounds::divisor(value).is_none() {
            return Err(self.refuse("it must be a number above 0 of at most 8 digits"));
        }
        Ok(value.clone())
    }

    pub(super) fn pattern(&mut self, pattern: &str) -> Result<String, FormatError> {
        // The compiler gives names to groups that change what they match.
        if pattern.contains("(?P<") || pattern.contains("(?<") {
            return Err(self.refuse("it must be without look-around, and its groups without names"));
        }
        self.count_values(size_of_text(pattern))?;
        kept_to(pattern).map_err(|error| self.refuse(&format!("it cannot be enforced: {error}")))
    }

    /// A pattern of our own, where there is one.
    pub(super) fn format(&self, value: &Value) -> Result<Option<String>, FormatError> {
        match value.as_str() {
            Some("date") => Ok(Some(format!("^{DATE}$"))),
            Some("time") => Ok(Some(format!("^{TIME}$"))),
            Some("date-time") => Ok(Some(format!("^{DATE}T{TIME}$"))),
            Some("json-pointer") => Ok(Some(format!("^{JSON_POINTER}$"))),
            Some("relative-json-pointer") => {
                Ok(Some(format!("^(?:0|[1-9][0-9]*)(?:#|{JSON_POINTER})$")))
            }
            Some(format) if FORMATS.contains(&format) => Ok(None),
            _ => Err(self.refuse(&format!("it must be one of {}", FORMATS.join(", ")))),
        }
    }
}
