//! What `ask` and `demo` need of an OpenAI-compatible server, spoken over HTTP.

mod answer;
mod question;

pub use answer::{Answer, Finding, Occurrence, Quotation, Value};
pub use question::{PromptName, Question, SentFile};

use super::sse::EventReader;
use answer::{Chunk, PartialAnswer, Progress};
use futures_util::StreamExt as _;
use question::ChatRequest;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use std::io;
use std::time::Instant;

pub struct Client {
    http: reqwest::Client,
    /// Ends in `/v1`.
    base: String,
    api_key: Option<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
