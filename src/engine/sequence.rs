use super::SamplingParams;
use std::sync::Arc;

/// One generation to run.
#[derive(Debug, Clone)]
pub struct SequenceRequest {
    /// Token ids; at least one.
    pub prompt: Vec<u32>,
    /// Most tokens to generate; at least one.
    pub max_tokens: usize,
    /// Ids that end the sequence. The one that did is not part of the events.
    pub stop_token_ids: Arc<[u32]>,
    pub sampling: SamplingParams,
}

/// What a sequence reports, in order. The last event is `Finished` or `Failed`.
#[derive(Debug, Clone, PartialEq)]
pub enum SequenceEvent {
    /// One generated token, with the natural logarithm of its probability under the
    /// model's own distribution (before temperature, top-k and top-p).
    Token { id: u32, logprob: f32 },
    Finished(FinishReason),
    Failed(EngineError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// A stop token was drawn.
    Stop,
    /// `max_tokens` were generated.
    Length,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("the engine stopped before the sequence was finished")]
    Stopped,
    #[error("the model failed on a step: {0}")]
    Step(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Prompt and completion exceed the context or all KV blocks together.
    #[error("{num_prompt_tokens} prompt tokens and {max_tokens} to generate exceed {limit} tokens")]
    NeverFits { num_prompt_tokens: usize, max_tokens: usize, limit: usize },
    #[error("a sequence needs at least one prompt token and one token to generate")]
    Empty,
    #[error("{limit} sequences are waiting already")]
    QueueFull { limit: usize },
    #[error("the engine has stopped")]
    Stopped,
}
