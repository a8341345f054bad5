//! What is asked, and the body that says it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// One chat of one message.
#[derive(Debug, Clone)]
pub struct Question {
    pub model: String,
    pub content: String,
    /// Documents beside it.
    pub files: Vec<SentFile>,
    pub prompt: Option<PromptName>,
    pub max_tokens: usize,
    /// `None`: the model's default.
    pub temperature: Option<f32>,
    /// The answer begins with a quotation of its documents.
    pub quotes: bool,
    /// A regular expression that the answer matches.
    pub form: Option<String>,
}

#[derive(Debug, Clone)]
pub struct SentFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A prompt of the server.
#[derive(Debug, Clone, Serialize)]
pub struct PromptName {
    pub id: String,
    pub variables: BTreeMap<String, String>,
}

#[derive(Serialize)]
pub(super) struct ChatRequest<'a> {
    model: &'a str,
    messages: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a PromptName>,
    max_tokens: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    citations: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_outputs: Option<serde_json::Value>,
    stream: bool,
    stream_options: serde_json::Value,
}

impl<'a> From<&'a Question> for ChatRequest<'a> {
    fn from(question: &'a Question) -> Self {
        Self {
            model: &question.model,
            messages: messages(question),
            prompt: question.prompt.as_ref(),
            max_tokens: question.max_tokens,
            temperature: question.temperature,
            citations: (question.quotes).then(|| {
                // A small model would be content with a numeral.
                json!({"mode": "verbatim", "first": true, "min_chars": 20})
            }),
            structured_outputs: (question.form.as_ref()).map(|form| json!({"regex": form})),
            stream: true,
            stream_options: json!({ "include_usage": true }),
        }
    }
}

/// One message, or none where a prompt says all.
fn messages(question: &Question) -> serde_json::Value {
    if question.files.is_empty() && question.prompt.is_none() {
        return json!([{"role": "user", "content": question.content}]);
    }
    let mut parts: Vec<_> = question
        .files
        .iter()
        .map(|file| {
            let data = BASE64_STANDARD.encode(&file.bytes);
            json!({"type": "file", "file": {"filename": file.name, "file_data": data}})
        })
        .collect();
    if !question.content.is_empty() {
        parts.push(json!({"type": "text", "text": question.content}));
    }
    match parts.is_empty() {
        true => json!([]),
        false => json!([{"role": "user", "content": parts}]),
    }
}
