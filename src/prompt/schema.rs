//! The form of an answer: a JSON schema, in which the items of a list variable may stand for an
//! `enum`.

use super::error::Mistake;
use super::limits::MAX_SCHEMA_DEPTH;
use super::variable::{Variable, VariableType};
use serde_json::{Map, Value as Json};

const TYPES: [&str; 7] = [
    "object", "array", "string", "number", "integer", "boolean", "null",
];

/// Checked so far as this module can; whether every keyword can be enforced is asked of
/// `generation`, when the server starts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OutputSchema(Json);

impl OutputSchema {
    /// `line` is that of the first line of `text` in its file.
    pub fn parse(text: &str, line: usize, variables: &[Variable]) -> Result<Self, Mistake> {
        let json: Json = serde_json::from_str(text).map_err(|error| {
            // The parser ends with the place, which counts from the string's own beginning.
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let line = line + error.line().saturating_sub(1);
            Mistake::new(line, format!("`schema` is no JSON: {message}"))
        })?;
        let wrong = |message| Mistake::new(line, format!("`schema`: {message}"));
        if json.get("type").and_then(Json::as_str) != Some("object") {
            return Err(wrong(
                "must be a JSON object with \"type\": \"object\"".to_owned(),
            ));
        }
        check(&json, "#", 0, variables).map_err(wrong)?;
        Ok(Self(json))
    }

    /// As it is written, with variables in it.
    pub fn as_json(&self) -> &Json {
        &self.0
    }

    /// For one request.
    pub fn filled(&self, variables: &Map<String, Json>) -> Json {
        let mut schema = self.0.clone();
        fill(&mut schema, variables);
        schema
    }
}

fn fill(schema: &mut Json, variables: &Map<String, Json>) {
    match schema {
        Json::Object(members) => {
            for (name, value) in members {
                let items = value
                    .as_str()
                    .filter(|_| name == "enum")
                    .and_then(variable_in);
                match items.and_then(|name| variables.get(name)) {
                    Some(items) => *value = distinct(items),
                    None => fill(value, variables),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| fill(item, variables)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn distinct(items: &Json) -> Json {
    let mut seen: Vec<Json> = Vec::new();
    for item in items.as_array().into_iter().flatten() {
        if !seen.contains(item) {
            seen.push(item.clone());
        }
    }
    Json::Array(seen)
}

/// `{{ name }}`, and nothing beside.
fn variable_in(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    Some(inner.trim())
}

fn check(schema: &Json, at: &str, depth: usize, variables: &[Variable]) -> Result<(), String> {
    if depth > MAX_SCHEMA_DEPTH {
        return Err(format!("{at} is more than {MAX_SCHEMA_DEPTH} schemas deep"));
    }
    let members = match schema {
        Json::Object(members) => members,
        Json::Bool(_) => return Ok(()),
        _ => return Err(format!("{at} must be a JSON object")),
    };
    for (keyword, value) in members {
        let at = format!("{at}/{keyword}");
        match keyword.as_str() {
            "type" => check_type(value, &at)?,
            "enum" => check_enum(value, &at, variables)?,
            "required" => check_required(value, &at, members)?,
            "properties" | "$defs" | "definitions" | "patternProperties" => {
                let parts = value.as_object();
                let parts = parts.ok_or_else(|| format!("{at} must be a JSON object"))?;
                for (name, part) in parts {
                    check(part, &format!("{at}/{name}"), depth + 1, variables)?;
                }
            }
            "items" | "additionalProperties" | "not" | "contains" => {
                check(value, &at, depth + 1, variables)?;
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                let parts = value.as_array().filter(|parts| !parts.is_empty());
                let parts = parts.ok_or_else(|| format!("{at} must be an array of schemas"))?;
                for (index, part) in parts.iter().enumerate() {
                    check(part, &format!("{at}/{index}"), depth + 1, variables)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_type(value: &Json, at: &str) -> Result<(), String> {
    let known = |value: &Json| value.as_str().is_some_and(|name| TYPES.contains(&name));
    let sound = match value {
        Json::Array(names) => !names.is_empty() && names.iter().all(known),
        other => known(other),
    };
    sound
        .then_some(())
        .ok_or_else(|| format!("{at} is {value}, and must be one of {}", TYPES.join(", ")))
}

fn check_enum(value: &Json, at: &str, variables: &[Variable]) -> Result<(), String> {
    let name = match value {
        Json::Array(items) if !items.is_empty() => return Ok(()),
        other => other.as_str().and_then(variable_in),
    };
    let form = format!("{at} must be an array, or \"{{{{ name }}}}\" of a list variable");
    let name = name.ok_or(form)?;
    let variable = variables.iter().find(|variable| variable.name == name);
    let variable = variable.ok_or_else(|| format!("{at} names `{name}`, which is no variable"))?;
    match variable.kind {
        // From no items nothing could be answered.
        VariableType::List { .. } if variable.required => Ok(()),
        VariableType::List { .. } => Err(format!("{at} names `{name}`, which must be required")),
        _ => Err(format!("{at} names `{name}`, which must be of type list")),
    }
}

fn check_required(value: &Json, at: &str, members: &Map<String, Json>) -> Result<(), String> {
    let names = value
        .as_array()
        .ok_or_else(|| format!("{at} must be an array of names"))?;
    let properties = members.get("properties").and_then(Json::as_object);
    for name in names {
        let known = name
            .as_str()
            .is_some_and(|name| properties.is_some_and(|properties| properties.contains_key(name)));
        if !known {
            return Err(format!("{at} has {name}, which `properties` has not"));
        }
    }
    Ok(())
}
