//! Messages to token ids, token ids to text. Pure: no tensors, no I/O after loading, no async.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// One chat message, as a chat template sees it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ChatMessage {
    /// As the client wrote it, checked by the API: system, developer, user or assistant.
    pub role: String,
    pub content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A file of the checkpoint cannot be used.
    #[error("{path}: {message}")]
    File {
        path: std::path::PathBuf,
        message: String,
    },
    /// The template refused the messages (`raise_exception`) or ran out of fuel.
    #[error("{0}")]
    Template(String),
    #[error("the text cannot be tokenized: {0}")]
    Tokenize(String),
}

/// Text that goes to the tokenizer, cut where a control token may stand.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardedText {
    pub pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Ordinary text in which reserved strings are recognised (the template's own words).
    Template(String),
    /// Text in which they are not (what a caller wrote).
    Literal(String),
}

pub struct Tokenizer {}

impl Tokenizer {
    /// Reads `tokenizer.json` and `tokenizer_config.json` of a checkpoint directory.
    pub fn from_dir(_dir: &Path) -> Result<Self, TextError> {
        todo!()
    }
    /// Number of ids that can be decoded.
    pub fn vocab_size(&self) -> usize {
        todo!()
    }
    pub fn token_to_id(&self, _token: &str) -> Option<u32> {
        todo!()
    }
    /// Encodes a rendered chat; adds no special tokens of its own (the template wrote them).
    pub fn encode_guarded(&self, _text: &GuardedText) -> Result<Vec<u32>, TextError> {
        todo!()
    }
    /// Encodes the prompt of a completion: template text, reserved strings are recognised,
    /// special tokens added as `transformers` does.
    pub fn encode_prompt(&self, _text: &str) -> Result<Vec<u32>, TextError> {
        todo!()
    }
    /// An incremental detokenizer; special tokens are skipped.
    pub fn detokenizer(self: &Arc<Self>) -> Detokenizer {
        todo!()
    }
}

/// Turns ids into text as they come; never emits half a character.
pub struct Detokenizer {}

impl Detokenizer {
    /// Text that became certain with this id; may be empty.
    pub fn push(&mut self, _id: u32) -> String {
        todo!()
    }
    /// What was held back, at the end (incomplete bytes become U+FFFD).
    pub fn finish(&mut self) -> String {
        todo!()
    }
}

/// Finds stop strings across deltas; holds back what may still become one.
pub struct StopStrings {}

/// What may be shown, and whether a stop string ended the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub text: String,
    pub stopped: bool,
}

impl StopStrings {
    pub fn new(_stop: Vec<String>) -> Self {
        todo!()
    }
    /// The stop string itself and what follows are never emitted.
    pub fn push(&mut self, _delta: &str) -> Scan {
        todo!()
    }
    /// What was held back, at the end.
    pub fn finish(&mut self) -> String {
        todo!()
    }
}

pub struct ChatTemplate {}

impl ChatTemplate {
    /// From `chat_template.jinja`, else `tokenizer_config.json`; `None` if neither has one.
    pub fn from_dir(_dir: &Path) -> Result<Option<Self>, TextError> {
        todo!()
    }
    /// Renders with `add_generation_prompt = true`. Nothing a caller wrote becomes a control token.
    pub fn render(
        &self,
        _tokenizer: &Tokenizer,
        _messages: &[ChatMessage],
        _clock: SystemTime,
    ) -> Result<GuardedText, TextError> {
        todo!()
    }
}
