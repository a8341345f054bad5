use super::{ApiError, Kind, shown};
use crate::document::DocumentError;
use crate::prompt::LookupError;
use axum::http::StatusCode;

impl ApiError {
    /// A document that cannot be read; `path` is where it stands in the request.
    pub fn from_document(error: &DocumentError, path: &str, name: &str) -> Self {
        let code = match error {
            DocumentError::Empty => "document_empty",
            DocumentError::Unsupported { .. } => "document_unsupported",
            DocumentError::Encrypted { .. } => "document_encrypted",
            DocumentError::UnreadablePages { .. } => "document_unreadable_pages",
            DocumentError::TooManyPages { .. } | DocumentError::LimitExceeded { .. } => {
                "document_too_large"
            }
            DocumentError::Bomb { .. } => "document_bomb",
            DocumentError::Malformed { .. } => "document_malformed",
            DocumentError::ReaderFailed { .. } | DocumentError::Forbidden => "document_unreadable",
            DocumentError::Sandbox { reason } => {
                return Self::internal(format!("no document can be read: {reason}"));
            }
        };
        Self {
            param: Some(path.to_owned()),
            code: Some(code),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Kind::InvalidRequest,
                format!("`{path}` ({}) is not read: {error}.", shown(name)),
            )
        }
    }

    /// A prompt, or a version of one, that is not there.
    pub fn unknown_prompt(param: &str, error: &LookupError) -> Self {
        let message = match error {
            LookupError::Id { id, known } => format!(
                "There is no prompt `{}`; there are {} (GET /v1/prompts lists all).",
                shown(id),
                known.join(", ")
            ),
            LookupError::Version { id, version, known } => format!(
                "There is no version {} of the prompt `{id}`; there are {}.",
                shown(version),
                known.join(", ")
            ),
        };
        Self {
            param: Some(param.to_owned()),
            code: Some("prompt_not_found"),
            ..Self::new(StatusCode::NOT_FOUND, Kind::InvalidRequest, message)
        }
    }
}
