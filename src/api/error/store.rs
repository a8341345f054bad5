use super::{ApiError, Kind, shown};
use crate::store::StoreError;
use axum::http::StatusCode;

impl ApiError {
    /// What the store would not or could not do.
    pub fn from_store(error: StoreError) -> Self {
        match error {
            StoreError::TooManyFiles { max } => Self::no_room(format!(
                "One caller may keep {max} files on this server (files.max_files), and as many are there: delete \
                 some, or let them end sooner (`expires_after`)."
            )),
            StoreError::NoRoom {
                num_bytes,
                used_bytes,
                max_bytes,
            } => Self::no_room(format!(
                "The file has {num_bytes} bytes. One caller may keep {max_bytes} on this server \
                 (files.max_store_mib), of which {used_bytes} are taken: delete files, or let them end sooner \
                 (`expires_after`)."
            )),
            StoreError::Open { .. }
            | StoreError::Migrate { .. }
            | StoreError::Query(_)
            | StoreError::TooLarge { .. } => Self::internal(error.to_string()),
        }
    }

    /// This server keeps none, whatever is asked of it.
    pub fn keeps_no_files() -> Self {
        Self {
            code: Some("files_not_kept"),
            ..Self::new(
                StatusCode::NOT_FOUND,
                Kind::InvalidRequest,
                "This server keeps no files (responses.store = false); send them with the requests that need them, \
                 as `file_data`.",
            )
        }
    }

    /// One that never was, is gone, or is another caller's: which of them is nobody's business.
    pub fn unknown_file(id: &str) -> Self {
        Self {
            param: Some("id".to_owned()),
            code: Some("file_not_found"),
            ..Self::new(
                StatusCode::NOT_FOUND,
                Kind::InvalidRequest,
                format!("There is no file `{}`.", shown(id)),
            )
        }
    }

    /// The same where a request names it in a field.
    pub fn unknown_file_in(param: &str, id: &str) -> Self {
        Self {
            code: Some("file_not_found"),
            ..Self::invalid(
                param,
                format!(
                    "`{param}` must name a file that is kept: there is no file `{}` (GET /v1/files lists yours).",
                    shown(id)
                ),
            )
        }
    }

    pub fn file_too_large(max_bytes: usize) -> Self {
        Self {
            param: Some("file".to_owned()),
            code: Some("request_too_large"),
            ..Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                Kind::InvalidRequest,
                format!(
                    "`file` is larger than the {max_bytes} bytes that a file may have here (documents.max_file_mib)."
                ),
            )
        }
    }

    fn no_room(message: String) -> Self {
        Self {
            code: Some("file_quota_exceeded"),
            ..Self::invalid("file", message)
        }
    }
}
