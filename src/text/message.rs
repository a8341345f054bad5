use super::Content;
use serde_json::{Map, Value};

/// One chat message, as a chat template sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatMessage {
    /// As the client wrote it, checked by the API: system, user, assistant or tool.
    pub role: String,
    pub content: Content,
    pub name: Option<String>,
    /// What an assistant thought before it wrote this.
    pub reasoning: Option<String>,
    /// The functions that an assistant called.
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool's message is the result of.
    pub tool_call_id: Option<String>,
}

/// A call of a function in an earlier answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// An object; or the text of what is none, as a model wrote it.
    pub arguments: Value,
}

/// What a chat template makes a prompt of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatPrompt {
    pub messages: Vec<ChatMessage>,
    /// The functions that may be called, as the client defined them.
    pub tools: Vec<Value>,
    /// What else the template takes, by name.
    pub arguments: Map<String, Value>,
    pub ending: Ending,
    /// The name of the template, where the model has several and the client chooses.
    pub template: Option<String>,
}

/// How a prompt ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// With the beginning of an answer.
    #[default]
    Answer,
    /// With the last message.
    Message,
    /// In the last message, which goes on.
    Open,
}

impl ChatMessage {
    /// As the mapping that `transformers` (5.23) passes: what is absent is no key, and reasoning
    /// stands under both of the names that templates read it by. `content` is what they find
    /// under that name.
    pub(super) fn to_value(&self, content: Option<Value>) -> Value {
        let mut value = Map::new();
        let mut insert = |name: &str, field: Value| {
            value.insert(name.to_owned(), field);
        };
        if let Some(reasoning) = &self.reasoning {
            insert("thinking", reasoning.as_str().into());
        }
        insert("role", self.role.as_str().into());
        if let Some(content) = content {
            insert("content", content);
        }
        if let Some(name) = &self.name {
            insert("name", name.as_str().into());
        }
        if let Some(reasoning) = &self.reasoning {
            insert("reasoning_content", reasoning.as_str().into());
        }
        if !self.tool_calls.is_empty() {
            insert(
                "tool_calls",
                self.tool_calls.iter().map(ToolCall::to_value).collect(),
            );
        }
        if let Some(id) = &self.tool_call_id {
            insert("tool_call_id", id.as_str().into());
        }
        Value::Object(value)
    }
}

impl ToolCall {
    fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        })
    }
}
