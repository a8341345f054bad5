//! `GET /v1/prompts` and `GET /v1/prompts/{id}`.

use super::error::ApiError;
use super::state::ApiState;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// The newest version of each, with the versions there are.
pub async fn list(State(state): State<Arc<ApiState>>) -> Json<Value> {
    Json(json!({"object": "list", "data": state.prompts.describe()}))
}

/// The newest version.
pub async fn get(
    State(state): State<Arc<ApiState>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    // What is not UTF-8 names no prompt.
    let id = id.map_or_else(|_| char::REPLACEMENT_CHARACTER.to_string(), |Path(id)| id);
    let prompt =
        (state.prompts.get(&id, None)).map_err(|error| ApiError::unknown_prompt("id", &error))?;
    Ok(Json(state.prompts.describe_one(prompt)).into_response())
}
