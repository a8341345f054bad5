/// How the next token is chosen from the logits.
///
/// A draw depends on `(seed, choice, position)` alone, so that an answer does not change
/// with its batch mates.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// 0 is greedy.
    pub temperature: f32,
    /// Smallest set of tokens whose probabilities reach this sum; in (0, 1].
    pub top_p: f32,
    /// Only the k most probable tokens.
    pub top_k: Option<usize>,
    pub seed: u64,
    /// Index of the choice within its request.
    pub choice: u32,
}
