//! `privacy`: a model reads a request without the personal data in it.

use super::Conversation;
use super::files::ReadFile;
use crate::api::error::ApiError;
use crate::api::fields::Fields;
use crate::api::json::Json;
use crate::api::parameters::{self, Ignored, PRIVACY};
use crate::api::state::ApiState;
use crate::generation::Caller;
use crate::privacy::{Applied, Mode, Session};
use std::sync::Arc;

const FIELD: &str = "privacy";

/// Properties of a body that a model may be shown as they are.
const FREE: [&str; 2] = ["documents", "chat_template_kwargs"];

/// What a text under these names says of a message or a part is how to read it.
const OF_MESSAGES: [&str; 12] = [
    "role",
    "type",
    "id",
    "call_id",
    "tool_call_id",
    "status",
    "name",
    "detail",
    "file_data",
    "file_id",
    // It is replaced with its file.
    "filename",
    "annotations",
];

/// The same of a function and of the schema of its arguments.
const OF_SCHEMAS: [&str; 6] = ["type", "name", "required", "$ref", "format", "pattern"];

pub fn asked(body: &Fields<'_>, ignored: &mut Ignored) -> Result<Option<Mode>, ApiError> {
    let Some(field) = body.get(FIELD) else {
        return Ok(None);
    };
    let fields = field.object()?;
    parameters::check(PRIVACY, &fields, ignored)?;
    let mode = fields.require("mode")?;
    match mode.string()? {
        "pseudonymize" => Ok(Some(Mode::Pseudonymize)),
        "mask" => Ok(Some(Mode::Mask)),
        "block" => Ok(Some(Mode::Block)),
        _ => Err(mode.must("be `pseudonymize`, `mask` or `block`")),
    }
}

/// Replaces the values in all that a model would be shown. The documents themselves stay as they
/// were read, for what is told and checked.
pub async fn protect(
    state: &ApiState,
    caller: Caller,
    mode: Mode,
    body: &mut Json,
    conversation: Conversation,
    files: &mut [ReadFile],
) -> Result<Arc<Session>, ApiError> {
    let mut texts = Vec::new();
    each_text(body, conversation, &mut |text| texts.push(text.clone()));
    let num_of_body = texts.len();
    for file in files.iter() {
        texts.extend([file.name.clone(), file.document.text.clone()]);
    }
    let recogniser = Arc::clone(&state.recogniser);
    let replace = move || {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Session::new(&recogniser, mode, &texts)
    };
    let (session, mut applied) = state
        .beside_connections(caller, replace)
        .await?
        .map_err(|error| ApiError::said(FIELD, &error))?;
    let of_files = applied.split_off(num_of_body);
    let mut of_body = applied.into_iter();
    each_text(body, conversation, &mut |text| {
        if let Some(applied) = of_body.next() {
            *text = applied.text;
        }
    });
    let mut of_files = of_files.into_iter();
    for file in files {
        if let (Some(name), Some(text)) = (of_files.next(), of_files.next()) {
            file.shown = Some(Shown {
                name: name.text,
                text,
            });
        }
    }
    Ok(Arc::new(session))
}

/// A file as a model is shown it.
pub struct Shown {
    pub name: String,
    pub text: Applied,
}

/// Every text of the body that a model may be shown, in the same order each time.
fn each_text(body: &mut Json, conversation: Conversation, text: &mut impl FnMut(&mut String)) {
    let variables = body
        .entry_mut("prompt")
        .and_then(|prompt| prompt.entry_mut("variables"));
    if let Some(variables) = variables {
        all(variables, text);
    }
    if let Some(Json::String(instructions)) = body.entry_mut("instructions") {
        text(instructions);
    }
    if let Some(tools) = body.entry_mut("tools") {
        of_schema(tools, text);
    }
    for name in FREE {
        if let Some(value) = body.entry_mut(name) {
            all(value, text);
        }
    }
    if let Some(messages) = body.entry_mut(conversation.list) {
        of_message(messages, text);
    }
}

/// Every text, and every number as it would be written.
fn all(value: &mut Json, text: &mut impl FnMut(&mut String)) {
    match value {
        Json::String(value) => text(value),
        Json::Integer(number) => {
            let mut written = number.to_string();
            text(&mut written);
            if written != number.to_string() {
                *value = Json::String(written);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| all(item, text)),
        Json::Object(entries) => entries.iter_mut().for_each(|(_, value)| all(value, text)),
        _ => {}
    }
}

fn of_message(value: &mut Json, text: &mut impl FnMut(&mut String)) {
    match value {
        Json::String(value) => written(value, text),
        Json::Array(items) => items.iter_mut().for_each(|item| of_message(item, text)),
        Json::Object(entries) => {
            // Who speaks is shown; what a function is called must stay.
            let is_message = entries.iter().any(|(name, _)| name == "role");
            for (name, value) in entries {
                let is_name = is_message && name == "name";
                let is_kept = OF_MESSAGES.contains(&name.as_str()) && !is_name;
                if !(is_kept && matches!(value, Json::String(_))) {
                    of_message(value, text);
                }
            }
        }
        _ => {}
    }
}

fn of_schema(value: &mut Json, text: &mut impl FnMut(&mut String)) {
    match value {
        Json::String(value) => text(value),
        Json::Array(items) => items.iter_mut().for_each(|item| of_schema(item, text)),
        Json::Object(entries) => {
            for (name, value) in entries {
                // Properties may be called so, too; what they are is an object.
                let is_kept = OF_SCHEMAS.contains(&name.as_str());
                if !(is_kept && matches!(value, Json::String(_) | Json::Array(_))) {
                    of_schema(value, text);
                }
            }
        }
        _ => {}
    }
}

/// A text, or the texts in it where it is JSON, as arguments and results of functions are: values
/// stand behind escapes there.
fn written(value: &mut String, text: &mut impl FnMut(&mut String)) {
    let looks_like_json = value.trim_start().starts_with(['{', '[']);
    let json = looks_like_json.then(|| Json::parse(value.as_bytes()).ok());
    let Some(mut json) = json.flatten() else {
        return text(value);
    };
    let before = json.clone();
    all(&mut json, text);
    if json != before {
        *value = json.to_value().to_string();
    }
}
