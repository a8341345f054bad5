//! `POST /v1/completions`.

use super::answer::{Choice, Head, Measured, Usage, finish_reason};
use super::body::JsonBody;
use super::delivery::deliver;
use super::error::ApiError;
use super::fields::Fields;
use super::limits;
use super::parameters::{self, Ignored};
use super::prompt;
use super::request::{self, Delivery};
use super::request_id::RequestId;
use super::sse::Chunks;
use super::state::{ApiState, Served};
use crate::generation::{CompletionPrompt, FinishReason, GenerationParams};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use std::time::SystemTime;

const PROMPT_FIELD: &str = "prompt";

/// OpenAI's default for this endpoint.
const DEFAULT_MAX_TOKENS: usize = 16;

/// A completion request, validated.
struct CompletionRequest {
    prompts: Vec<CompletionPrompt>,
    params: GenerationParams,
    delivery: Delivery,
}

/// The answer, whole or as a chunk: the two have one shape.
#[derive(Serialize)]
struct Completion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    system_fingerprint: String,
    choices: Vec<CompletionChoice>,
    /// In chunks there only if the client asked for it: null in all but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct CompletionChoice {
    index: usize,
    text: String,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

pub async fn create(
    State(state): State<Arc<ApiState>>,
    Extension(request_id): Extension<RequestId>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let served = state.served()?;
    let mut ignored = Ignored::default();
    let request = CompletionRequest::parse(&Fields::root(&body)?, served, &mut ignored)?;
    let CompletionRequest {
        prompts,
        params,
        delivery,
    } = request;
    let generation = Measured::start(&state, served, request_id, PROMPT_FIELD, move |model| {
        model.complete(&prompts, &params)
    })
    .await?;
    let head = Head::new("cmpl", served, SystemTime::now());
    let chunks = |head, include_usage| CompletionChunks {
        head,
        include_usage,
    };
    let plain = |head: Head, choices: Vec<Choice>, usage| {
        let choices = choices
            .into_iter()
            .enumerate()
            .map(|(index, choice)| CompletionChoice::new(index, choice.text, Some(choice.reason)))
            .collect();
        Json(Completion::new(&head, choices, Some(Some(usage)))).into_response()
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

impl CompletionRequest {
    fn parse(body: &Fields<'_>, served: &Served, ignored: &mut Ignored) -> Result<Self, ApiError> {
        parameters::check(parameters::COMPLETIONS, body, ignored)?;
        request::check_model(body, served)?;
        let prompts = prompt::parse(body)?;
        let mut params = request::sampling(body)?;
        if prompts.len() * params.n > limits::MAX_CHOICES {
            return Err(ApiError::invalid(
                "n",
                format!(
                    "`n` must be smaller: {} prompts with {} choices each are more than {} together.",
                    prompts.len(),
                    params.n,
                    limits::MAX_CHOICES
                ),
            ));
        }
        let max_tokens = body
            .get("max_tokens")
            .map(|f| request::max_tokens(&f))
            .transpose()?;
        params.max_tokens = Some(max_tokens.unwrap_or(DEFAULT_MAX_TOKENS));
        Ok(Self {
            prompts,
            params,
            delivery: request::delivery(body, ignored)?,
        })
    }
}

impl Completion {
    fn new(head: &Head, choices: Vec<CompletionChoice>, usage: Option<Option<Usage>>) -> Self {
        let head = head.clone();
        Self {
            id: head.id,
            object: "text_completion",
            created: head.created,
            model: head.model,
            system_fingerprint: head.system_fingerprint,
            choices,
            usage,
        }
    }
}

impl CompletionChoice {
    fn new(index: usize, text: String, reason: Option<FinishReason>) -> Self {
        Self {
            index,
            text,
            logprobs: (),
            finish_reason: reason.map(finish_reason),
        }
    }
}

struct CompletionChunks {
    head: Head,
    include_usage: bool,
}

impl CompletionChunks {
    fn one(&self, index: usize, text: String, reason: Option<FinishReason>) -> Completion {
        let choice = CompletionChoice::new(index, text, reason);
        Completion::new(&self.head, vec![choice], self.include_usage.then_some(None))
    }
}

impl Chunks for CompletionChunks {
    type Chunk = Completion;

    fn first(&self, _choice: usize) -> Option<Completion> {
        None
    }

    fn text(&self, choice: usize, text: String) -> Completion {
        self.one(choice, text, None)
    }

    fn finish(&self, choice: usize, reason: FinishReason) -> Completion {
        self.one(choice, String::new(), Some(reason))
    }

    fn usage(&self, usage: Usage) -> Option<Completion> {
        self.include_usage
            .then(|| Completion::new(&self.head, Vec::new(), Some(Some(usage))))
    }
}
