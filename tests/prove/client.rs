//! Asks the server as clients do, streamed or plain, and measures when what arrived.

use crate::raw_json::{items, raw};
use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// No request of a proof may take longer, whatever the server does with it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(150);

pub const CHAT: &str = "/v1/chat/completions";

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    Answered(Box<Answer>),
    /// Any status but 200.
    Refused(Refusal),
    /// It was admitted, and its answer did not come to its end.
    Lost(String),
    /// Not even a status came back.
    NoStatus(String),
}

/// An answer that came to its end: each choice has a finish reason, and a stream its `[DONE]`.
#[derive(Debug)]
pub struct Answer {
    pub choices: Vec<Choice>,
    pub usage: Usage,
    /// From the request to the first text; the whole time of a plain answer.
    pub first_token: f64,
    /// Seconds between pieces of text.
    pub gaps: Vec<f64>,
    pub ended: Instant,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct Choice {
    pub text: String,
    pub finish_reason: String,
    /// The entries of `logprobs.content` with the digits that were sent.
    pub logprobs: Vec<String>,
}

#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    /// Seconds to the status.
    pub after: f64,
    pub retry_after: Option<u64>,
    pub body: String,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Usage {
    pub prompt_tokens: usize,
    pub completion_tokens: usize,
    prompt_tokens_details: Option<PromptTokensDetails>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct PromptTokensDetails {
    cached_tokens: Option<usize>,
}

impl Usage {
    pub fn cached_tokens(&self) -> Option<usize> {
        self.prompt_tokens_details?.cached_tokens
    }
}

impl Answer {
    /// The text of the only choice.
    pub fn text(&self) -> &str {
        &self.choices[0].text
    }
}

impl Refusal {
    /// 503, with the time after which it is worth asking again.
    pub fn is_overload(&self) -> bool {
        self.status == 503 && self.retry_after.is_some_and(|seconds| seconds >= 1)
    }
}

impl Client {
    pub fn new(base: String, key: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .timeout(REQUEST_TIMEOUT)
            .build()
            .unwrap();
        Self {
            http,
            base,
            key: key.to_owned(),
        }
    }

    /// Status and body.
    pub async fn get(&self, path: &str) -> Result<(u16, String), reqwest::Error> {
        let response = self.send(self.http.get(self.url(path))).await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Sends a chat, streamed if it says so, and reads it to its end.
    pub async fn chat(&self, body: &Value) -> Outcome {
        self.post(CHAT, body).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Outcome {
        let asked = Instant::now();
        let response = match self.send(self.http.post(self.url(path)).json(body)).await {
            Ok(response) => response,
            Err(error) => return Outcome::NoStatus(format!("{error:?}")),
        };
        let status = response.status().as_u16();
        if status != 200 {
            return refused(response, status, asked).await;
        }
        let mut reading = Reading::new(asked, body);
        let end = if body["stream"] == true {
            reading.stream(response).await
        } else {
            reading.plain(response).await
        };
        match end.and_then(|()| reading.finish()) {
            Ok(answer) => Outcome::Answered(Box::new(answer)),
            Err(why) => Outcome::Lost(why),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, reqwest::Error> {
        request.bearer_auth(&self.key).send().await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl Outcome {
    /// For requests that must be answered.
    pub fn answer(self) -> Answer {
        match self {
            Self::Answered(answer) => *answer,
            other => panic!("{}", other.describe()),
        }
    }

    /// For figures and failures.
    pub fn describe(&self) -> String {
        match self {
            Self::Answered(answer) => format!("answered: {:?}", answer.choices),
            Self::Refused(Refusal {
                status,
                retry_after,
                body,
                ..
            }) => format!("{status}, Retry-After {retry_after:?}: {body}"),
            Self::Lost(why) => format!("admitted and lost: {why}"),
            Self::NoStatus(why) => format!("no status: {why}"),
        }
    }
}

async fn refused(response: Response, status: u16, asked: Instant) -> Outcome {
    let after = asked.elapsed().as_secs_f64();
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    // The status says enough where the body does not arrive.
    let body = response.text().await.unwrap_or_default();
    Outcome::Refused(Refusal {
        status,
        after,
        retry_after,
        body,
    })
}

/// An answer on its way.
struct Reading {
    asked: Instant,
    choices: Vec<Choice>,
    usage: Option<Usage>,
    first: Option<Instant>,
    last: Option<Instant>,
    gaps: Vec<f64>,
    wants_logprobs: bool,
}

#[derive(Deserialize)]
struct Body {
    choices: Vec<BodyChoice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct BodyChoice {
    index: usize,
    /// `delta` in a stream.
    #[serde(alias = "delta")]
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl Reading {
    fn new(asked: Instant, body: &Value) -> Self {
        let num_choices = body["n"].as_u64().unwrap_or(1) as usize;
        Self {
            asked,
            choices: vec![Choice::default(); num_choices],
            usage: None,
            first: None,
            last: None,
            gaps: Vec::new(),
            wants_logprobs: body["logprobs"] == true,
        }
    }

    async fn plain(&mut self, response: Response) -> Result<(), String> {
        let body = response.text().await.map_err(|e| format!("{e:?}"))?;
        self.add(&body)
    }

    async fn stream(&mut self, mut response: Response) -> Result<(), String> {
        let mut events = Events::default();
        while let Some(bytes) = response.chunk().await.map_err(|e| format!("{e:?}"))? {
            for event in events.push(&bytes) {
                if event == "[DONE]" {
                    return Ok(());
                }
                self.add(&event)?;
            }
        }
        Err("the stream ended without [DONE]".to_owned())
    }

    fn add(&mut self, json: &str) -> Result<(), String> {
        let body: Body = serde_json::from_str(json).map_err(|e| format!("{e}: {json}"))?;
        self.usage = body.usage.or(self.usage);
        for (at, piece) in body.choices.into_iter().enumerate() {
            let choice = self.choices.get_mut(piece.index).ok_or("a strange index")?;
            let text = piece.message.content.unwrap_or_default();
            // Only one choice is timed: what lies between two of them says nothing.
            if piece.index == 0 && (!text.is_empty() || piece.finish_reason.is_some()) {
                let now = Instant::now();
                self.first.get_or_insert(now);
                let last = self.last.replace(now).filter(|_| !text.is_empty());
                self.gaps
                    .extend(last.map(|last| (now - last).as_secs_f64()));
            }
            choice.text.push_str(&text);
            if let Some(reason) = piece.finish_reason {
                choice.finish_reason = reason;
            }
            if self.wants_logprobs {
                let path = format!("choices.{at}.logprobs.content");
                let entries = raw(json, &path).map(items).unwrap_or_default();
                choice
                    .logprobs
                    .extend(entries.into_iter().map(str::to_owned));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Answer, String> {
        if self
            .choices
            .iter()
            .any(|choice| choice.finish_reason.is_empty())
        {
            return Err("a choice has no finish reason".to_owned());
        }
        Ok(Answer {
            choices: self.choices,
            usage: self.usage.ok_or("no usage was sent")?,
            first_token: (self.first.ok_or("no choice was sent")? - self.asked).as_secs_f64(),
            gaps: self.gaps,
            ended: Instant::now(),
        })
    }
}

/// Server-sent events of one line each, which is all that the API sends.
#[derive(Default)]
struct Events {
    unread: Vec<u8>,
}

impl Events {
    /// The data of the events whose last byte is among these. Comments are skipped.
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.unread.extend_from_slice(bytes);
        let Some(end) = self.unread.iter().rposition(|&byte| byte == b'\n') else {
            return Vec::new();
        };
        let lines: Vec<u8> = self.unread.drain(..=end).collect();
        String::from_utf8_lossy(&lines)
            .lines()
            .filter_map(|line| Some(line.strip_prefix("data:")?.trim_start().to_owned()))
            .collect()
    }
}

#[test]
fn events_do_not_depend_on_how_the_bytes_arrive() {
    let stream = ": wait\n\ndata: {\"text\":\"Straße\"}\n\ndata: [DONE]\n\n".as_bytes();
    for size in 1..stream.len() {
        let mut events = Events::default();
        let read: Vec<_> = stream
            .chunks(size)
            .flat_map(|bytes| events.push(bytes))
            .collect();
        assert_eq!(read, ["{\"text\":\"Straße\"}", "[DONE]"]);
    }
}

#[test]
fn a_stream_and_a_plain_answer_are_read_alike() {
    let request = serde_json::json!({"logprobs": true});
    let usage = r#""usage":{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":32}}"#;
    let plain = format!(
        r#"{{"choices":[{{"index":0,"message":{{"content":"ab"}},"logprobs":{{"content":[{{"logprob":-0.10}},{{"logprob":-2}}]}},"finish_reason":"length"}}],{usage}}}"#
    );
    let streamed = [
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}"#.to_owned(),
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"logprob":-0.10}]},"finish_reason":null}],"usage":null}"#.to_owned(),
        r#"{"choices":[{"index":0,"delta":{"content":"b"},"logprobs":{"content":[{"logprob":-2}]},"finish_reason":null}]}"#.to_owned(),
        r#"{"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}]}"#.to_owned(),
        format!(r#"{{"choices":[],{usage}}}"#),
    ];
    let read = |bodies: &[String]| {
        let mut reading = Reading::new(Instant::now(), &request);
        for body in bodies {
            reading.add(body).unwrap();
        }
        reading.finish()
    };
    let (plain, streamed_answer) = (read(&[plain]).unwrap(), read(&streamed).unwrap());
    assert_eq!(plain.choices, streamed_answer.choices);
    assert_eq!(plain.choices[0].logprobs[0], r#"{"logprob":-0.10}"#);
    assert_eq!(streamed_answer.usage.cached_tokens(), Some(32));
    assert_eq!(streamed_answer.gaps.len(), 1, "the end is no token");
    assert!(
        read(&streamed[..3]).is_err(),
        "an answer without its finish reason is lost"
    );
}
