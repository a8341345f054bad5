use super::MAX_PARTS;
use crate::prompt::StepName;

/// Why a document cannot be read in parts. Each is told before anything is computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// `step` with the least that it can read, and its answer, take `needed` tokens.
    #[error(
        "the document does not fit the model's context, and in parts its step `{}` needs {needed} tokens where the model has {context}: lower max_tokens, shorten the prompt, or ask a model with a longer context",
        step.as_str()
    )]
    RoomTooSmall {
        step: StepName,
        context: usize,
        needed: usize,
    },
    /// By `join` an answer is about as long as its part.
    #[error(
        "the answer to even the smallest part of the document may take {needed} tokens: raise max_tokens, which is {max_tokens}, to at least that"
    )]
    AnswerTooShort { max_tokens: usize, needed: usize },
    #[error(
        "the document would be read in {num_parts} parts, and {MAX_PARTS} are allowed: send fewer pages, or ask a model with a longer context"
    )]
    TooManyParts { num_parts: usize },
    /// The parts were made for another room than the plan.
    #[error("part {number} takes {num_tokens} tokens, and {max_tokens} are left for it")]
    PartTooLong {
        number: usize,
        num_tokens: usize,
        max_tokens: usize,
    },
    #[error(
        "reading the document in {num_steps} steps takes up to {num_tokens} tokens, and {max_tokens} are allowed: send fewer pages, lower max_tokens, or ask a model with a longer context"
    )]
    TooManyTokens {
        num_tokens: u64,
        max_tokens: u64,
        num_steps: usize,
    },
}

/// Whoever runs a plan has mistaken its steps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    #[error("step {0} is not running")]
    NotRunning(usize),
}
