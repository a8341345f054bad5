//! A name for each request, taken from the client or made here.

use super::error::ApiError;
use super::random;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use tracing::{debug, info};

use super::metrics::Metrics;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_BYTES: usize = 128;

/// Identifies one request in the log, in the answer's header and in an internal error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The client's, if it is `[A-Za-z0-9._-]{1,128}`.
    pub fn from_client(value: &HeaderValue) -> Option<Self> {
        let id = value.to_str().ok()?;
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        (!id.is_empty() && id.len() <= MAX_BYTES && id.bytes().all(is_allowed))
            .then(|| Self(id.to_owned()))
    }

    pub fn fresh() -> Self {
        Self(format!("req-{}", random::hex()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The outermost layer: names the request, counts and logs it, and turns a panic into a
/// 500, so that one bad request never takes a connection's others with it.
pub async fn layer(
    State(metrics): State<Arc<Metrics>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(RequestId::from_client)
        .unwrap_or_else(RequestId::fresh);
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched".to_owned(), |path| path.as_str().to_owned());
    request.extensions_mut().insert(id.clone());

    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => ApiError::internal("the handler panicked").into_response(),
    };
    if let Some(failure) = response.extensions_mut().remove::<ApiError>()
        && failure.cause().is_some()
    {
        response = failure.logged(&id).into_response();
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }

    let status = response.status().as_u16();
    let duration_ms = started.elapsed().as_millis();
    metrics.count_request(&method, &route, status);
    if route.starts_with("/v1/") || route == "unmatched" {
        info!(request.id = %id, http.status = status, duration_ms, "answered {method} {route} with {status}");
    } else {
        // Probes come every few seconds.
        debug!(request.id = %id, http.status = status, duration_ms, "answered {method} {route} with {status}");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_kept_only_if_it_is_safe_in_a_log_and_a_header() {
        let keeps =
            |id: &str| RequestId::from_client(&HeaderValue::from_str(id).unwrap()).is_some();
        assert!(keeps("Akte-2024.17_b"));
        assert!(keeps(&"x".repeat(128)));
        assert!(!keeps(&"x".repeat(129)));
        assert!(!keeps(""));
        assert!(!keeps("a b"));
        assert!(!keeps("a\"b"));
    }
}
