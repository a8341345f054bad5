//! Which web pages may read answers: none, unless the configuration names them.

use super::parameters::IGNORED_HEADER;
use super::request_id::REQUEST_ID;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// Any page.
const ANY: &str = "*";

/// Answers preflights for these origins and marks their answers; `None` where there are none.
pub fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == ANY) {
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

/// Whether an origin of the configuration is one: a scheme and a host, no path.
pub fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|c| c.is_ascii_graphic() && !matches!(c, b'/' | b'?' | b'#' | b'@' | b'*'))
    };
    text == ANY || host.is_some_and(is_host)
}
