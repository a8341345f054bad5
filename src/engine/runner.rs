use super::constraint::{ConstraintError, TokenConstraint};
use super::sampling::SamplingParams;
use std::sync::Arc;

/// One sequence's share of a step: compute a range of its tokens.
///
/// Prefill is a range of many, decode a range of one, chunked prefill a range cut short.
#[derive(Debug)]
pub struct StepItem<'a> {
    /// Identifies the sequence over its life.
    pub sequence: u64,
    /// The ids to compute, in order.
    pub tokens: &'a [u32],
    /// Position of `tokens[0]` in the sequence.
    pub start: usize,
    /// KV blocks of the whole sequence, for each KV group.
    pub block_tables: &'a [Vec<u32>],
    /// Sample a token from the last row's logits.
    pub sample: Option<SampleRequest<'a>>,
    /// Report the log-probabilities of tokens that are known.
    pub score: Option<ScoreRequest<'a>>,
}

/// What choosing the next token takes besides the logits.
#[derive(Debug, Clone, Copy)]
pub struct SampleRequest<'a> {
    pub params: &'a SamplingParams,
    pub prompt: &'a [u32],
    pub generated: &'a [u32],
    /// Ids that must not be chosen yet, unless the constraint allows no other.
    pub banned: &'a [u32],
    pub constraint: Option<&'a Arc<dyn TokenConstraint>>,
}

/// Asks for the log-probabilities of the tokens that follow the rows of a range.
#[derive(Debug, Clone, Copy)]
pub struct ScoreRequest<'a> {
    /// `targets[i]` follows the i-th token of the range. One shorter than the range where
    /// the last token's successor is not known yet.
    pub targets: &'a [u32],
    /// How many of the most probable tokens to report beside each target.
    pub num_top: usize,
}

/// A token with the natural logarithm of its probability under the model's own
/// distribution: before biases, penalties, temperature and all that cuts it. It is NaN where
/// the model computed no distribution, and −∞ for a token that the model rules out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TokenOutput {
    pub id: u32,
    pub logprob: f32,
    /// The most probable tokens at this place, best first; equals in the order of their ids.
    pub top: Vec<TopToken>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TopToken {
    pub id: u32,
    pub logprob: f32,
}

/// What a step computed for one item.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ItemOutput {
    /// There where the item asked for it. An error: its constraint leaves no token.
    pub sampled: Option<Result<TokenOutput, ConstraintError>>,
    /// As many as the item had targets.
    pub scored: Vec<TokenOutput>,
}

/// For each item of the step, in its order.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct StepOutput {
    pub items: Vec<ItemOutput>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunnerError {
    /// The step failed; another may succeed.
    #[error("{0}")]
    Step(String),
    /// The device failed in a way that only a new process clears.
    #[error("{0}")]
    Device(String),
}

/// What computes a step. The only part of the engine that touches a device; tests put
/// a scripted one in its place.
pub trait StepRunner: Send {
    /// Called by the thread that is going to execute steps, before the first.
    fn begin(&mut self) {}

    /// After an error or a panic the next call starts from an empty KV cache.
    fn execute(&mut self, step: &[StepItem<'_>]) -> Result<StepOutput, RunnerError>;
}

impl StepItem<'_> {
    /// Rows of logits that this item needs.
    pub fn num_outputs(&self) -> usize {
        let scored = self.score.map_or(0, |score| score.targets.len());
        // The last row serves both, if it is scored.
        scored + usize::from(self.sample.is_some() && scored < self.tokens.len())
    }
}
