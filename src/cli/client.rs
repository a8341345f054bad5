//! What `ask` and `demo` need of an OpenAI-compatible server, spoken over HTTP.

use super::sse::EventReader;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt as _;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

pub struct Client {
    http: reqwest::Client,
    /// Ends in `/v1`.
    base: String,
    api_key: Option<String>,
}

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

/// What a stream tells.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// Steps in which long documents are read.
    Progress {
        done: u64,
        total: u64,
    },
    Text(&'a str),
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

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub text: String,
    pub quotations: Vec<Quotation>,
    /// What the answer says otherwise than the documents.
    pub findings: Vec<Finding>,
    /// What the documents hold and the model was not given, a line each.
    pub left_out: Vec<String>,
    pub finish_reason: String,
    pub num_prompt_tokens: usize,
    pub num_completion_tokens: usize,
    pub time_to_first_token: Duration,
    /// From the first token to the end.
    pub time_of_the_rest: Duration,
}

/// Words of a document in an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Quotation {
    pub name: String,
    /// In the answer, in code points.
    pub start_index: usize,
    pub end_index: usize,
    pub occurrences: Vec<Occurrence>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Occurrence {
    pub page: u32,
    pub start_byte: usize,
    pub end_byte: usize,
}

/// A value that an answer and its documents do not agree on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Finding {
    pub kind: String,
    pub status: String,
    pub answer: Option<Value>,
    pub source: Option<Value>,
}

/// As it stands in a text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Value {
    pub text: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{url} cannot be reached: {cause}")]
    Unreachable { url: String, cause: String },
    /// The server's own words.
    #[error("{message}")]
    Refused { status: StatusCode, message: String },
    #[error("the server broke the answer off: {0}")]
    BrokenOff(String),
    #[error("{url} does not answer as an OpenAI-compatible server does: {cause}")]
    NotUnderstood { url: String, cause: String },
    /// Whoever read the answer went away.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl Answer {
    /// Tokens a second after the first; `None` for an answer of one token.
    pub fn tokens_per_second(&self) -> Option<f64> {
        let rest = self
            .num_completion_tokens
            .checked_sub(1)
            .filter(|&n| n > 0)?;
        Some(rest as f64 / self.time_of_the_rest.as_secs_f64().max(1e-9))
    }
}

impl Client {
    /// `url` is the server's address, with or without the `/v1`.
    pub fn new(url: &str, api_key: Option<String>) -> Self {
        let root = url.trim_end_matches('/');
        let root = root.strip_suffix("/v1").unwrap_or(root);
        Self {
            http: reqwest::Client::new(),
            base: format!("{root}/v1"),
            api_key,
        }
    }

    /// For a server of this process: whatever proxy is configured has no part in it.
    pub fn for_loopback(url: &str) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.map_err(|e| ClientError::Unreachable {
            url: url.to_owned(),
            cause: reason(&e),
        })?;
        Ok(Self {
            http,
            ..Self::new(url, None)
        })
    }

    /// The id of the first model that the server lists.
    pub async fn first_model(&self) -> Result<String, ClientError> {
        let response = self
            .send(self.http.get(format!("{}/models", self.base)))
            .await?;
        let body = response
            .bytes()
            .await
            .map_err(|e| ClientError::BrokenOff(reason(&e)))?;
        let models: ModelList = self.parse(&body)?;
        let first = models.data.into_iter().next();
        first
            .map(|model| model.id)
            .ok_or_else(|| self.not_understood("it lists no model"))
    }

    /// Asks, and hands over what is told as it comes.
    pub async fn ask(
        &self,
        question: &Question,
        mut on_told: impl FnMut(Told<'_>) -> io::Result<()>,
    ) -> Result<Answer, ClientError> {
        let started = Instant::now();
        let request = self.http.post(format!("{}/chat/completions", self.base));
        let response = self
            .send(request.json(&ChatRequest::from(question)))
            .await?;
        let (mut bytes, mut events) = (response.bytes_stream(), EventReader::default());
        let mut answer = PartialAnswer::default();
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(|e| ClientError::BrokenOff(reason(&e)))?;
            for event in events.push(&piece) {
                if event == b"[DONE]" {
                    return answer
                        .finish(started)
                        .ok_or_else(|| self.not_understood("it counted no tokens"));
                }
                let chunk: Chunk = self.parse(&event)?;
                if let Some(Progress { done, total }) = chunk.progress {
                    on_told(Told::Progress { done, total })?;
                }
                if let Some(text) = answer.add(chunk)? {
                    on_told(Told::Text(&text))?;
                }
            }
        }
        Err(ClientError::BrokenOff(
            "the connection ended before the answer did".to_owned(),
        ))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let request = match &self.api_key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let response = request.send().await;
        let response = response.map_err(|e| ClientError::Unreachable {
            url: self.base.clone(),
            cause: reason(&e),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.unwrap_or_default();
        let message = match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => body.error.message,
            Err(_) => format!("{} answered with status {status}", self.base),
        };
        Err(ClientError::Refused { status, message })
    }

    fn parse<'a, T: Deserialize<'a>>(&self, json: &'a [u8]) -> Result<T, ClientError> {
        serde_json::from_slice(json).map_err(|e| self.not_understood(&e.to_string()))
    }

    fn not_understood(&self, cause: &str) -> ClientError {
        ClientError::NotUnderstood {
            url: self.base.clone(),
            cause: cause.to_owned(),
        }
    }
}

