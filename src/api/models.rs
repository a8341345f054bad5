//! `GET /v1/models` and `GET /v1/models/{id}`.

use super::error::ApiError;
use super::state::{ApiState, Served};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
pub struct Model {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
    /// Not OpenAI's: the context length, as vLLM names it.
    max_model_len: usize,
}

#[derive(Serialize)]
pub struct ModelList {
    object: &'static str,
    data: Vec<Model>,
}

pub async fn list(State(state): State<Arc<ApiState>>) -> Result<Json<ModelList>, ApiError> {
    let served = state.served()?;
    Ok(Json(ModelList {
        object: "list",
        data: vec![Model::new(served)],
    }))
}

pub async fn get(
    State(state): State<Arc<ApiState>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Model>, ApiError> {
    let served = state.served()?;
    // What is not UTF-8 names no model.
    let id = id.map_or_else(|_| char::REPLACEMENT_CHARACTER.to_string(), |Path(id)| id);
    if id != served.model.id {
        return Err(ApiError::unknown_model(&id, &served.model.id));
    }
    Ok(Json(Model::new(served)))
}

impl Model {
    fn new(served: &Served) -> Self {
        Self {
            id: served.model.id.clone(),
            object: "model",
            created: served.model.created,
            owned_by: "guichet",
            max_model_len: served.model.max_model_len(),
        }
    }
}
