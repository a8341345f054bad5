//! The probes of an orchestrator: a status, and nothing about what is served.

use super::error::ApiError;
use super::state::ApiState;
use crate::engine::EngineState;
use axum::extract::State;
use std::sync::Arc;

/// `GET /livez`: the process answers, and nothing but a restart is needed to make it useful: a model
/// whose engines are stuck in a step or have lost their devices will not come back by itself.
pub async fn livez(State(state): State<Arc<ApiState>>) -> Result<&'static str, ApiError> {
    let Some(models) = state.loaded() else {
        return Ok("ok\n");
    };
    for model in models.states() {
        match model {
            EngineState::Running | EngineState::Restarting { .. } | EngineState::Stopped => {}
            EngineState::Stuck { since } => return Err(ApiError::stuck(since)),
            EngineState::Lost => return Err(ApiError::stopped()),
        }
    }
    Ok("ok\n")
}

/// `GET /readyz` and `GET /health`: all models are loaded, and of each an engine runs.
pub async fn readyz(State(state): State<Arc<ApiState>>) -> Result<&'static str, ApiError> {
    state.check_ready().map(|()| "ok\n")
}
