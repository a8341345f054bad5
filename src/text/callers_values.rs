//! What callers wrote, as a template may see it: each text guarded, but for the words that
//! templates look for.

use super::TextError;
use super::guard::Guard;
use serde_json::{Map, Value};

/// Roles are a template's own words: some templates build control tokens from them.
const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// What else templates look for by name in messages, calls, definitions of tools and documents.
/// A name that is left out here still is found, unless it may be part of a control token, as
/// `text` of `<|endoftext|>`.
const NAMES: [&str; 31] = [
    "role",
    "content",
    "name",
    "thinking",
    "reasoning_content",
    "tool_calls",
    "tool_call_id",
    "id",
    "type",
    "text",
    "title",
    "function",
    "arguments",
    "description",
    "parameters",
    "properties",
    "additionalProperties",
    "required",
    "items",
    "enum",
    "const",
    "default",
    "format",
    "nullable",
    "anyOf",
    "allOf",
    "oneOf",
    "return",
    "response",
    "enable_thinking",
    "reasoning_effort",
];

/// And what they compare types with.
const TYPES: [&str; 9] = [
    "function", "text", "null", "boolean", "integer", "number", "string", "array", "object",
];

/// Every text in a value, names of members included.
pub(super) fn texts_in<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts_in(item, texts)),
        Value::Object(members) => {
            for (name, value) in members {
                texts.push(name);
                texts_in(value, texts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn protected(guard: &mut Guard<'_>, value: &Value) -> Result<Value, TextError> {
    Ok(match value {
        Value::String(text) => guard.protect(text)?.into(),
        Value::Array(items) => {
            let items = items.iter().map(|item| protected(guard, item));
            items.collect::<Result<_, _>>()?
        }
        Value::Object(members) => {
            let mut out = Map::new();
            for (name, value) in members {
                let value = match value.as_str() {
                    Some(word) if is_word_of_templates(name, word) => value.clone(),
                    _ => protected(guard, value)?,
                };
                let name = if NAMES.contains(&name.as_str()) {
                    name.clone()
                } else {
                    guard.protect(name)?
                };
                out.insert(name, value);
            }
            Value::Object(out)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// Templates compare these, and some build control tokens from roles.
fn is_word_of_templates(name: &str, word: &str) -> bool {
    match name {
        "role" => ROLES.contains(&word),
        "type" => TYPES.contains(&word),
        _ => false,
    }
}