/// The innermost cause: the outer ones repeat the address.
pub fn reason(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[derive(Serialize)]
struct ChatRequest<'a> {
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

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    message: String,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<ErrorDetail>,
    #[serde(default)]
    documents: Vec<DocumentTold>,
    progress: Option<Progress>,
}

#[derive(Deserialize)]
struct Progress {
    done: u64,
    total: u64,
}

#[derive(Deserialize)]
struct Checks {
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct DocumentTold {
    name: String,
    left_out: Vec<LeftOut>,
}

#[derive(Deserialize)]
struct LeftOut {
    page: Option<u32>,
    note: String,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
    checks: Option<Checks>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    #[serde(default)]
    annotations: Vec<Quotation>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: usize,
    completion_tokens: usize,
}

#[derive(Default)]
struct PartialAnswer {
    text: String,
    quotations: Vec<Quotation>,
    findings: Vec<Finding>,
    left_out: Vec<String>,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    first: Option<Instant>,
}

impl PartialAnswer {
    /// The text that the chunk adds, if any.
    fn add(&mut self, chunk: Chunk) -> Result<Option<String>, ClientError> {
        if let Some(error) = chunk.error {
            return Err(ClientError::BrokenOff(error.message));
        }
        for document in chunk.documents {
            self.left_out
                .extend(document.left_out.into_iter().map(|left_out| {
                    let page = left_out.page.map(|page| format!(", page {page}"));
                    let page = page.unwrap_or_default();
                    format!("{}{page}: {}", document.name, left_out.note)
                }));
        }
        self.usage = chunk.usage.or(self.usage.take());
        let Some(choice) = chunk.choices.into_iter().next() else {
            return Ok(None);
        };
        self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        self.quotations.extend(choice.delta.annotations);
        self.findings
            .extend(choice.checks.into_iter().flat_map(|checks| checks.findings));
        let text = choice.delta.content.filter(|text| !text.is_empty());
        if let Some(text) = &text {
            self.first.get_or_insert_with(Instant::now);
            self.text.push_str(text);
        }
        Ok(text)
    }

    fn finish(self, started: Instant) -> Option<Answer> {
        let usage = self.usage?;
        let first = self.first.unwrap_or_else(Instant::now);
        Some(Answer {
            text: self.text,
            quotations: self.quotations,
            findings: self.findings,
            left_out: self.left_out,
            finish_reason: self.finish_reason.unwrap_or_default(),
            num_prompt_tokens: usage.prompt_tokens,
            num_completion_tokens: usage.completion_tokens,
            time_to_first_token: first - started,
            time_of_the_rest: first.elapsed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(json: serde_json::Value) -> Chunk {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_address_may_end_in_v1_or_a_slash() {
        for url in [
            "http://h:1",
            "http://h:1/",
            "http://h:1/v1",
            "http://h:1/v1/",
        ] {
            assert_eq!(Client::new(url, None).base, "http://h:1/v1");
        }
    }

    #[test]
    fn the_pieces_of_a_stream_join_to_the_answer() {
        let mut answer = PartialAnswer::default();
        let choices = |delta: serde_json::Value, reason: Option<&str>| {
            chunk(
                json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": null}),
            )
        };
        assert_eq!(
            answer
                .add(choices(json!({"role": "assistant", "content": ""}), None))
                .unwrap(),
            None
        );
        assert_eq!(
            answer
                .add(choices(json!({"content": "Bon"}), None))
                .unwrap()
                .as_deref(),
            Some("Bon")
        );
        assert_eq!(
            answer
                .add(choices(json!({"content": "jour"}), None))
                .unwrap()
                .as_deref(),
            Some("jour")
        );
        assert_eq!(answer.add(choices(json!({}), Some("stop"))).unwrap(), None);
        let usage = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}});
        assert_eq!(answer.add(chunk(usage)).unwrap(), None);
        let answer = answer.finish(Instant::now()).unwrap();
        assert_eq!(
            (answer.text.as_str(), answer.finish_reason.as_str()),
            ("Bonjour", "stop")
        );
        assert_eq!(
            (answer.num_prompt_tokens, answer.num_completion_tokens),
            (7, 3)
        );
    }

    #[test]
    fn an_error_in_the_stream_ends_the_answer_with_the_servers_words() {
        let error =
            chunk(json!({"error": {"message": "the engine has stopped", "type": "server_error"}}));
        let error = PartialAnswer::default().add(error).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server broke the answer off: the engine has stopped"
        );
    }
}
