//! The probes of an orchestrator: a status, and nothing about what is served.

use super::error::ApiError;
use super::state::ApiState;
use axum::extract::State;
use std::sync::Arc;

/// `GET /livez`: the process answers.
pub async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /readyz` and `GET /health`: the model is loaded and its engine runs.
pub async fn readyz(State(state): State<Arc<ApiState>>) -> Result<&'static str, ApiError> {
    state.served().map(|_| "ok\n")
}
