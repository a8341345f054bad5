//! Who may ask: as soon as one key is set, every route needs one but the probes.

use super::error::ApiError;
use super::state::ApiState;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Orchestrators ask these without a key; they tell nothing but a status.
const OPEN: [&str; 3] = ["/livez", "/readyz", "/health"];

pub async fn layer(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    if state.keys.is_empty() || OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    match bearer(&request) {
        None => ApiError::missing_key().into_response(),
        Some(key) if state.keys.name_of(key).is_none() => ApiError::wrong_key().into_response(),
        Some(_) => next.run(request).await,
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}
