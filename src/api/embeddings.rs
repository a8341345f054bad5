//! `POST /v1/embeddings`.

use super::body::JsonBody;
use super::error::ApiError;
use super::fields::Fields;
use super::limits;
use super::parameters::{self, Ignored};
use super::prompt;
use super::state::ApiState;
use crate::encoding::{Cut, EncoderTask, ServedEncoder, Text, normalized};
use crate::generation::{Caller, CompletionPrompt};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

const INPUT: &str = "input";

#[derive(Serialize, ToSchema)]
pub struct EmbeddingList {
    object: &'static str,
    data: Vec<Embedding>,
    model: String,
    usage: EmbeddingUsage,
}

#[derive(Serialize, ToSchema)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    /// The bytes of little-endian f32s.
    Base64(String),
}

/// Nothing is generated.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct EmbeddingUsage {
    pub prompt_tokens: usize,
    pub total_tokens: usize,
}

/// A request, validated.
struct EmbeddingRequest {
    texts: Vec<Text>,
    is_one: bool,
    /// What stands before each text.
    prompt: String,
    dimensions: usize,
    is_base64: bool,
}

pub async fn create(
    State(state): State<Arc<ApiState>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let fields = Fields::root(&body)?;
    let is_embedder = |model: &ServedEncoder| model.task == EncoderTask::Embedding;
    let model = Arc::clone(&state.encoder(&fields, is_embedder, false)?.model);
    let mut ignored = state.ignored();
    let EmbeddingRequest {
        texts,
        is_one,
        prompt,
        dimensions,
        is_base64,
    } = EmbeddingRequest::parse(&fields, &model, &mut ignored)?;
    let place = |index| match is_one {
        true => INPUT.to_owned(),
        false => format!("{INPUT}[{index}]"),
    };
    let reader = Arc::clone(&model);
    let tokenized = state
        .beside_connections(caller, move || {
            reader.tokenize(&texts, &prompt, Cut::Nothing)
        })
        .await?;
    let failed = |error| ApiError::from_encoding(&error, INPUT, place);
    let tokenized = tokenized.map_err(failed)?;
    let encoded = model
        .encode(caller, tokenized, state.request_timeout)
        .await
        .map_err(failed)?;
    let vector = |row| {
        let vector = normalized(row, dimensions);
        match is_base64 {
            true => Vector::Base64(STANDARD.encode(bytemuck::cast_slice::<f32, u8>(&vector))),
            false => Vector::Numbers(vector),
        }
    };
    let data = encoded.rows.into_iter().enumerate();
    let list = EmbeddingList {
        object: "list",
        data: data
            .map(|(index, row)| Embedding {
                object: "embedding",
                index,
                embedding: vector(row),
            })
            .collect(),
        model: model.id.clone(),
        usage: EmbeddingUsage {
            prompt_tokens: encoded.num_tokens,
            total_tokens: encoded.num_tokens,
        },
    };
    let mut response = Json(list).into_response();
    ignored.write_header(&mut response);
    Ok(response)
}

impl EmbeddingRequest {
    fn parse(
        body: &Fields<'_>,
        model: &ServedEncoder,
        ignored: &mut Ignored,
    ) -> Result<Self, ApiError> {
        parameters::check(parameters::EMBEDDINGS, body, ignored)?;
        let input = body.require(INPUT)?;
        let texts = prompt::parse(&input, "texts", limits::MAX_TEXTS)?;
        if let Some(at) = texts.iter().position(is_empty) {
            return Err(match &*texts {
                [_] => input.must("not be empty"),
                _ => input.must(format_args!("not hold an empty text (at {at})")),
            });
        }
        let texts: Vec<_> = texts
            .into_iter()
            .map(|text| match text {
                CompletionPrompt::Text(text) => Text::Plain(text),
                CompletionPrompt::Tokens(ids) => Text::Tokens(ids),
            })
            .collect();
        Ok(Self {
            is_one: texts.len() == 1,
            texts,
            prompt: input_type(body, model)?,
            dimensions: dimensions(body, model)?,
            is_base64: match body.get("encoding_format") {
                None => false,
                Some(field) => match field.string()? {
                    "float" => false,
                    "base64" => true,
                    _ => return Err(field.must("be `float` or `base64`")),
                },
            },
        })
    }
}

fn is_empty(text: &CompletionPrompt) -> bool {
    match text {
        CompletionPrompt::Text(text) => text.is_empty(),
        CompletionPrompt::Tokens(ids) => ids.is_empty(),
    }
}

fn input_type(body: &Fields<'_>, model: &ServedEncoder) -> Result<String, ApiError> {
    let field = body.get("input_type");
    let name = field.as_ref().map(|field| field.string()).transpose()?;
    match (model.prompt(name), field) {
        (Some(prompt), _) => Ok(prompt.to_owned()),
        (None, Some(field)) if model.prompts.is_empty() => {
            Err(field.must("be left out: this model has no prompts"))
        }
        (None, Some(field)) => {
            let known: Vec<_> = (model.prompts.keys())
                .map(|name| format!("`{name}`"))
                .collect();
            Err(field.must(format_args!("be one of {}", known.join(", "))))
        }
        (None, None) => Err(ApiError::internal("the default prompt is missing")),
    }
}

/// A model that was not made for it says something else when its vectors are cut.
fn dimensions(body: &Fields<'_>, model: &ServedEncoder) -> Result<usize, ApiError> {
    let Some(field) = body.get("dimensions") else {
        return Ok(model.num_dimensions);
    };
    let asked = field.count(limits::MAX_DIMENSIONS)?;
    let allowed = &model.matryoshka_dimensions;
    if asked == model.num_dimensions || allowed.contains(&asked) {
        return Ok(asked);
    }
    let mut known: Vec<_> = allowed.iter().chain([&model.num_dimensions]).collect();
    known.sort_unstable();
    known.dedup();
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    Err(field.must(format_args!(
        "be {}, which is what this model makes, but is {asked}",
        known.join(" or ")
    )))
}
