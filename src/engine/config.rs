use super::{SequenceRequest, SubmitError};

/// Limits of one engine. Derived from the configuration and the model, then frozen.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Most tokens computed in one step, over all sequences.
    pub max_num_batched_tokens: usize,
    /// Most sequences computed in one step.
    pub max_num_seqs: usize,
    /// Most sequences that are admitted beyond `max_num_seqs`; one more is refused with
    /// [`SubmitError::QueueFull`]. They wait, and others with them while KV blocks are short.
    pub max_num_waiting: usize,
    /// Longest prompt plus completion, in tokens.
    pub max_model_len: usize,
    /// Token ids are below this.
    pub vocab_size: usize,
    /// Tokens in one KV block.
    pub block_size: usize,
    /// KV blocks that sequences share.
    pub num_blocks: usize,
}

impl EngineConfig {
    /// Longest prompt plus completion that can ever run, in tokens.
    pub fn max_sequence_len(&self) -> usize {
        self.max_model_len.min(self.num_blocks * self.block_size)
    }

    /// Whether a request can ever be finished.
    pub fn check(&self, request: &SequenceRequest) -> Result<(), SubmitError> {
        let (num_prompt_tokens, max_tokens) = (request.prompt.len(), request.max_tokens);
        if num_prompt_tokens == 0 || max_tokens == 0 {
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
