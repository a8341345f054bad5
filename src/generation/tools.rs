use super::grammar::{CallForm, Function};
use super::transcript::{Dialect, Signatures, ToolFormat};
use crate::text::{ChatMessage, ChatPrompt};
use serde_json::Value;
use std::sync::Arc;

/// What a chat is asked with, beside the parameters of every generation.
#[derive(Debug, Clone, Default)]
pub struct ChatInput {
    /// Its tools are those that may be called.
    pub prompt: ChatPrompt,
    /// There if any may be.
    pub tools: Option<Tools>,
}

/// The functions of a chat.
#[derive(Debug, Clone, PartialEq)]
pub struct Tools {
    pub functions: Vec<Function>,
    pub choice: ToolChoice,
    /// Whether one answer may call several.
    pub parallel: bool,
}

/// Who decides whether a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model.
    Auto,
    /// One of the functions must be.
    Required,
}

impl Tools {
    /// How calls are read and written here: as the model is used to, but for what the form of
    /// its arguments does not let be enforced.
    pub(super) fn dialect(&self, dialect: &Dialect) -> Dialect {
        match dialect.tools() {
            ToolFormat::Gemma | ToolFormat::FunctionTags | ToolFormat::Generic
                if self.is_enforced() =>
            {
                dialect.with(ToolFormat::Hermes)
            }
            _ => dialect.clone(),
        }
    }

    /// The form that the answer must have, if any.
    pub fn form(&self, dialect: &Dialect) -> Option<CallForm> {
        self.is_enforced().then(|| CallForm {
            dialect: self.dialect(dialect),
            functions: self.functions.clone(),
            required: self.choice == ToolChoice::Required,
            parallel: self.parallel,
        })
    }

    pub(super) fn signatures(&self) -> Arc<Signatures> {
        let functions = self.functions.iter();
        Arc::new(
            functions
                .map(|function| (function.name.clone(), function.parameters.clone()))
                .collect(),
        )
    }

    pub(super) fn is_enforced(&self) -> bool {
        self.choice == ToolChoice::Required || self.functions.iter().any(|f| f.strict)
    }
}

/// A prompt for a template that knows no tools: they are explained in the system message, and
/// what was called, and what came back, is written out.
pub(super) fn explained(prompt: &ChatPrompt) -> ChatPrompt {
    let mut messages: Vec<ChatMessage> = prompt.messages.iter().map(written_out).collect();
    if !prompt.tools.is_empty() {
        let explanation = explanation(&prompt.tools);
        match messages.first_mut().filter(|first| first.role == "system") {
            Some(system) => system.content.push_str(&format!("\n\n{explanation}")),
            None => messages.insert(
                0,
                ChatMessage {
                    role: "system".to_owned(),
                    content: explanation.into(),
                    ..ChatMessage::default()
                },
            ),
        }
    }
    ChatPrompt {
        messages,
        tools: Vec::new(),
        ..prompt.clone()
    }
}

fn explanation(tools: &[Value]) -> String {
    let tools: Vec<String> = tools.iter().map(Value::to_string).collect();
    format!(
        "Functions that can be called:\n<tools>\n{}\n</tools>\n\n\
         To call one, write nothing but\n\
         <tool_call>\n{{\"name\": \"...\", \"arguments\": {{...}}}}\n</tool_call>\n\
         Its result comes in the next message.",
        tools.join("\n")
    )
}

fn written_out(message: &ChatMessage) -> ChatMessage {
    if message.role == "tool" {
        return ChatMessage {
            role: "user".to_owned(),
            content: format!(
                "<tool_response>\n{}\n</tool_response>",
                message.content.text()
            )
            .into(),
            ..ChatMessage::default()
        };
    }
    let mut content = message.content.text().into_owned();
    for call in &message.tool_calls {
        if !content.is_empty() {
            content.push('\n');
        }
        let call = serde_json::json!({"name": call.name, "arguments": call.arguments});
        content.push_str(&format!("<tool_call>\n{call}\n</tool_call>"));
    }
    ChatMessage {
        content: content.into(),
        tool_calls: Vec::new(),
        ..message.clone()
    }
}
