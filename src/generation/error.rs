use crate::engine::{EngineError, SubmitError};
use crate::text::TextError;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GenerationError {
    #[error(
        "this model's maximum context length is {max_model_len} tokens, but the request has {num_prompt_tokens} \
         in the prompt and asks for {max_tokens} more"
    )]
    ContextLength {
        max_model_len: usize,
        num_prompt_tokens: usize,
        max_tokens: usize,
    },
    #[error("the prompt is empty")]
    EmptyPrompt,
    #[error("token id {id} is not in the vocabulary of {vocab_size}")]
    UnknownToken { id: u32, vocab_size: usize },
    #[error("{count} choices over all prompts exceed the {limit} that this server runs and queues")]
    TooManyChoices { count: usize, limit: usize },
    #[error("this model has no chat template")]
    NoChatTemplate,
    /// The template refused the messages, in its own words.
    #[error("{0}")]
    Template(String),
    /// This caller's part of the queue is full.
    #[error("the server is busy: its queue is full")]
    Overloaded { retry_after: Duration },
    /// The engine died and starts again.
    #[error("the engine starts again")]
    Restarting { retry_after: Duration },
    #[error("this request is in quarantine")]
    Quarantined,
    /// The answer cannot be continued in the form that was asked for.
    #[error("the answer cannot keep to its format: {0}")]
    Format(String),
    #[error("not finished within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("the engine has stopped")]
    Stopped,
    #[error("internal: {0}")]
    Internal(String),
}

impl From<SubmitError> for GenerationError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::NeverFits {
                num_prompt_tokens,
                max_tokens,
                limit,
            } => Self::ContextLength {
                max_model_len: limit,
                num_prompt_tokens,
                max_tokens,
            },
            SubmitError::Empty => Self::EmptyPrompt,
            SubmitError::UnknownToken { id, vocab_size } => Self::UnknownToken { id, vocab_size },
            SubmitError::TooMany { count, limit } => Self::TooManyChoices { count, limit },
            SubmitError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            SubmitError::Restarting { retry_after } => Self::Restarting { retry_after },
            SubmitError::Quarantined => Self::Quarantined,
            SubmitError::Stopped => Self::Stopped,
        }
    }
}

impl From<EngineError> for GenerationError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Stopped => Self::Stopped,
            EngineError::Step(message) => Self::Internal(message),
            EngineError::Timeout(after) => Self::Timeout(after),
            EngineError::NotANumber => Self::Internal(error.to_string()),
            EngineError::Constraint(error) => Self::Format(error.0),
        }
    }
}

impl From<TextError> for GenerationError {
    fn from(error: TextError) -> Self {
        match error {
            TextError::Template(message) => Self::Template(message),
            TextError::File { .. } | TextError::Tokenize(_) => Self::Internal(error.to_string()),
        }
    }
}
