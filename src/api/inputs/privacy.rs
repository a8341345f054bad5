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

/// Properties of a body that a model may be shown, beside its conversation.
const SHOWN: [&str; 4] = ["instructions", "tools", "documents", "chat_template_kwargs"];

/// What is written under these names tells how to read a body, and is no text of its own.
const NO_TEXT: [&str; 13] = [
    "role",
    "type",
    "id",
    "call_id",
    "tool_call_id",
    "status",
    "name",
    "required",
    "$ref",
    "detail",
    "file_data",
    "file_id",
    "annotations",
];

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
        .map_err(|error| ApiError::invalid(FIELD, sentence(&error.to_string())))?;
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
        visit(variables, text);
    }
    for name in SHOWN.into_iter().chain([conversation.list]) {
        if let Some(value) = body.entry_mut(name) {
            visit(value, text);
        }
    }
}

fn visit(value: &mut Json, text: &mut impl FnMut(&mut String)) {
    match value {
        Json::String(value) => text(value),
        Json::Array(items) => items.iter_mut().for_each(|item| visit(item, text)),
        Json::Object(entries) => {
            // Who speaks is shown; what a function is called must stay.
            let is_message = entries.iter().any(|(name, _)| name == "role");
            for (name, value) in entries {
                let is_text = !NO_TEXT.contains(&name.as_str()) || is_message && name == "name";
                if is_text {
                    visit(value, text);
                }
            }
        }
        _ => {}
    }
}

fn sentence(error: &str) -> String {
    let (first, rest) = error.split_at(error.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}.", first.to_uppercase())
}
