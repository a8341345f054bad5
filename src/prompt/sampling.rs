use super::limits::MAX_MAX_TOKENS;
use serde::{Deserialize, Serialize};

/// Section `[sampling]`: what a request that leaves these open gets with this prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Above 0, at most 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// At least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// 0.01 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
    /// Tokens in an answer; at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
}

impl Sampling {
    pub(super) fn mistake(&self) -> Option<String> {
        let outside =
            |value: Option<f64>, min, max| value.is_some_and(|value| !(min..=max).contains(&value));
        if outside(self.temperature, 0.0, 2.0) {
            return Some("sampling.temperature must be from 0 to 2".into());
        }
        if self
            .top_p
            .is_some_and(|value| !(value > 0.0 && value <= 1.0))
        {
            return Some("sampling.top_p must be above 0 and at most 1".into());
        }
        if outside(self.repetition_penalty, 0.01, 2.0) {
            return Some("sampling.repetition_penalty must be from 0.01 to 2".into());
        }
        if self.top_k == Some(0) {
            return Some("sampling.top_k must be at least 1".into());
        }
        self.max_tokens
            .is_some_and(|value| !(1..=MAX_MAX_TOKENS).contains(&value))
            .then(|| format!("sampling.max_tokens must be from 1 to {MAX_MAX_TOKENS}"))
    }
}
