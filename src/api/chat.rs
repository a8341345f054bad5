//! `POST /v1/chat/completions`.

use super::answer::{Head, Measured};
use super::asker::Asker;
use super::body::JsonBody;
use super::chat_answer::{ChatCompletion, Form};
use super::chat_chunks::{ChatChunks, ChatProgress, Heard};
use super::delivery::deliver;
use super::documents::Reading;
use super::error::ApiError;
use super::fields::Fields;
use super::inputs;
use super::json::Json;
use super::logprobs;
use super::long::{self, Answer, Parsed, Progressing, Reader};
use super::messages;
use super::output_format;
use super::parameters::{self, Ignored};
use super::request::{self, Ask, Delivery};
use super::sampling_fields;
use super::service_tier::ServiceTier;
use super::state::{ApiState, Served};
use super::template_fields;
use super::tools::{self, Shape};
use crate::generation::{ChatInput, GenerationParams, ToolFormat};
use crate::text::ChatPrompt;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::SystemTime;

const PROMPT_FIELD: &str = "messages";

/// A chat request, validated.
pub struct ChatRequest {
    input: ChatInput,
    ask: Ask,
    form: Form,
    delivery: Delivery,
}

pub async fn create(
    State(state): State<Arc<ApiState>>,
    asker: Asker,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let id = asker.request_id.clone();
    if !inputs::may_tell_progress(&body) {
        return answer(state, asker, body, None).await;
    }
    let model = state.generator(&Fields::root(&body)?)?.model.id.clone();
    let answer = |told| -> Answer { Box::pin(answer(state, asker, body, Some(told))) };
    long::with_progress(id, answer, move |progress| {
        ChatProgress::event(&model, progress)
    })
    .await
}

/// `told` is where the reading of long documents tells how far it is.
async fn answer(
    state: Arc<ApiState>,
    asker: Asker,
    mut body: Json,
    told: Option<Progressing>,
) -> Result<Response, ApiError> {
    let Asker {
        request_id,
        caller,
        owner,
    } = asker;
    let mut ignored = state.ignored();
    let served = state.generator(&Fields::root(&body)?)?;
    let reading = Reading::new(&state, caller, &owner);
    let parse = |body: &Json| {
        let fields = Fields::root(body)?;
        let request = ChatRequest::parse(&fields, served, &mut state.ignored())?;
        Ok(Parsed {
            prompt: request.input.prompt,
            first: 0,
            params: request.ask.params,
            has_format: request.ask.format.is_some(),
        })
    };
    let reader = Reader {
        state: &state,
        served,
        caller,
        request_id: &request_id,
        progress: told.as_ref(),
        parse: &parse,
    };
    let (chat, long) = (inputs::CHAT, Some(reader));
    let told = inputs::resolve(reading, long, &mut body, chat, &mut ignored).await?;
    let fields = Fields::root(&body)?;
    let request = ChatRequest::parse(&fields, served, &mut ignored)?;
    let ChatRequest {
        mut input,
        mut ask,
        form,
        delivery,
    } = request;
    told.ask(&mut input.prompt, &mut ask)?;
    // The one clock value of the request, which a template may print.
    let clock = SystemTime::now();
    let generation = Measured::start(
        &state,
        served,
        request_id,
        caller,
        ask,
        PROMPT_FIELD,
        move |model, params| model.chat(&input, params, clock),
    )
    .await?;
    if generation.names_ignored() {
        ignored.add("messages", "messages[].name")?;
    }
    let head = Head::new("chatcmpl", served, clock);
    let told_of = told.clone();
    let chunks = |head, include_usage| ChatChunks {
        head,
        form,
        include_usage,
        heard: Heard::default(),
        told,
    };
    let plain = |head, choices, usage| {
        axum::Json(ChatCompletion::new(head, form, choices, usage, told_of)).into_response()
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
    /// What the chat template makes a prompt of.
    pub fn into_prompt(self) -> ChatPrompt {
        self.input.prompt
    }

    pub fn parse(
        body: &Fields<'_>,
        served: &Served,
        ignored: &mut Ignored,
    ) -> Result<Self, ApiError> {
        parameters::check(parameters::CHAT, body, ignored)?;
        let messages = messages::parse(body, ignored)?;
        let asked = tools::parse(body, Shape::Nested, ignored)?;
        let effort = body.get(template_fields::EFFORT);
        let template = template_fields::chosen(body, served)?;
        let has_tools = !asked.definitions.is_empty();
        let source = template_fields::source(served, template.as_deref(), has_tools);
        let arguments = template_fields::parse(body, effort.as_ref(), source, ignored)?;
        let max_tokens = max_tokens(body)?;
        let service_tier = ServiceTier::parse(body)?;
        let params = GenerationParams {
            max_tokens,
            min_tokens: sampling_fields::min_tokens(body, max_tokens)?,
            logprobs: logprobs::of_chat(body)?,
            class: service_tier.map(ServiceTier::class).unwrap_or_default(),
            ..sampling_fields::parse(body, served)?
        };
        let dialect = &served.model.dialect;
        let format = tools::form(body, &asked, dialect, output_format::parse(body, ignored)?)?;
        Ok(Self {
            form: Form {
                logprobs: params.logprobs.is_some(),
                service_tier: service_tier.map(ServiceTier::name),
                is_named: asked.is_named,
                short_ids: dialect.tools() == ToolFormat::Mistral,
            },
            input: ChatInput {
                prompt: ChatPrompt {
                    ending: template_fields::ending(body, &messages)?,
                    messages,
                    tools: asked.definitions,
                    arguments,
                    template,
                },
                tools: asked.tools,
            },
            ask: Ask {
                params,
                format,
                ..Ask::default()
            },
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
