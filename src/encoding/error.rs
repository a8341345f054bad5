use crate::engine::{EngineError, SubmitError};
use crate::text::TextError;
use std::time::Duration;

/// `index` is a text's place in the request.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EncodingError {
    #[error("text {index} has {num_tokens} tokens, more than {max_text_len}")]
    TooLong {
        index: usize,
        num_tokens: usize,
        max_text_len: usize,
    },
    #[error("text {index} is empty")]
    Empty { index: usize },
    #[error("token id {id} of text {index} is not in the vocabulary of {vocab_size}")]
    UnknownToken {
        index: usize,
        id: u32,
        vocab_size: usize,
    },
    /// This caller has enough waiting.
    #[error("the server is busy: its queue is full")]
    Overloaded { retry_after: Duration },
    #[error("not finished within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("the engine has stopped")]
    Stopped,
    #[error("internal: {0}")]
    Internal(String),
}

impl From<SubmitError> for EncodingError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded { retry_after } | SubmitError::Restarting { retry_after } => {
                Self::Overloaded { retry_after }
            }
            SubmitError::Stopped => Self::Stopped,
            // The texts were looked at before.
            SubmitError::NeverFits { .. }
            | SubmitError::Empty
            | SubmitError::UnknownToken { .. }
            | SubmitError::TooMany { .. }
            | SubmitError::Quarantined => Self::Internal(error.to_string()),
        }
    }
}

impl From<EngineError> for EncodingError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Stopped => Self::Stopped,
            EngineError::Timeout(after) => Self::Timeout(after),
            EngineError::Step(_) | EngineError::NotANumber | EngineError::Constraint(_) => {
                Self::Internal(error.to_string())
            }
        }
    }
}

impl From<TextError> for EncodingError {
    fn from(error: TextError) -> Self {
        Self::Internal(error.to_string())
    }
}
