//! Which web pages may read answers: none, unless the configuration names them.

use super::error::SHOULD_RETRY;
use super::parameters::IGNORED_HEADER;
use super::request_id::REQUEST_ID;
use crate::config::ANY_ORIGIN;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// Answers preflights for these origins and marks their answers; `None` where there are none.
pub fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == ANY_ORIGIN) {
        AllowOrigin::any()
    } else {
        // The configuration holds nothing that is no header.
        let origins = origins
            .iter()
            .filter_map(|origin| HeaderValue::from_str(origin).ok());
        AllowOrigin::list(origins)
    };
    let ours = [
        REQUEST_ID,
        RETRY_AFTER,
        HeaderName::from_static(IGNORED_HEADER),
        SHOULD_RETRY,
    ];
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST, Method::DELETE])
            // The official clients send headers of their own about themselves.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(ours),
    )
}
