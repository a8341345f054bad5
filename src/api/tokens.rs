//! What a text is in tokens: `POST /tokenize` and `/detokenize` as vLLM has them, and
//! `POST /v1/chat/completions/render`, the prompt that a chat becomes.

use super::auth::Owner;
use super::body::JsonBody;
use super::chat::ChatRequest;
use super::documents::Reading;
use super::error::ApiError;
use super::fields::Fields;
use super::inputs;
use super::parameters::{self, Ignored};
use super::prompt;
use super::state::ApiState;
use crate::generation::{Caller, GenerationError};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use std::time::SystemTime;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Tokenized {
    count: usize,
    max_model_len: usize,
    tokens: Vec<u32>,
    /// As the vocabulary writes them, if asked for.
    #[schema(required)]
    token_strs: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
pub struct Detokenized {
    prompt: String,
}

#[derive(Serialize, ToSchema)]
pub struct Rendered {
    object: &'static str,
    model: String,
    /// As the chat template wrote it; what a caller wrote is literal in it.
    prompt: String,
    token_ids: Vec<u32>,
    prompt_tokens: usize,
    max_model_len: usize,
}

/// What is to be tokenized.
struct Asked {
    prompt: String,
    add_special_tokens: bool,
    return_token_strs: bool,
}

pub async fn tokenize(
    State(state): State<Arc<ApiState>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let mut ignored = state.ignored();
    let fields = Fields::root(&body)?;
    let served = state.any_generator(&fields)?;
    let asked = Asked::parse(&fields, &mut ignored)?;
    let model = Arc::clone(&served.model);
    let tokens = state
        .beside_connections(caller, move || {
            let tokenizer = &model.tokenizer;
            let ids = if asked.add_special_tokens {
                tokenizer.encode_prompt(&asked.prompt)?
            } else {
                tokenizer.encode_bare(&asked.prompt)?
            };
            let written = |id: &u32| tokenizer.written(*id).unwrap_or_default();
            Ok(Tokenized {
                count: ids.len(),
                max_model_len: model.max_model_len(),
                token_strs: asked
                    .return_token_strs
                    .then(|| ids.iter().map(written).collect()),
                tokens: ids,
            })
        })
        .await?;
    answer(tokens, "prompt", &ignored)
}

pub async fn detokenize(
    State(state): State<Arc<ApiState>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let mut ignored = state.ignored();
    let fields = Fields::root(&body)?;
    let served = state.any_generator(&fields)?;
    parameters::check(parameters::DETOKENIZE, &fields, &mut ignored)?;
    let vocab_size = served.model.engines.config().vocab_size;
    let max = u32::try_from(vocab_size)
        .unwrap_or(u32::MAX)
        .saturating_sub(1);
    let ids = prompt::token_ids(&fields.require("tokens")?, max)?;
    let model = Arc::clone(&served.model);
    let text = state
        .beside_connections(caller, move || {
            let prompt = model.tokenizer.decode(&ids);
            Ok(Detokenized { prompt })
        })
        .await?;
    answer(text, "tokens", &ignored)
}

pub async fn render(
    State(state): State<Arc<ApiState>>,
    Extension(caller): Extension<Caller>,
    Extension(owner): Extension<Owner>,
    JsonBody(mut body): JsonBody,
) -> Result<Response, ApiError> {
    let mut ignored = state.ignored();
    let served = state.generator(&Fields::root(&body)?)?;
    let reading = Reading::new(&state, caller, &owner);
    let told = inputs::resolve(reading, None, &mut body, inputs::CHAT, &mut ignored).await?;
    let fields = Fields::root(&body)?;
    let mut prompt = ChatRequest::parse(&fields, served, &mut ignored)?.into_prompt();
    told.explain(&mut prompt);
    let model = Arc::clone(&served.model);
    let rendered = state
        .beside_connections(caller, move || {
            let rendered = model.rendered(&prompt, SystemTime::now())?;
            let answer = Rendered {
                object: "chat.completion.prompt",
                model: model.id.clone(),
                prompt: rendered.text.as_str().to_owned(),
                prompt_tokens: rendered.ids.len(),
                token_ids: rendered.ids,
                max_model_len: model.max_model_len(),
            };
            Ok((answer, rendered.names_ignored))
        })
        .await?;
    if let Ok((_, true)) = rendered {
        ignored.add("messages", "messages[].name")?;
    }
    answer(rendered.map(|(answer, _)| answer), "messages", &ignored)
}

impl Asked {
    fn parse(body: &Fields<'_>, ignored: &mut Ignored) -> Result<Self, ApiError> {
        parameters::check(parameters::TOKENIZE, body, ignored)?;
        Ok(Self {
            prompt: body.require("prompt")?.string()?.to_owned(),
            add_special_tokens: body.flag("add_special_tokens")?.unwrap_or(true),
            return_token_strs: body.flag("return_token_strs")?.unwrap_or(false),
        })
    }
}

fn answer(
    found: Result<impl Serialize, GenerationError>,
    field: &'static str,
    ignored: &Ignored,
) -> Result<Response, ApiError> {
    let found = found.map_err(|error| ApiError::from_generation(&error, field))?;
    let mut response = Json(found).into_response();
    ignored.write_header(&mut response);
    Ok(response)
}
