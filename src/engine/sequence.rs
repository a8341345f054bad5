use super::block_manager::BlockTable;
use super::scheduler::End;
use super::{SamplingParams, TokenOutput};
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
    Token {
        id: u32,
        logprob: f32,
    },
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
    /// This sequence alone: its neighbours do not see what it computed.
    #[error("the model computed no number: a weight that the prompt reaches is damaged")]
    NotANumber,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Prompt and completion exceed the context or all KV blocks together.
    #[error("{num_prompt_tokens} prompt tokens and {max_tokens} to generate exceed {limit} tokens")]
    NeverFits {
        num_prompt_tokens: usize,
        max_tokens: usize,
        limit: usize,
    },
    #[error("a sequence needs at least one prompt token and one token to generate")]
    Empty,
    #[error("token id {id} is not below the vocabulary size, {vocab_size}")]
    UnknownToken { id: u32, vocab_size: usize },
    /// One request has more sequences than the engine ever holds.
    #[error("{count} sequences at once exceed the {limit} that can run and wait")]
    TooMany { count: usize, limit: usize },
    #[error("{limit} sequences are waiting already")]
    QueueFull { limit: usize },
    #[error("the engine has stopped")]
    Stopped,
}

/// Names a sequence over its life; never used twice by one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceId(pub u64);

/// A sequence inside the scheduler.
#[derive(Debug)]
pub(super) struct Sequence {
    pub id: SequenceId,
    /// The prompt, then what was generated.
    pub tokens: Vec<u32>,
    pub num_prompt: usize,
    /// Tokens whose keys and values are in the cache. Preemption sets it back to 0.
    pub num_computed: usize,
    /// Prompt tokens counted as computed so far, so that a recomputation is not counted.
    pub num_prompt_counted: usize,
    pub block_tables: Vec<BlockTable>,
    pub max_tokens: usize,
    pub stop_token_ids: Arc<[u32]>,
    pub sampling: SamplingParams,
}

impl Sequence {
    pub fn new(id: SequenceId, request: SequenceRequest, num_groups: usize) -> Self {
        Self {
            id,
            num_prompt: request.prompt.len(),
            tokens: request.prompt,
            num_computed: 0,
            num_prompt_counted: 0,
            block_tables: vec![BlockTable::new(); num_groups],
            max_tokens: request.max_tokens,
            stop_token_ids: request.stop_token_ids,
            sampling: request.sampling,
        }
    }

    /// Tokens that must be computed before the next one can be sampled; 1 while decoding.
    pub fn num_missing(&self) -> usize {
        self.tokens.len() - self.num_computed
    }

    pub fn num_generated(&self) -> usize {
        self.tokens.len() - self.num_prompt
    }

    /// Takes a sampled token: what is reported of it, and whether the sequence ends.
    pub fn accept(&mut self, token: TokenOutput) -> (Option<TokenOutput>, Option<End>) {
        if token.logprob.is_nan() {
            return (None, Some(End::Damaged));
        }
        if self.stop_token_ids.contains(&token.id) {
            return (None, Some(End::Finished(FinishReason::Stop)));
        }
        self.tokens.push(token.id);
        let full = self.num_generated() >= self.max_tokens;
        (
            Some(token),
            full.then_some(End::Finished(FinishReason::Length)),
        )
    }
}
