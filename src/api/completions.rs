//! `POST /v1/completions`.

use super::answer::{Choice, Head, Measured, Usage, finish_reason};
use super::body::JsonBody;
use super::delivery::deliver;
use super::error::ApiError;
use super::fields::Fields;
use super::limits;
use super::logprobs::{self, CompletionLogprobs};
use super::output_format;
use super::parameters::{self, Ignored};
use super::prompt;
use super::request::{self, Ask, Delivery};
use super::request_id::RequestId;
use super::sampling_fields;
use super::service_tier::ServiceTier;
use super::sse::Chunks;
use super::state::{ApiState, Served};
use crate::generation::{
    Caller, CompletionPrompt, FinishReason, GenerationParams, Part, TokenLogprob,
};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use std::time::SystemTime;
use utoipa::ToSchema;

const PROMPT_FIELD: &str = "prompt";

/// OpenAI's default for this endpoint.
const DEFAULT_MAX_TOKENS: usize = 16;

/// A completion request, validated.
struct CompletionRequest {
    prompts: Vec<CompletionPrompt>,
    ask: Ask,
    delivery: Delivery,
}

/// The answer, whole or as a chunk: the two have one shape.
#[derive(Serialize, ToSchema)]
pub struct Completion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    system_fingerprint: String,
    choices: Vec<CompletionChoice>,
    /// In chunks there only if the client asked for it: null in all but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>)]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize, ToSchema)]
struct CompletionChoice {
    index: usize,
    text: String,
    #[schema(required)]
    logprobs: Option<CompletionLogprobs>,
    #[schema(required)]
    finish_reason: Option<&'static str>,
}

pub async fn create(
    State(state): State<Arc<ApiState>>,
    Extension(request_id): Extension<RequestId>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let mut ignored = state.ignored();
    let fields = Fields::root(&body)?;
    let served = state.generator(&fields)?;
    let request = CompletionRequest::parse(&fields, served, &mut ignored)?;
    let CompletionRequest {
        prompts,
        ask,
        delivery,
    } = request;
    let with_logprobs = ask.params.logprobs.is_some();
    let generation = Measured::start(
        &state,
        served,
        request_id,
        caller,
        ask,
        PROMPT_FIELD,
        move |model, params| model.complete(prompts, params),
    )
    .await?;
    let head = Head::new("cmpl", served, SystemTime::now());
    let chunks = |head, include_usage| CompletionChunks {
        head,
        with_logprobs,
        include_usage,
    };
    let plain = |head: Head, choices: Vec<Choice>, usage| {
        let choices = choices
            .into_iter()
            .enumerate()
            .map(|(index, choice)| CompletionChoice {
                index,
                text: choice.text,
                logprobs: with_logprobs.then(|| CompletionLogprobs::new(choice.logprobs)),
                finish_reason: choice.reason.map(finish_reason),
            })
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
        let prompts = prompt::parse(&body.require(PROMPT_FIELD)?, "prompts", limits::MAX_PROMPTS)?;
        let echo = body.flag("echo")?.unwrap_or(false);
        let max_tokens = max_tokens(body, echo)?;
        let service_tier = ServiceTier::parse(body)?;
        let params = GenerationParams {
            max_tokens: Some(max_tokens),
            min_tokens: sampling_fields::min_tokens(body, Some(max_tokens))?,
            logprobs: logprobs::of_completion(body)?,
            echo,
            class: service_tier.map(ServiceTier::class).unwrap_or_default(),
            ..sampling_fields::parse(body, served)?
        };
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
        let format = output_format::parse(body, ignored)?;
        Ok(Self {
            prompts,
            ask: Ask {
                params,
                format,
                ..Ask::default()
            },
            delivery: request::delivery(body, ignored)?,
        })
    }
}

/// A completion of no tokens is an answer only where it begins with its prompt.
fn max_tokens(body: &Fields<'_>, echo: bool) -> Result<usize, ApiError> {
    match body.get("max_tokens") {
        None => Ok(DEFAULT_MAX_TOKENS),
        Some(field) if echo => field.count_from(0, limits::MAX_MAX_TOKENS),
        Some(field) => sampling_fields::max_tokens(&field),
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

struct CompletionChunks {
    head: Head,
    with_logprobs: bool,
    include_usage: bool,
}

impl CompletionChunks {
    fn one(&self, choice: CompletionChoice) -> Completion {
        Completion::new(&self.head, vec![choice], self.include_usage.then_some(None))
    }
}

impl Chunks for CompletionChunks {
    type Chunk = Completion;

    fn first(&self, _choice: usize) -> Option<Completion> {
        None
    }

    fn part(&mut self, choice: usize, part: Part, logprobs: Vec<TokenLogprob>) -> Completion {
        // A completion is text and nothing else.
        let text = match part {
            Part::Content(text) | Part::Reasoning(text) | Part::Arguments { text, .. } => text,
            Part::Call { name, .. } => name,
        };
        self.one(CompletionChoice {
            index: choice,
            text,
            logprobs: self
                .with_logprobs
                .then(|| CompletionLogprobs::new(logprobs)),
            finish_reason: None,
        })
    }

    fn finish(&mut self, choice: usize, reason: FinishReason) -> Completion {
        self.one(CompletionChoice {
            index: choice,
            text: String::new(),
            logprobs: None,
            finish_reason: Some(finish_reason(reason)),
        })
    }

    fn usage(&self, usage: Usage) -> Option<Completion> {
        self.include_usage
            .then(|| Completion::new(&self.head, Vec::new(), Some(Some(usage))))
    }
}
