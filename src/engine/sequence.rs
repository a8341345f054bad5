use super::block_manager::BlockTable;
use super::constraint::TokenConstraint;
use super::runner::TokenOutput;
use super::sampling::SamplingParams;
use super::scheduler::End;
use std::sync::Arc;
use std::time::Duration;

/// One generation to run.
#[derive(Debug, Clone)]
pub struct SequenceRequest {
    /// Token ids; at least one.
    pub prompt: Arc<[u32]>,
    /// Most tokens to generate; at least one, or none if the prompt is scored.
    pub max_tokens: usize,
    /// Ids that end the sequence. The one that did is not part of the events.
    pub stop_token_ids: Arc<[u32]>,
    /// Tokens to generate before a stop token may be chosen.
    pub min_tokens: usize,
    pub sampling: SamplingParams,
    /// Report the log-probabilities of the prompt's tokens, and this many of the most
    /// probable ones at each place.
    pub prompt_logprobs: Option<usize>,
    pub constraint: Option<Arc<dyn TokenConstraint>>,
    pub origin: Origin,
    /// How long after its submission the sequence is given up.
    pub timeout: Option<Duration>,
}

impl SequenceRequest {
    /// Generates up to `max_tokens` after `prompt`, by the defaults of everything else.
    pub fn new(prompt: impl Into<Arc<[u32]>>, max_tokens: usize) -> Self {
        Self {
            prompt: prompt.into(),
            max_tokens,
            stop_token_ids: Arc::new([]),
            min_tokens: 0,
            sampling: SamplingParams::default(),
            prompt_logprobs: None,
            constraint: None,
            origin: Origin::default(),
            timeout: None,
        }
    }
}

/// Where a sequence comes from, as far as the engine must know to share itself fairly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    pub flow: FlowId,
    pub class: Class,
    /// Sequences share cached blocks only within one namespace.
    pub namespace: Namespace,
}

/// Those who share the engine among them: each gets its part, however much it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlowId(pub u32);

/// Opaque; equal for callers who may learn from timing what the other asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Namespace(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Class {
    /// Someone waits for the answer.
    #[default]
    Interactive,
    /// Takes what the interactive ones leave.
    Batch,
}

/// What a sequence reports, in order. The last event is `Finished` or `Failed`.
#[derive(Debug, Clone, PartialEq)]
pub enum SequenceEvent {
    /// The prompt is computed. Once, before the first token.
    Prompt(PromptReport),
    /// One generated token.
    Token(TokenOutput),
    Finished(FinishReason),
    Failed(EngineError),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct PromptReport {
    /// Prompt tokens that were found in the prefix cache when the sequence first started.
    pub num_cached_tokens: usize,
    /// For each token of the prompt but the first, if asked for.
    pub logprobs: Vec<TokenOutput>,
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
    #[error("the sequence was not finished within {} ms", .0.as_millis())]
    Timeout(Duration),
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
    #[error("a sequence needs at least one prompt token and something to compute")]
    Empty,
    #[error("token id {id} is not below the vocabulary size, {vocab_size}")]
    UnknownToken { id: u32, vocab_size: usize },
    /// One request has more sequences than the engine ever holds.
    #[error("{count} sequences at once exceed the {limit} that can run and wait")]
    TooMany { count: usize, limit: usize },
    /// This flow's part of the queue is full.
    #[error("the queue is full; there is room in about {} ms", .retry_after.as_millis())]
    Overloaded { retry_after: Duration },
    /// The same request was being computed when the engine died, twice in a row.
    #[error("this request is in quarantine: the engine died of it, or beside it, twice")]
    Quarantined,
    /// The engine died and starts again.
    #[error("the engine starts again in about {} ms", .retry_after.as_millis())]
    Restarting { retry_after: Duration },
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
    pub request: SequenceRequest,
    /// The prompt, then what was generated.
    pub tokens: Vec<u32>,
    /// Tokens whose keys and values are in the cache. Preemption sets it back to 0.
    pub num_computed: usize,
    /// Prompt tokens counted as computed so far, so that a recomputation is not counted.
    pub num_prompt_counted: usize,
    pub block_tables: Vec<BlockTable>,
}

impl Sequence {
    pub fn new(id: SequenceId, request: SequenceRequest, num_groups: usize) -> Self {
        Self {
            id,
            tokens: request.prompt.to_vec(),
            request,
            num_computed: 0,
            num_prompt_counted: 0,
            block_tables: vec![BlockTable::new(); num_groups],
        }
    }

    pub fn num_prompt(&self) -> usize {
        self.request.prompt.len()
    }

    /// Tokens that must be computed before the next one can be sampled; 1 while decoding.
    pub fn num_missing(&self) -> usize {
        self.tokens.len() - self.num_computed
    }

    pub fn generated(&self) -> &[u32] {
        &self.tokens[self.num_prompt()..]
    }

    /// Takes a sampled token: what is reported of it, and whether the sequence ends.
    pub fn accept(&mut self, token: TokenOutput) -> (Option<TokenOutput>, Option<End>) {
        if token.logprob.is_nan() {
            return (None, Some(End::Damaged));
        }
        if self.request.stop_token_ids.contains(&token.id) {
            return (None, Some(End::Finished(FinishReason::Stop)));
        }
        self.tokens.push(token.id);
        let full = self.generated().len() >= self.request.max_tokens;
        (
            Some(token),
            full.then_some(End::Finished(FinishReason::Length)),
        )
    }
}
