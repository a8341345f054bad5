use std::sync::Arc;

/// How the next token is chosen from the logits.
///
/// A draw depends on `(seed, choice, position)` alone, so that an answer does not change
/// with its batch mates.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// Added to the logits of these ids, each named once.
    pub logit_bias: Arc<[(u32, f32)]>,
    /// Above 0; 1 changes nothing. Positive logits of tokens in the prompt or the answer are
    /// divided by it, negative ones multiplied (Keskar et al. 2019), however often they stand
    /// there.
    pub repetition_penalty: f32,
    /// Subtracted once for each time that the token stands in the answer.
    pub frequency_penalty: f32,
    /// Subtracted if the token stands in the answer.
    pub presence_penalty: f32,
    /// 0 is greedy.
    pub temperature: f32,
    /// Only the k most probable tokens; of equals, those with the lower ids.
    pub top_k: Option<usize>,
    /// Smallest set of tokens whose probabilities, of those that `top_k` left, reach this sum;
    /// in (0, 1].
    pub top_p: f32,
    /// Only tokens with at least this share of the most probable one's probability; 0 to 1.
    pub min_p: f32,
    pub seed: u64,
    /// Index of the choice within its request.
    pub choice: u32,
    /// How many of the most probable tokens to report at each place.
    pub num_top_logprobs: usize,
}

impl Default for SamplingParams {
    /// Draws from the model's own distribution.
    fn default() -> Self {
        Self {
            logit_bias: Arc::new([]),
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
            choice: 0,
            num_top_logprobs: 0,
        }
    }
}

impl SamplingParams {
    /// Whether the most probable token is taken and nothing drawn.
    pub(super) fn is_greedy(&self) -> bool {
        self.temperature == 0.0 || self.top_k == Some(1)
    }
}
