//! The `messages` of a chat request.

use super::error::ApiError;
use super::fields::{Field, Fields};
use super::json::Json;
use super::limits;
use super::parameters::{self, ASSISTANT_MESSAGE, CONTENT_PART, Ignored, MESSAGE, TOOL_MESSAGE};
use crate::text::{ChatMessage, Content, ToolCall};
use serde_json::Value;

/// Reads `messages`; afterwards every role is one that a chat template can be given.
pub fn parse(body: &Fields<'_>, ignored: &mut Ignored) -> Result<Vec<ChatMessage>, ApiError> {
    let field = body.require("messages")?;
    let messages = field
        .items("messages", limits::MAX_MESSAGES)?
        .map(|item| message(&item, ignored))
        .collect::<Result<Vec<_>, _>>()?;
    let calls = messages.iter().flat_map(|message| &message.tool_calls);
    let len: usize = calls.map(|call| call.arguments.to_string().len()).sum();
    if len > limits::MAX_TOOL_CALLS_BYTES {
        return Err(field.must(format_args!(
            "hold calls with at most {} bytes of arguments, but holds {len}",
            limits::MAX_TOOL_CALLS_BYTES
        )));
    }
    Ok(messages)
}

fn message(item: &Field<'_>, ignored: &mut Ignored) -> Result<ChatMessage, ApiError> {
    let fields = item.object()?;
    let role = role(&fields.require("role")?)?;
    let table = match role {
        "assistant" => ASSISTANT_MESSAGE,
        "tool" => TOOL_MESSAGE,
        _ => MESSAGE,
    };
    parameters::check(table, &fields, ignored)?;
    let name = fields.get("name").map(|field| name(&field)).transpose()?;
    let tool_calls = match fields
        .get("tool_calls")
        .filter(|field| !field.is_empty_array())
    {
        Some(field) => field
            .items("calls", limits::MAX_TOOL_CALLS)?
            .map(|call| tool_call(&call, ignored))
            .collect::<Result<Vec<_>, _>>()?,
        None => Vec::new(),
    };
    // An assistant that called a function need not have said anything.
    let content = match fields.get("content") {
        None if !tool_calls.is_empty() => Content::Absent,
        _ => content(&fields.require("content")?, ignored)?,
    };
    let tool_call_id = match role {
        "tool" => Some(fields.require("tool_call_id")?.string()?.to_owned()),
        _ => None,
    };
    Ok(ChatMessage {
        role: role.to_owned(),
        content,
        name,
        reasoning: reasoning(&fields)?,
        tool_calls,
        tool_call_id,
    })
}

/// Under either of its names.
fn reasoning(fields: &Fields<'_>) -> Result<Option<String>, ApiError> {
    let field = fields
        .get("reasoning_content")
        .or_else(|| fields.get("reasoning"));
    let text = field.map(|field| field.string().map(str::to_owned));
    text.transpose()
}

fn tool_call(call: &Field<'_>, ignored: &mut Ignored) -> Result<ToolCall, ApiError> {
    let fields = call.object()?;
    // First, since calls of other tools have other properties.
    if let Some(kind) = fields.get("type")
        && kind.string()? != "function"
    {
        return Err(kind.must("be `function`: this server knows no other tools"));
    }
    parameters::check(parameters::TOOL_CALL, &fields, ignored)?;
    let function = fields.require("function")?.object()?;
    parameters::check(parameters::CALLED_FUNCTION, &function, ignored)?;
    Ok(ToolCall {
        id: fields.require("id")?.string()?.to_owned(),
        name: function.require("name")?.string()?.to_owned(),
        arguments: arguments(function.require("arguments")?.string()?),
    })
}

/// Templates write objects as the model was trained on; what is none stays as it was.
pub fn arguments(text: &str) -> Value {
    match Json::parse(text.as_bytes()) {
        Ok(object @ Json::Object(_)) => object.to_value(),
        _ => text.into(),
    }
}

/// `developer` is OpenAI's newer word for `system`; templates know the older one.
fn role(field: &Field<'_>) -> Result<&'static str, ApiError> {
    match field.string()? {
        "system" | "developer" => Ok("system"),
        "user" => Ok("user"),
        "assistant" => Ok("assistant"),
        "tool" => Ok("tool"),
        "function" => Err(field.must("be `tool`: `function` is its older form")),
        _ => Err(field.must("be `system`, `developer`, `user`, `assistant` or `tool`")),
    }
}

fn content(field: &Field<'_>, ignored: &mut Ignored) -> Result<Content, ApiError> {
    match field.value() {
        Json::String(_) => Ok(field.string()?.into()),
        Json::Array(_) => {
            let parts = field
                .items("text parts", limits::MAX_CONTENT_PARTS)?
                .map(|part| text_part(&part, ignored).map(str::to_owned))
                .collect::<Result<_, _>>()?;
            Ok(Content::Parts(parts))
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
        "image_url" | "input_audio" | "refusal" => {
            return Err(
                kind.must("be `text` or `file`: this server takes no images, sounds or refusals")
            );
        }
        // Those that may be here have become texts.
        "file" => {
            return Err(kind.must("be `text` here: files are for messages of users and systems"));
        }
        _ => return Err(kind.must("be `text` or `file`")),
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
