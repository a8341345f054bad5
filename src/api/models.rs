//! `GET /v1/models` and `GET /v1/models/{id}`.

use super::error::ApiError;
use super::state::{ApiState, Models, Served, ServedEncoding};
use crate::encoding::{EncoderTask, ServedEncoder};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Model {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
    /// Not OpenAI's: the context length, as vLLM names it.
    max_model_len: usize,
    /// Not OpenAI's: `generate`, `embed`, `rerank` or `classify`.
    task: &'static str,
    /// Not OpenAI's: other ids that mean the same model.
    aliases: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub struct ModelList {
    object: &'static str,
    data: Vec<Model>,
}

pub async fn list(State(state): State<Arc<ApiState>>) -> Result<Json<ModelList>, ApiError> {
    state.check_ready()?;
    let data = |models: &Models| {
        let generators = models.generators.iter().map(Model::generator);
        generators
            .chain(models.encoders.iter().map(Model::encoder))
            .collect()
    };
    Ok(Json(ModelList {
        object: "list",
        data: data(state.models()?),
    }))
}

pub async fn get(
    State(state): State<Arc<ApiState>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Model>, ApiError> {
    state.check_ready()?;
    let models = state.models()?;
    // What is not UTF-8 names no model.
    let id = id.map_or_else(|_| char::REPLACEMENT_CHARACTER.to_string(), |Path(id)| id);
    let generator = models.generator(&id).map(Model::generator);
    generator
        .or_else(|| models.encoder(&id).map(Model::encoder))
        .map(Json)
        .ok_or_else(|| ApiError::unknown_model(&id, models.ids()))
}

impl Model {
    fn generator(served: &Served) -> Self {
        let model = &served.model;
        Self::new(
            (&model.id, model.created),
            model.max_model_len(),
            "generate",
            &served.aliases,
        )
    }

    fn encoder(served: &ServedEncoding) -> Self {
        let model = &served.model;
        Self::new(
            (&model.id, model.created),
            model.max_text_len(),
            task_of(model),
            &served.aliases,
        )
    }

    fn new(
        (id, created): (&str, u64),
        max_model_len: usize,
        task: &'static str,
        aliases: &[String],
    ) -> Self {
        Self {
            id: id.to_owned(),
            object: "model",
            created,
            owned_by: "guichet",
            max_model_len,
            task,
            aliases: aliases.to_vec(),
        }
    }
}

/// What an encoder does, in a word.
pub fn task_of(model: &ServedEncoder) -> &'static str {
    match model.task {
        EncoderTask::Embedding => "embed",
        EncoderTask::Classification { .. } if model.is_reranker() => "rerank",
        EncoderTask::Classification { .. } => "classify",
    }
}
