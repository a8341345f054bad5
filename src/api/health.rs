//! The probes of an orchestrator: a status, and nothing about what is served.

use super::error::ApiError;
use super::state::ApiState;
use crate::engine::EngineState;
use axum::extract::State;
use std::sync::Arc;

/// `GET /livez`: the process answers, and nothing but a restart is needed to make it useful:
/// an engine that is stuck in a step or has lost its device will not come back by itself.
pub async fn livez(State(state): State<Arc<ApiState>>) -> Result<&'static str, ApiError> {
    let Some(served) = state.loaded() else {
        return Ok("ok\n");
    };
    match served.model.engine.state() {
        EngineState::Running | EngineState::Restarting { .. } | EngineState::Stopped => Ok("ok\n"),
        EngineState::Stuck { since } => Err(ApiError::stuck(since)),
        EngineState::Lost => Err(ApiError::stopped()),
    }
}

/// `GET /readyz` and `GET /health`: the model is loaded and its engine runs.
pub async fn readyz(State(state): State<Arc<ApiState>>) -> Result<&'static str, ApiError> {
    state.served().map(|_| "ok\n")
}
