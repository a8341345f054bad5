use super::block_manager::{Prefix, SequenceBlocks};
use super::constraint::{ConstraintError, TokenConstraint};
use super::prefix::{BlockHash, Scope};
use super::runner::TokenOutput;
use super::sampling::SamplingParams;
use super::step::End;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    pub flow: FlowId,
    /// The flow's share beside others'; at least 1.
    pub weight: u32,
    pub class: Class,
    /// Sequences share cached blocks only within one namespace.
    pub namespace: Namespace,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            flow: FlowId::default(),
            weight: 1,
            class: Class::default(),
            namespace: Namespace::default(),
        }
    }
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
    /// This sequence alone.
    #[error("the answer's constraint leaves no token: {0}")]
    Constraint(ConstraintError),
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
    pub scope: Scope,
    /// The prompt, then what was generated.
    pub tokens: Vec<u32>,
    /// One for each full block of `tokens`, as far as they were needed.
    pub hashes: Vec<BlockHash>,
    /// Tokens whose keys and values are in the cache. Preemption sets it back to 0.
    pub num_computed: usize,
    /// Blocks that others may find.
    pub num_published: usize,
    /// Blocks that others may wait for: published, or about to be.
    pub num_announced: usize,
    /// Prompt tokens counted as computed so far, so that a recomputation is not counted.
    pub num_prompt_counted: usize,
    pub blocks: SequenceBlocks,
    /// Log-probabilities of the prompt's tokens, from the second on.
    pub scored: Vec<TokenOutput>,
    /// Prompt tokens found in the cache at the first start.
    pub num_cached: Option<usize>,
    pub prompt_reported: bool,
    /// Starts of others while this one was first in its queue and there was no room for it.
    pub num_overtaken: u32,
    /// No other sequence is in its steps: it may be what the engine died of.
    pub is_suspect: bool,
    /// Steps that it had for itself.
    pub num_steps_alone: u32,
    /// The step in which it was started last.
    pub started_in: u64,
    /// It was overtaken so often that it is not preempted for others.
    pub protected: bool,
}

impl Sequence {
    pub fn new(id: SequenceId, scope: Scope, request: SequenceRequest, num_groups: usize) -> Self {
        Self {
            id,
            scope,
            tokens: request.prompt.to_vec(),
            request,
            hashes: Vec::new(),
            num_computed: 0,
            num_published: 0,
            num_announced: 0,
            num_prompt_counted: 0,
            blocks: SequenceBlocks::new(num_groups),
            scored: Vec::new(),
            num_cached: None,
            prompt_reported: false,
            num_overtaken: 0,
            is_suspect: false,
            num_steps_alone: 0,
            started_in: 0,
            protected: false,
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

    pub fn prefix(&self) -> Prefix<'_> {
        Prefix {
            scope: self.scope,
            hashes: &self.hashes,
            tokens: &self.tokens,
        }
    }

    /// Prompt tokens whose log-probabilities are still to be computed.
    pub fn num_unscored(&self) -> usize {
        match self.request.prompt_logprobs {
            Some(_) => self.num_prompt() - 1 - self.scored.len(),
            None => 0,
        }
    }

    /// Blocks that may come from the cache: the last token is computed in any case, and so is
    /// each whose successor must be scored.
    pub fn max_cached_blocks(&self, block_size: usize) -> usize {
        let needed = if self.num_unscored() > 0 {
            self.scored.len()
        } else {
            self.tokens.len() - 1
        };
        needed / block_size
    }

    /// How many rows of logits the next `num_tokens` tokens from `start` on need.
    pub fn num_outputs(&self, start: usize, num_tokens: usize) -> usize {
        self.scored_rows(start, num_tokens) + usize::from(self.samples(start + num_tokens))
    }

    /// Rows of the range whose successors are to be scored: all up to the prompt's last but
    /// one, or none.
    pub fn scored_rows(&self, start: usize, num_tokens: usize) -> usize {
        if self.num_unscored() == 0 || start < self.scored.len() {
            return 0;
        }
        num_tokens.min((self.num_prompt() - 1).saturating_sub(start))
    }

    /// Whether a token is sampled once everything before `end` is computed.
    pub fn samples(&self, end: usize) -> bool {
        end == self.tokens.len() && self.request.max_tokens > 0
    }

    /// Takes a sampled token: what is reported of it, and whether the sequence ends.
    pub fn accept(
        &mut self,
        sampled: Result<TokenOutput, ConstraintError>,
    ) -> (Option<TokenOutput>, Option<End>) {
        let token = match sampled {
            Ok(token) => token,
            Err(error) => return (None, Some(End::Stuck(error))),
        };
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
