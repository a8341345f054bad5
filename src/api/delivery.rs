//! An answer in the form that its client asked for.

use super::answer::{Choice, Head, Measured, Usage};
use super::error::ApiError;
use super::parameters::Ignored;
use super::request::Delivery;
use super::sse::{self, Chunks};
use axum::response::Response;

/// Streams `chunks`, or collects the choices and sends what `plain` makes of them; either
/// lists what was ignored.
pub async fn deliver<C: Chunks>(
    mut generation: Measured,
    delivery: Delivery,
    head: Head,
    ignored: &Ignored,
    prompt_field: &'static str,
    chunks: impl FnOnce(Head, bool) -> C,
    plain: impl FnOnce(Head, Vec<Choice>, Usage) -> Response,
) -> Result<Response, ApiError> {
    let mut response = match delivery {
        Delivery::Stream { include_usage } => {
            sse::response(generation, chunks(head, include_usage), prompt_field)
        }
        Delivery::Plain => {
            let choices = generation
                .collect()
                .await
                .map_err(|e| ApiError::from_generation(&e, prompt_field))?;
            plain(head, choices, generation.usage())
        }
    };
    ignored.write_header(&mut response);
    Ok(response)
}
