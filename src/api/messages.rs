//! The `messages` of a chat request.

use super::error::ApiError;
use super::fields::{Field, Fields};
use super::json::Json;
use super::limits;
use super::parameters::{self, ASSISTANT_MESSAGE, CONTENT_PART, Ignored, MESSAGE};
use crate::text::ChatMessage;

/// Between the text parts of one message.
const PART_SEPARATOR: &str = "\n";

/// Reads `messages`; afterwards every role is one that a chat template can be given.
pub fn parse(body: &Fields<'_>, ignored: &mut Ignored) -> Result<Vec<ChatMessage>, ApiError> {
    body.require("messages")?
        .items("messages", limits::MAX_MESSAGES)?
        .map(|item| message(&item, ignored))
        .collect()
}

fn message(item: &Field<'_>, ignored: &mut Ignored) -> Result<ChatMessage, ApiError> {
    let fields = item.object()?;
    let role = role(&fields.require("role")?)?;
    let table = if role == "assistant" {
        ASSISTANT_MESSAGE
    } else {
        MESSAGE
    };
    parameters::check(table, &fields, ignored)?;
    let content = content(&fields.require("content")?, ignored)?;
    let name = fields.get("name").map(|field| name(&field)).transpose()?;
    Ok(ChatMessage {
        role: role.to_owned(),
        content,
        name,
    })
}

/// `developer` is OpenAI's newer word for `system`; templates know the older one.
fn role(field: &Field<'_>) -> Result<&'static str, ApiError> {
    match field.string()? {
        "system" | "developer" => Ok("system"),
        "user" => Ok("user"),
        "assistant" => Ok("assistant"),
        "tool" | "function" => Err(field.must(
            "be `system`, `developer`, `user` or `assistant`; results of tools are not supported by this server",
        )),
        _ => Err(field.must("be `system`, `developer`, `user` or `assistant`")),
    }
}

fn content(field: &Field<'_>, ignored: &mut Ignored) -> Result<String, ApiError> {
    match field.value() {
        Json::String(_) => Ok(field.string()?.to_owned()),
        Json::Array(_) => {
            let parts = field
                .items("text parts", limits::MAX_CONTENT_PARTS)?
                .map(|part| text_part(&part, ignored))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(parts.join(PART_SEPARATOR))
        }
        other => Err(field.must(format_args!(
            "be a string or an array of text parts, but is {}",
            other.describe()
        ))),
    }
}

fn text_part<'a>(part: &Field<'a>, ignored: &mut Ignored) -> Result<&'a str, ApiError> {
    let fields = part.object()?;
    let kind = fields.require("type")?;
    match kind.string()? {
        "text" => {}
        "image_url" | "input_audio" | "file" | "refusal" => {
            return Err(
                kind.must("be `text`: this server takes no images, sounds, files or refusals")
            );
        }
        _ => return Err(kind.must("be `text`")),
    }
    parameters::check(CONTENT_PART, &fields, ignored)?;
    fields.require("text")?.string()
}

fn name(field: &Field<'_>) -> Result<String, ApiError> {
    let name = field.string()?;
    let max = limits::MAX_NAME_CHARS;
    if name.is_empty() || name.chars().count() > max {
        return Err(field.must(format_args!("have 1 to {max} characters")));
    }
    Ok(name.to_owned())
}
