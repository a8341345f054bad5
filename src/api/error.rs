//! What a client sees when something is wrong, decided once.

mod document;
mod store;

use super::error_body::{ErrorBody, ErrorObject};
use super::request_id::RequestId;
use crate::encoding::EncodingError;
use crate::generation::GenerationError;
use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::time::Duration;

/// An error as a client sees it; `cause` is for the log alone.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    kind: Kind,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    cause: Option<String>,
}

/// The `type` of an error object.
#[derive(Debug, Clone, Copy)]
enum Kind {
    InvalidRequest,
    Authentication,
    Server,
}

/// When a client may ask again where nobody has measured how long it takes.
const SOON: Duration = Duration::from_secs(1);

/// OpenAI's clients take a longer `Retry-After` for none and ask again at once, unless they are
/// told not to.
const LONGEST_HONOURED: u64 = 60;

/// Whether the official clients ask again, whatever the status.
pub const SHOULD_RETRY: header::HeaderName = header::HeaderName::from_static("x-should-retry");

const NO_RETRY: (header::HeaderName, HeaderValue) =
    (SHOULD_RETRY, HeaderValue::from_static("false"));

impl ApiError {
    /// A field that is malformed, out of range or not supported.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(StatusCode::BAD_REQUEST, Kind::InvalidRequest, message)
        }
    }

    /// A body that cannot be read as a request at all.
    /// An error on a field in the words of another layer, as a sentence.
    pub fn said(param: impl Into<String>, error: &impl std::fmt::Display) -> Self {
        let message = error.to_string();
        let (first, rest) = message.split_at(message.chars().next().map_or(0, char::len_utf8));
        Self::invalid(param, format!("{}{rest}.", first.to_uppercase()))
    }

    pub fn bad_body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Kind::InvalidRequest, message)
    }

    pub fn unknown_model<'a>(model: &str, served: impl Iterator<Item = &'a str>) -> Self {
        let served: Vec<_> = served.map(|id| format!("`{id}`")).collect();
        let served = match &*served {
            [one] => format!("{one} is"),
            all => format!("{} are", all.join(", ")),
        };
        Self {
            param: Some("model".to_owned()),
            code: Some("model_not_found"),
            ..Self::new(
                StatusCode::NOT_FOUND,
                Kind::InvalidRequest,
                format!(
                    "The model `{}` is not served here; {served} (GET /v1/models lists all).",
                    shown(model)
                ),
            )
        }
    }

    /// A model that does something else, for which there is `route`.
    pub fn wrong_kind(model: &str, route: &str) -> Self {
        Self::invalid(
            "model",
            format!(
                "The model `{}` does not do this; it answers at {route}.",
                shown(model)
            ),
        )
    }

    /// One that never was, is gone, or is another caller's: which of them is nobody's business.
    pub fn unknown_response(param: &str, id: &str) -> Self {
        Self {
            param: Some(param.to_owned()),
            code: Some(match param {
                "previous_response_id" => "previous_response_not_found",
                _ => "response_not_found",
            }),
            ..Self::new(
                StatusCode::NOT_FOUND,
                Kind::InvalidRequest,
                format!("There is no response `{}`.", shown(id)),
            )
        }
    }

    /// There is no model to tell about.
    pub fn no_encoder() -> Self {
        Self {
            code: Some("model_not_found"),
            ..Self::new(
                StatusCode::NOT_FOUND,
                Kind::InvalidRequest,
                "No model for embeddings or reranking is served here (GET /v1/models lists all).",
            )
        }
    }

    pub fn unknown_route(method: &Method, path: &str) -> Self {
        let message = format!(
            "There is nothing at {method} {}. The API is under /v1: /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/rerank, /v1/models.",
            shown(path)
        );
        Self {
            code: Some("unknown_url"),
            ..Self::new(StatusCode::NOT_FOUND, Kind::InvalidRequest, message)
        }
    }

    pub fn method_not_allowed(method: &Method, path: &str, allowed: &'static str) -> Self {
        Self {
            code: Some("method_not_allowed"),
            headers: vec![(header::ALLOW, HeaderValue::from_static(allowed))],
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Kind::InvalidRequest,
                format!(
                    "{} does not take {}; it takes {allowed}.",
                    shown(path),
                    shown(method.as_str())
                ),
            )
        }
    }

    /// `wanted` says what the body must be, and how that is said in a header.
    pub fn media_type(wanted: &str) -> Self {
        Self {
            code: Some("unsupported_media_type"),
            ..Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Kind::InvalidRequest,
                format!("The body must be {wanted}."),
            )
        }
    }

    pub fn body_too_large(max_body_bytes: usize) -> Self {
        Self {
            code: Some("request_too_large"),
            ..Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                Kind::InvalidRequest,
                format!(
                    "The body is larger than the {max_body_bytes} bytes that this server takes."
                ),
            )
        }
    }

    pub fn body_too_slow() -> Self {
        Self {
            code: Some("request_timeout"),
            headers: vec![(header::CONNECTION, HeaderValue::from_static("close"))],
            ..Self::new(
                StatusCode::REQUEST_TIMEOUT,
                Kind::InvalidRequest,
                "The body did not arrive in time; send the request again.",
            )
        }
    }

    pub fn missing_key() -> Self {
        Self::unauthorized(
            "This server needs an API key: send the header `Authorization: Bearer KEY`.",
        )
    }

    pub fn wrong_key() -> Self {
        Self::unauthorized(
            "The API key is not valid here; ask the operator of this server for one.",
        )
    }

    /// The model is still being loaded.
    pub fn loading() -> Self {
        Self {
            code: Some("model_loading"),
            ..Self::unavailable(
                SOON,
                "The model is being loaded; ask again in a moment (GET /readyz says when it is ready).",
            )
        }
    }

    pub fn stopped() -> Self {
        Self::unavailable(
            SOON,
            "The server is stopping and takes no more requests; ask again later.",
        )
    }

    pub fn overloaded(after: Duration) -> Self {
        Self::unavailable(
            after,
            "The server is busy: its queue is full. Ask again in a moment.",
        )
    }

    /// What the answer must look like is still being compiled, or what others asked for is.
    pub fn slow_format(param: &str, waited: Duration) -> Self {
        Self::unavailable(
            waited,
            format!(
                "`{param}` could not be compiled within {} s. Ask again in a moment, or make it simpler.",
                waited.as_secs()
            ),
        )
    }

    /// The engine died of an error and starts again.
    pub fn restarting(after: Duration) -> Self {
        Self::unavailable(
            after,
            "The model's engine failed and is starting again; ask again in a moment.",
        )
    }

    /// A step takes far longer than any should.
    pub fn stuck(since: Duration) -> Self {
        Self::unavailable(
            SOON,
            format!(
                "The model's engine has not answered for {} s.",
                since.as_secs()
            ),
        )
    }

    /// Computing this request ended the engine twice, so it is not tried again.
    pub fn quarantined() -> Self {
        Self {
            code: Some("request_quarantined"),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Kind::InvalidRequest,
                "This request is in quarantine: the model's engine failed on it twice. Change it, or ask \
                 the operator of this server to lift the quarantine.",
            )
        }
    }

    /// `request_timeout_ms` passed before the answer was complete.
    pub fn timeout(after: Duration) -> Self {
        Self {
            code: Some("request_timeout"),
            // It would take as long again.
            headers: vec![NO_RETRY],
            ..Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                Kind::Server,
                format!(
                    "The answer was not complete within the {} ms that this server allows.",
                    after.as_millis()
                ),
            )
        }
    }

    /// Our fault: `cause` goes to the log, the request id to the client.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                Kind::Server,
                "Something went wrong in the server.",
            )
        }
    }

    /// `prompt_field` is the field that holds the prompt: `messages` or `prompt`.
    pub fn from_generation(error: &GenerationError, prompt_field: &'static str) -> Self {
        match error {
            GenerationError::ContextLength {
                max_model_len,
                num_prompt_tokens,
                max_tokens,
            } => Self {
                code: Some("context_length_exceeded"),
                ..Self::invalid(
                    prompt_field,
                    format!(
                        "This model's context is {max_model_len} tokens, but `{prompt_field}` has \
                         {num_prompt_tokens} and {max_tokens} more are asked for. Shorten \
                         `{prompt_field}` or ask for fewer tokens."
                    ),
                )
            },
            GenerationError::EmptyPrompt => Self::invalid(
                prompt_field,
                format!("`{prompt_field}` must hold at least one token."),
            ),
            GenerationError::UnknownToken { id, vocab_size } => Self::invalid(
                prompt_field,
                format!(
                    "The token id {id} is not in this model's vocabulary: ids are below {vocab_size}."
                ),
            ),
            GenerationError::TooManyChoices { count, limit } => Self::invalid(
                "n",
                format!(
                    "{count} choices over all prompts are more than the {limit} that this server runs and queues."
                ),
            ),
            GenerationError::NoChatTemplate => Self::invalid(
                "model",
                "This model has no chat template, so it cannot chat; use /v1/completions.",
            ),
            GenerationError::Template(reason) => Self::invalid(
                prompt_field,
                format!(
                    "The model's chat template refuses these messages: {}",
                    shown(reason)
                ),
            ),
            GenerationError::Overloaded { retry_after } => Self::overloaded(*retry_after),
            GenerationError::Restarting { retry_after } => Self::restarting(*retry_after),
            GenerationError::Quarantined => Self::quarantined(),
            GenerationError::Timeout(after) => Self::timeout(*after),
            GenerationError::Format(reason) => Self {
                code: Some("format_failed"),
                ..Self::bad_body(format!(
                    "The answer could not be continued in the format that was asked for: {}. Make the format simpler.",
                    shown(reason)
                ))
            },
            GenerationError::Stopped => Self::stopped(),
            GenerationError::Internal(cause) => Self::internal(cause.clone()),
        }
    }

    /// `field` holds the texts; `place` writes how one of them is called.
    pub fn from_encoding(
        error: &EncodingError,
        field: &'static str,
        place: impl Fn(usize) -> String,
    ) -> Self {
        match error {
            EncodingError::TooLong {
                index,
                num_tokens,
                max_text_len,
            } => {
                let place = place(*index);
                Self {
                    code: Some("context_length_exceeded"),
                    ..Self::invalid(
                        field,
                        format!(
                            "This model takes up to {max_text_len} tokens, but `{place}` has {num_tokens}. Shorten it or \
                             send it in parts."
                        ),
                    )
                }
            }
            EncodingError::Empty { index } => {
                let place = place(*index);
                Self::invalid(field, format!("`{place}` must hold at least one token."))
            }
            EncodingError::UnknownToken {
                index,
                id,
                vocab_size,
            } => {
                let place = place(*index);
                Self::invalid(
                    field,
                    format!(
                        "The token id {id} in `{place}` is not in this model's vocabulary: ids are below {vocab_size}. \
                         Send text where the ids are another model's."
                    ),
                )
            }
            EncodingError::Overloaded { retry_after } => Self::overloaded(*retry_after),
            EncodingError::Timeout(after) => Self::timeout(*after),
            EncodingError::Stopped => Self::stopped(),
            EncodingError::Internal(cause) => Self::internal(cause.clone()),
        }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether it would be answered at another time.
    pub fn is_overload(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// What is our fault is found again by the request's id.
    /// The same for a client that has its answer already: its cause goes to the log.
    pub fn logged(self, id: &RequestId) -> Self {
        if let Some(cause) = self.cause() {
            tracing::error!(request.id = %id, "request {id} failed: {cause}");
        }
        self.with_request_id(id)
    }

    pub fn with_request_id(mut self, id: &RequestId) -> Self {
        if self.status == StatusCode::INTERNAL_SERVER_ERROR {
            self.message = format!(
                "Something went wrong in the server; its operator finds the cause under the request id {id}."
            );
        }
        self
    }

    /// The object that OpenAI's clients read.
    pub fn to_json(&self) -> Value {
        // Strings, which always serialize.
        serde_json::to_value(self.body()).unwrap_or_default()
    }

    fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorObject {
                message: self.message.clone(),
                r#type: self.kind.name(),
                param: self.param.clone(),
                code: self.code,
            },
        }
    }

    /// Us, not you: try again `after` this.
    fn unavailable(after: Duration, message: impl Into<String>) -> Self {
        Self {
            code: Some("overloaded"),
            headers: waiting(after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, Kind::Server, message)
        }
    }

    fn unauthorized(message: &str) -> Self {
        Self {
            code: Some("invalid_api_key"),
            headers: vec![(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))],
            ..Self::new(StatusCode::UNAUTHORIZED, Kind::Authentication, message)
        }
    }

    fn new(status: StatusCode, kind: Kind, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            param: None,
            code: None,
            headers: Vec::new(),
            cause: None,
        }
    }
}

/// `Retry-After` in whole seconds, at least one.
fn waiting(after: Duration) -> Vec<(header::HeaderName, HeaderValue)> {
    let seconds = after.as_millis().div_ceil(1000).clamp(1, 3600) as u64;
    let mut headers = vec![(header::RETRY_AFTER, HeaderValue::from(seconds))];
    if seconds > LONGEST_HONOURED {
        headers.push(NO_RETRY);
    }
    headers
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Server => "server_error",
        }
    }
}

impl IntoResponse for ApiError {
    /// The error itself rides along as an extension, for the log and the request id.
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// What a client sent, cut so that an error stays short.
pub fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    let mut shown: String = text
        .chars()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
