use super::{KvGroup, SequenceRequest, SubmitError};
use std::path::PathBuf;
use std::time::Duration;

/// Limits of one engine. Derived from the configuration and the model, then frozen.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Longest prompt plus completion, in tokens.
    pub max_model_len: usize,
    /// Token ids are below this.
    pub vocab_size: usize,
    /// Tokens in one KV block.
    pub block_size: usize,
    /// The groups of layers with a pool of KV blocks each; a sequence needs some of every one.
    pub kv_groups: Vec<KvGroup>,
    /// Most tokens computed in one step, over all sequences.
    pub max_num_batched_tokens: usize,
    /// Most sequences computed in one step.
    pub max_num_seqs: usize,
    /// Most rows of logits in one step; at least `max_num_seqs`.
    pub max_num_outputs: usize,
    /// How long a step should take while streams wait for their next token; prefills are cut
    /// to it. `None`: as long as `max_num_batched_tokens` take.
    pub max_step: Option<Duration>,
    /// Prefill tokens of a step before any step has shown how long they take.
    pub first_prefill: usize,
    /// Most sequences of one flow that are admitted beyond `max_num_seqs`.
    pub max_num_waiting: usize,
    /// Most prompt tokens of one flow that wait to be started.
    pub max_waiting_tokens: usize,
    /// How many times all KV blocks of a group one flow's admitted sequences may need together.
    pub max_kv_overcommit: usize,
    /// A sequence that would probably wait longer than this is refused.
    pub max_queue: Duration,
    pub prefix_cache: PrefixCache,
    /// How long a dead engine waits before it starts again; doubles with each death that
    /// follows soon, up to a minute.
    pub restart_delay: Duration,
    /// A step that takes longer than this is stuck.
    pub stall_timeout: Duration,
    /// Where the fingerprints of requests in quarantine are kept; `None`: in memory alone.
    pub quarantine_path: Option<PathBuf>,
}

/// What becomes of KV blocks that no sequence reads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixCache {
    /// No sequence finds blocks of another request.
    Off,
    /// They are kept for sequences of the same namespace, at most so many blocks of each
    /// group, until their memory is needed.
    PerNamespace { max_blocks: usize },
}

impl EngineConfig {
    /// The limits that the configuration has by default, for a model whose layers all see every
    /// token before and share `num_blocks` blocks of `block_size` tokens.
    pub fn new(
        vocab_size: usize,
        max_model_len: usize,
        block_size: usize,
        num_blocks: usize,
    ) -> Self {
        Self {
            max_model_len,
            vocab_size,
            block_size,
            kv_groups: vec![KvGroup::without_window(num_blocks)],
            max_num_batched_tokens: 512,
            max_num_seqs: 64,
            max_num_outputs: 64,
            max_step: Some(Duration::from_millis(100)),
            first_prefill: 64,
            max_num_waiting: 256,
            max_waiting_tokens: 262_144,
            max_kv_overcommit: 16,
            max_queue: Duration::from_secs(30),
            prefix_cache: PrefixCache::PerNamespace {
                max_blocks: usize::MAX,
            },
            restart_delay: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(300),
            quarantine_path: None,
        }
    }

    /// Whether a request can ever be finished.
    pub fn check(&self, request: &SequenceRequest) -> Result<(), SubmitError> {
        let (num_prompt_tokens, max_tokens) = (request.prompt.len(), request.max_tokens);
        let computes = max_tokens > 0 || request.prompt_logprobs.is_some();
        if num_prompt_tokens == 0 || !computes {
            return Err(SubmitError::Empty);
        }
        let limit = self.max_sequence_len();
        if num_prompt_tokens.saturating_add(max_tokens) > limit {
            return Err(SubmitError::NeverFits {
                num_prompt_tokens,
                max_tokens,
                limit,
            });
        }
        match request
            .prompt
            .iter()
            .find(|id| **id as usize >= self.vocab_size)
        {
            Some(id) => Err(SubmitError::UnknownToken {
                id: *id,
                vocab_size: self.vocab_size,
            }),
            None => Ok(()),
        }
    }
}
