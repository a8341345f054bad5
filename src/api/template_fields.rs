//! What a chat template takes beside messages and tools.

use super::error::ApiError;
use super::fields::{Field, Fields};
use super::limits;
use super::parameters::{EFFORTS, Ignored};
use super::state::Served;
use crate::text::{ChatMessage, Ending};
use serde_json::{Map, Value};

/// What a template is given by us.
const OURS: [&str; 6] = [
    "messages",
    "tools",
    "documents",
    "add_generation_prompt",
    "continue_final_message",
    "strftime_now",
];

const DOCUMENTS: &str = "documents";

/// The variables of templates that think, or do not.
pub const EFFORT: &str = "reasoning_effort";
const ENABLE_THINKING: &str = "enable_thinking";
const THINKING: &str = "thinking";

/// How the prompt of `messages` ends.
pub fn ending(body: &Fields<'_>, messages: &[ChatMessage]) -> Result<Ending, ApiError> {
    let begins = body.flag("add_generation_prompt")?;
    let goes_on = body.flag("continue_final_message")?;
    let (Some(field), Some(true)) = (body.get("continue_final_message"), goes_on) else {
        return Ok(match begins {
            Some(false) => Ending::Message,
            _ => Ending::Answer,
        });
    };
    if begins == Some(true) {
        return Err(field.must("be left out beside `add_generation_prompt`"));
    }
    match messages.last() {
        Some(last)
            if last.role == "assistant"
                && !last.content.text().trim().is_empty()
                // The calls would stand behind the text, and be cut off.
                && last.tool_calls.is_empty() =>
        {
            Ok(Ending::Open)
        }
        _ => Err(field.must(
            "be left out unless the last message is the assistant's, says something and calls no function",
        )),
    }
}

/// `chat_template`: the name of one that the model has.
pub fn chosen(body: &Fields<'_>, served: &Served) -> Result<Option<String>, ApiError> {
    let Some(field) = body.get("chat_template") else {
        return Ok(None);
    };
    let name = field.string()?;
    let template = served.model.chat_template.as_ref();
    let names: Vec<_> = template.iter().flat_map(|one| one.names()).collect();
    if names.contains(&name) {
        return Ok(Some(name.to_owned()));
    }
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    Err(match &*names {
        [] => field.must("be left out: this model has no chat template"),
        names => field.must(format_args!(
            "name a template of this model ({}): it was trained with no other",
            names.join(", ")
        )),
    })
}

/// The source of the template that a prompt is made with.
pub fn source<'a>(served: &'a Served, chosen: Option<&str>, has_tools: bool) -> &'a str {
    let template = served.model.chat_template.as_ref();
    template.map_or("", |template| template.source_for(chosen, has_tools))
}

/// `chat_template_kwargs` and `effort`, which a chat calls `reasoning_effort`. What the template
/// makes nothing of is listed as ignored, or refused where it asks for more than an answer.
pub fn parse(
    body: &Fields<'_>,
    effort: Option<&Field<'_>>,
    source: &str,
    ignored: &mut Ignored,
) -> Result<Map<String, Value>, ApiError> {
    let mut arguments = Map::new();
    if let Some(field) = body.get("chat_template_kwargs") {
        let entries = field.object()?;
        let count = entries.entries().count();
        if count > limits::MAX_TEMPLATE_KWARGS {
            return Err(field.must(format_args!(
                "hold at most {} variables, but holds {count}",
                limits::MAX_TEMPLATE_KWARGS
            )));
        }
        for (name, field) in entries.entries() {
            if OURS.contains(&name) || name.ends_with("_token") {
                return Err(field.must("be left out: the server sets it"));
            }
            if !source.contains(name) {
                ignored.add(field.path(), "chat_template_kwargs")?;
            }
            arguments.insert(name.to_owned(), field.value().to_value());
        }
    }
    if let Some(field) = body.get(DOCUMENTS).filter(|field| !field.is_empty_array()) {
        if !source.contains(DOCUMENTS) {
            return Err(field.must("be left out: this model's chat template knows no documents"));
        }
        let documents = field
            .items("documents", limits::MAX_DOCUMENTS)?
            .map(|document| {
                document.object()?;
                Ok(document.value().to_value())
            })
            .collect::<Result<Value, ApiError>>()?;
        arguments.insert(DOCUMENTS.to_owned(), documents);
    }
    let Some(field) = effort else {
        return Ok(arguments);
    };
    let effort = field.string()?;
    if !EFFORTS.contains(&effort) {
        return Err(field.must(format_args!("be one of {}", EFFORTS.join(", "))));
    }
    let thinks = effort != "none";
    let switch = [ENABLE_THINKING, THINKING]
        .into_iter()
        .find(|name| source.contains(name));
    let (name, value) = if source.contains(EFFORT) {
        (EFFORT, Value::from(effort))
    } else if let Some(switch) = switch {
        (switch, Value::from(thinks))
    } else if thinks {
        return Err(field.must("be `none`: this model's chat template knows no reasoning"));
    } else {
        return Ok(arguments);
    };
    if arguments.contains_key(name) {
        return Err(field.must(format_args!(
            "be left out beside `chat_template_kwargs.{name}`"
        )));
    }
    arguments.insert(name.to_owned(), value);
    Ok(arguments)
}
