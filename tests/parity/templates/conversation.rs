//! Conversations, and what `transformers` makes of them.

use guichet::text::{ChatMessage, ChatPrompt, Content, Ending, ToolCall};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversation {
    pub name: String,
    pub messages: Vec<Message>,
    /// Definitions; in the fixture the names of some that stand there once.
    #[serde(default)]
    pub tools: Vec<Value>,
    /// Variables of the template.
    #[serde(default)]
    arguments: Map<String, Value>,
    #[serde(default)]
    ending: End,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    role: String,
    pub content: Option<Said>,
    pub name: Option<String>,
    pub reasoning_content: Option<String>,
    #[serde(default)]
    pub tool_calls: Vec<Call>,
    tool_call_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Said {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Clone, Deserialize)]
pub struct Part {
    pub text: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    id: String,
    pub function: Function,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Function {
    pub name: String,
    pub arguments: Value,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum End {
    #[default]
    Answer,
    Message,
    Open,
}

/// What `transformers` makes of a conversation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    Text(String),
    /// The template raises an exception with these words.
    Refuses(String),
    /// The template raises one for want of something, such as a content.
    Fails(serde::de::IgnoredAny),
}

/// A template that may be passed on.
#[derive(Deserialize)]
pub struct Family {
    #[serde(skip)]
    pub name: String,
    /// As its tokenizer_config.json holds it: the template and special tokens.
    pub config: Map<String, Value>,
    /// By the names of the conversations.
    pub expected: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Written {
    clock: u64,
    conversations: Vec<Conversation>,
    tools: Map<String, Value>,
}

pub struct Fixture {
    /// Unix seconds.
    pub clock: u64,
    pub conversations: Vec<Conversation>,
}

const DIR: &str = "tests/fixtures/templates";
const CONVERSATIONS: &str = "conversations";

pub fn fixture() -> Fixture {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(DIR);
    let text = std::fs::read(dir.join(CONVERSATIONS).with_extension("json")).unwrap();
    let written: Written = serde_json::from_slice(&text).unwrap();
    let mut conversations = written.conversations;
    for tool in conversations.iter_mut().flat_map(|one| &mut one.tools) {
        let name = tool.as_str().expect("a tool is named");
        *tool = written.tools[name].clone();
    }
    Fixture {
        clock: written.clock,
        conversations,
    }
}

/// All that are committed.
pub fn families() -> Vec<Family> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(DIR);
    let files = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path());
    let is_family = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|kind| kind == "json")
            && path.file_stem().is_some_and(|name| name != CONVERSATIONS)
    };
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let family = serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        Family { name, ..family }
    };
    files.filter(is_family).map(read).collect()
}

impl Conversation {
    pub fn prompt(&self) -> ChatPrompt {
        ChatPrompt {
            messages: self.messages.iter().map(Message::to_chat).collect(),
            tools: self.tools.clone(),
            arguments: self.arguments.clone(),
            ending: match self.ending {
                End::Answer => Ending::Answer,
                End::Message => Ending::Message,
                End::Open => Ending::Open,
            },
            template: None,
        }
    }
}

impl Message {
    fn to_chat(&self) -> ChatMessage {
        let call = |call: &Call| ToolCall {
            id: call.id.clone(),
            name: call.function.name.clone(),
            arguments: call.function.arguments.clone(),
        };
        ChatMessage {
            role: self.role.clone(),
            content: match &self.content {
                None => Content::Absent,
                Some(Said::Text(text)) => text.as_str().into(),
                Some(Said::Parts(parts)) => {
                    Content::Parts(parts.iter().map(|part| part.text.clone()).collect())
                }
            },
            name: self.name.clone(),
            reasoning: self.reasoning_content.clone(),
            tool_calls: self.tool_calls.iter().map(call).collect(),
            tool_call_id: self.tool_call_id.clone(),
        }
    }
}

impl Expected {
    /// `rendered`: by us. A template that fails there may render here, since what it lacks may be
    /// given to it otherwise; nothing is compared then.
    pub fn compare(&self, rendered: Result<String, String>) -> Result<(), String> {
        match (self, rendered) {
            (Self::Text(expected), Ok(text)) if *expected == text => Ok(()),
            (Self::Text(expected), Ok(text)) => Err(difference(expected, &text)),
            (Self::Refuses(expected), Err(error)) if *expected == error => Ok(()),
            (Self::Fails(_), _) => Ok(()),
            (expected, rendered) => Err(format!("{expected:?} but {rendered:?}")),
        }
    }
}

/// Where two texts part, with what stands around.
fn difference(expected: &str, text: &str) -> String {
    let same = expected.chars().zip(text.chars());
    let same = same.take_while(|(a, b)| a == b).count();
    let around = |text: &str| -> String {
        text.chars()
            .skip(same.saturating_sub(40))
            .take(120)
            .collect()
    };
    format!(
        "differ from character {same} on:\n{:?} expected,\n{:?} is",
        around(expected),
        around(text)
    )
}
