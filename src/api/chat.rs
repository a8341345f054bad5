//! `POST /v1/chat/completions`.

use super::answer::{Choice, Head, Measured, Usage, finish_reason};
use super::body::JsonBody;
use super::delivery::deliver;
use super::error::ApiError;
use super::fields::Fields;
use super::logprobs::{self, ChatLogprobs};
use super::messages;
use super::output_format;
use super::parameters::{self, Ignored};
use super::request::{self, Ask, Delivery};
use super::request_id::RequestId;
use super::sampling_fields;
use super::service_tier::ServiceTier;
use super::sse::Chunks;
use super::state::{ApiState, Served};
use crate::generation::{Caller, FinishReason, GenerationParams, TokenLogprob};
use crate::text::ChatMessage;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use std::time::SystemTime;

const PROMPT_FIELD: &str = "messages";

/// A chat request, validated.
struct ChatRequest {
    messages: Vec<ChatMessage>,
    ask: Ask,
    service_tier: Option<ServiceTier>,
    delivery: Delivery,
}

/// What of the request shapes its answer.
#[derive(Debug, Clone, Copy)]
struct Form {
    logprobs: bool,
    service_tier: Option<&'static str>,
}

#[derive(Serialize)]
struct ChatCompletion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    /// There only if the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    system_fingerprint: String,
    choices: Vec<ChatChoice>,
    usage: Usage,
}

#[derive(Serialize)]
struct ChatChoice {
    index: usize,
    message: AnswerMessage,
    logprobs: Option<ChatLogprobs>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct AnswerMessage {
    role: &'static str,
    content: String,
    refusal: (),
}

#[derive(Serialize)]
struct ChatChunk {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    /// There only if the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    system_fingerprint: String,
    choices: Vec<ChunkChoice>,
    /// There only if the client asked for it: null in all chunks but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct ChunkChoice {
    index: usize,
    delta: Delta,
    logprobs: Option<ChatLogprobs>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

pub async fn create(
    State(state): State<Arc<ApiState>>,
    Extension(request_id): Extension<RequestId>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let served = state.served()?;
    let mut ignored = Ignored::default();
    let request = ChatRequest::parse(&Fields::root(&body)?, served, &mut ignored)?;
    let ChatRequest {
        messages,
        ask,
        service_tier,
        delivery,
    } = request;
    let form = Form {
        logprobs: ask.params.logprobs.is_some(),
        service_tier: service_tier.map(ServiceTier::name),
    };
    // The one clock value of the request, which a template may print.
    let clock = SystemTime::now();
    let generation = Measured::start(
        &state,
        served,
        request_id,
        caller,
        ask,
        PROMPT_FIELD,
        move |model, params| model.chat(&messages, params, clock),
    )
    .await?;
    if generation.names_ignored() {
        ignored.add("messages[].name");
    }
    let head = Head::new("chatcmpl", served, clock);
    let chunks = |head, include_usage| ChatChunks {
        head,
        form,
        include_usage,
    };
    let plain = |head, choices, usage| {
        Json(ChatCompletion::new(head, form, choices, usage)).into_response()
    };
    deliver(
        generation,
        delivery,
        head,
        &ignored,
        PROMPT_FIELD,
        chunks,
        plain,
    )
    .await
}

impl ChatRequest {
    fn parse(body: &Fields<'_>, served: &Served, ignored: &mut Ignored) -> Result<Self, ApiError> {
        parameters::check(parameters::CHAT, body, ignored)?;
        request::check_model(body, served)?;
        let messages = messages::parse(body, ignored)?;
        let max_tokens = max_tokens(body)?;
        let service_tier = ServiceTier::parse(body)?;
        let params = GenerationParams {
            max_tokens,
            min_tokens: sampling_fields::min_tokens(body, max_tokens)?,
            logprobs: logprobs::of_chat(body)?,
            class: service_tier.map(ServiceTier::class).unwrap_or_default(),
            ..sampling_fields::parse(body, served)?
        };
        let format = output_format::parse(body, ignored)?;
        Ok(Self {
            messages,
            ask: Ask { params, format },
            service_tier,
            delivery: request::delivery(body, ignored)?,
        })
    }
}

/// The newer and the older name of one thing, which must not contradict each other.
fn max_tokens(body: &Fields<'_>) -> Result<Option<usize>, ApiError> {
    let newer = body
        .get("max_completion_tokens")
        .map(|f| sampling_fields::max_tokens(&f))
        .transpose()?;
    let older = body
        .get("max_tokens")
        .map(|f| sampling_fields::max_tokens(&f))
        .transpose()?;
    match (newer, older) {
        (Some(newer), Some(older)) if newer != older => Err(ApiError::invalid(
            "max_tokens",
            format!(
                "`max_tokens` ({older}) and `max_completion_tokens` ({newer}) mean the same but differ; send one."
            ),
        )),
        _ => Ok(newer.or(older)),
    }
}

impl Form {
    /// Null where nobody asked.
    fn logprobs(self, tokens: Vec<TokenLogprob>) -> Option<ChatLogprobs> {
        self.logprobs.then(|| ChatLogprobs::new(tokens))
    }
}

impl ChatCompletion {
    fn new(head: Head, form: Form, choices: Vec<Choice>, usage: Usage) -> Self {
        let choices = choices
            .into_iter()
            .enumerate()
            .map(|(index, choice)| ChatChoice {
                index,
                message: AnswerMessage {
                    role: "assistant",
                    content: choice.text,
                    refusal: (),
                },
                logprobs: form.logprobs(choice.logprobs),
                finish_reason: finish_reason(choice.reason),
            })
            .collect();
        Self {
            id: head.id,
            object: "chat.completion",
            created: head.created,
            model: head.model,
            service_tier: form.service_tier,
            system_fingerprint: head.system_fingerprint,
            choices,
            usage,
        }
    }
}

struct ChatChunks {
    head: Head,
    form: Form,
    include_usage: bool,
}

impl ChatChunks {
    fn chunk(&self, choices: Vec<ChunkChoice>, usage: Option<Usage>) -> ChatChunk {
        let head = self.head.clone();
        ChatChunk {
            id: head.id,
            object: "chat.completion.chunk",
            created: head.created,
            model: head.model,
            service_tier: self.form.service_tier,
            system_fingerprint: head.system_fingerprint,
            choices,
            usage: self.include_usage.then_some(usage),
        }
    }

    fn one(
        &self,
        index: usize,
        delta: Delta,
        logprobs: Option<ChatLogprobs>,
        finish_reason: Option<&'static str>,
    ) -> ChatChunk {
        self.chunk(
            vec![ChunkChoice {
                index,
                delta,
                logprobs,
                finish_reason,
            }],
            None,
        )
    }
}

impl Chunks for ChatChunks {
    type Chunk = ChatChunk;

    fn first(&self, choice: usize) -> Option<ChatChunk> {
        let delta = Delta {
            role: Some("assistant"),
            content: Some(String::new()),
        };
        Some(self.one(choice, delta, None, None))
    }

    fn text(&self, choice: usize, text: String, logprobs: Vec<TokenLogprob>) -> ChatChunk {
        let delta = Delta {
            role: None,
            content: Some(text),
        };
        self.one(choice, delta, self.form.logprobs(logprobs), None)
    }

    fn finish(&self, choice: usize, reason: FinishReason) -> ChatChunk {
        self.one(choice, Delta::default(), None, Some(finish_reason(reason)))
    }

    fn usage(&self, usage: Usage) -> Option<ChatChunk> {
        self.include_usage
            .then(|| self.chunk(Vec::new(), Some(usage)))
    }
}
