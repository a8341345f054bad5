use super::SamplingParams;

/// One sequence's share of a step: compute the tokens `positions` of it.
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
    pub sample: Option<&'a SamplingParams>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenOutput {
    pub id: u32,
    /// Natural logarithm of the token's probability before temperature, top-k and top-p.
    pub logprob: f32,
}

/// For each item of the step: the token sampled, where one was asked for.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct StepOutput {
    pub tokens: Vec<Option<TokenOutput>>,
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct RunnerError(pub String);

/// What computes a step. The only part of the engine that touches a device; tests put
/// a scripted one in its place.
pub trait StepRunner: Send {
    fn execute(&mut self, step: &[StepItem<'_>]) -> Result<StepOutput, RunnerError>;
}
