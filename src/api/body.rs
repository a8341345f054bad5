//! Reads a request's body: its type, its size, its JSON. What comes as a form is in `form`.

use super::error::ApiError;
use super::json::Json;
use super::state::ApiState;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use std::sync::Arc;

/// The JSON of a body.
pub struct JsonBody(pub Json);

/// What is read and thrown away of a body that is too large, as a multiple of the limit,
/// so that the client has sent it and reads our answer instead of a broken connection.
const DRAIN_FACTOR: usize = 4;

impl FromRequest<Arc<ApiState>> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<ApiState>) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::media_type(
                "JSON: send the header `Content-Type: application/json`",
            ));
        }
        let max = match super::TAKE_DOCUMENTS.contains(&request.uri().path()) {
            true => state
                .max_body_bytes
                .saturating_add(state.max_encoded_bytes()),
            false => state.max_body_bytes,
        };
        let bytes = whole(request, state, max).await?;
        let json = Json::parse(&bytes)
            .map_err(|e| ApiError::bad_body(format!("The body is not usable JSON: {e}.")))?;
        Ok(Self(json))
    }
}

/// A body of at most `max` bytes, once there is a place for it.
pub async fn whole(request: Request, state: &ApiState, max: usize) -> Result<Bytes, ApiError> {
    let announced = content_length(request.headers());
    let read = async {
        // Over HTTP/2 one connection may send many bodies at once. Nobody closes the semaphore.
        let places = state.places_of_body(announced, max);
        let _place = state.bodies.acquire_many(places).await.ok();
        read(request.into_body(), announced, max).await
    };
    tokio::time::timeout(state.body_read_timeout, read)
        .await
        .map_err(|_| ApiError::body_too_slow())?
}

async fn read(mut body: Body, announced: Option<u64>, max: usize) -> Result<Bytes, ApiError> {
    let max_drained = max.saturating_mul(DRAIN_FACTOR);
    if announced.is_some_and(|length| length > max_drained as u64) {
        return Err(ApiError::body_too_large(max));
    }
    let mut bytes = BytesMut::new();
    let mut num_read = 0usize;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| ApiError::bad_body("The body ended before it was complete."))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        num_read = num_read.saturating_add(data.len());
        if num_read > max_drained {
            break;
        }
        if num_read <= max {
            bytes.extend_from_slice(&data);
        }
    }
    if num_read > max {
        Err(ApiError::body_too_large(max))
    } else {
        Ok(bytes.freeze())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
