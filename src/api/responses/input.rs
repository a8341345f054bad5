//! The items of a conversation, as the messages that a chat template is given.

use crate::api::error::ApiError;
use crate::api::fields::{Field, Fields};
use crate::api::json::Json;
use crate::api::limits;
use crate::api::messages;
use crate::api::parameters::{
    self, Ignored, RESPONSE_CALL, RESPONSE_CALL_OUTPUT, RESPONSE_MESSAGE, RESPONSE_PART,
    RESPONSE_REASONING, RESPONSE_REASONING_PART,
};
use crate::text::{ChatMessage, Content, ToolCall};

const KINDS: &str = "be `message`, `function_call`, `function_call_output` or `reasoning`: this server knows no other items";

/// Builds messages from items: what an assistant thought, said and called in one turn is one.
#[derive(Default)]
pub struct Conversation {
    messages: Vec<ChatMessage>,
}

impl Conversation {
    pub fn push(&mut self, role: &str, content: Content) {
        self.messages.push(ChatMessage {
            role: role.to_owned(),
            content,
            ..ChatMessage::default()
        });
    }

    /// Adds `input`: a text, or items.
    pub fn add(&mut self, input: &Field<'_>, ignored: &mut Ignored) -> Result<(), ApiError> {
        match input.value() {
            Json::String(_) => {
                let text = input.string()?.to_owned();
                self.push("user", text.into());
                Ok(())
            }
            Json::Array(_) => input
                .items("items", limits::MAX_MESSAGES)?
                .try_for_each(|item| self.item(&item, ignored)),
            other => Err(input.must(format_args!(
                "be a string or an array of items, but is {}",
                other.describe()
            ))),
        }
    }

    pub fn finish(self, field: &Field<'_>) -> Result<Vec<ChatMessage>, ApiError> {
        if self.messages.len() > limits::MAX_MESSAGES {
            return Err(field.must(format_args!(
                "continue a conversation of at most {} messages, but with it there are {}",
                limits::MAX_MESSAGES,
                self.messages.len()
            )));
        }
        Ok(self.messages)
    }

    fn item(&mut self, item: &Field<'_>, ignored: &mut Ignored) -> Result<(), ApiError> {
        let fields = item.object()?;
        let kind = fields.get("type");
        let name = kind.as_ref().map(|field| field.string()).transpose()?;
        match (name, &kind) {
            (None | Some("message"), _) => self.message(&fields, ignored),
            (Some("function_call"), _) => self.call(&fields, ignored),
            (Some("function_call_output"), _) => self.call_output(&fields, ignored),
            (Some("reasoning"), _) => self.reasoning(&fields, ignored),
            (Some(_), Some(field)) => Err(field.must(KINDS)),
            (Some(_), None) => Err(item.must(KINDS)),
        }
    }

    fn message(&mut self, fields: &Fields<'_>, ignored: &mut Ignored) -> Result<(), ApiError> {
        if let (Some(id), None, None) = (fields.get("id"), fields.get("type"), fields.get("role")) {
            return Err(
                id.must("not stand alone: this server has no items to refer to, send it whole")
            );
        }
        parameters::check(RESPONSE_MESSAGE, fields, ignored)?;
        let role = fields.require("role")?;
        let role = match role.string()? {
            "system" | "developer" => "system",
            "user" => "user",
            "assistant" => "assistant",
            _ => return Err(role.must("be `user`, `assistant`, `system` or `developer`")),
        };
        let content = content(&fields.require("content")?, ignored)?;
        match self.messages.last_mut() {
            // What was thought before it belongs to it.
            Some(last) if role == "assistant" && is_thought_alone(last) => last.content = content,
            _ => self.push(role, content),
        }
        Ok(())
    }

    fn call(&mut self, fields: &Fields<'_>, ignored: &mut Ignored) -> Result<(), ApiError> {
        parameters::check(RESPONSE_CALL, fields, ignored)?;
        let call = ToolCall {
            id: fields.require("call_id")?.string()?.to_owned(),
            name: fields.require("name")?.string()?.to_owned(),
            arguments: messages::arguments(fields.require("arguments")?.string()?),
        };
        if self
            .messages
            .last()
            .is_none_or(|last| last.role != "assistant")
        {
            self.push("assistant", Content::Absent);
        }
        if let Some(last) = self.messages.last_mut() {
            last.tool_calls.push(call);
        }
        Ok(())
    }

    fn call_output(&mut self, fields: &Fields<'_>, ignored: &mut Ignored) -> Result<(), ApiError> {
        parameters::check(RESPONSE_CALL_OUTPUT, fields, ignored)?;
        let id = fields.require("call_id")?.string()?.to_owned();
        let content = content(&fields.require("output")?, ignored)?;
        self.messages.push(ChatMessage {
            role: "tool".to_owned(),
            content,
            tool_call_id: Some(id),
            ..ChatMessage::default()
        });
        Ok(())
    }

    fn reasoning(&mut self, fields: &Fields<'_>, ignored: &mut Ignored) -> Result<(), ApiError> {
        parameters::check(RESPONSE_REASONING, fields, ignored)?;
        let mut texts = Vec::new();
        for (name, part_kind) in [("content", "reasoning_text"), ("summary", "summary_text")] {
            let Some(field) = fields.get(name).filter(|field| !field.is_empty_array()) else {
                continue;
            };
            for part in field.items("parts", limits::MAX_CONTENT_PARTS)? {
                let part = part.object()?;
                let kind = part.require("type")?;
                if kind.string()? != part_kind {
                    return Err(kind.must(format_args!("be `{part_kind}`")));
                }
                parameters::check(RESPONSE_REASONING_PART, &part, ignored)?;
                texts.push(part.require("text")?.string()?.to_owned());
            }
            // A summary says again what the content says.
            break;
        }
        if !texts.is_empty() {
            self.push("assistant", Content::Absent);
            if let Some(last) = self.messages.last_mut() {
                last.reasoning = Some(texts.join("\n"));
            }
        }
        Ok(())
    }
}

fn is_thought_alone(message: &ChatMessage) -> bool {
    message.reasoning.is_some() && message.content.is_empty() && message.tool_calls.is_empty()
}

/// A string, or text parts.
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
        "input_text" | "output_text" | "text" => {}
        "input_image" | "input_audio" | "refusal" => {
            return Err(kind.must(
                "be `input_text`, `input_file` or `output_text`: this server takes no images, sounds or refusals",
            ));
        }
        _ => return Err(kind.must("be `input_text`, `input_file` or `output_text`")),
    }
    parameters::check(RESPONSE_PART, &fields, ignored)?;
    fields.require("text")?.string()
}
