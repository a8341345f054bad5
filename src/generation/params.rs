use super::{Citations, Grammar};
use crate::engine::{Class, FlowId, Namespace, Origin};
use std::sync::Arc;
use std::time::Duration;

/// What a request leaves open: manifest over generation_config.json over OpenAI's.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingDefaults {
    pub temperature: f32,
    pub top_p: f32,
    pub top_k: Option<usize>,
    /// Above 0; 1 changes nothing.
    pub repetition_penalty: f32,
    /// 0 to 1; 0 changes nothing.
    pub min_p: f32,
}

impl Default for SamplingDefaults {
    /// OpenAI's.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: None,
            repetition_penalty: 1.0,
            min_p: 0.0,
        }
    }
}

/// Validated generation parameters; `None` takes the served model's default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerationParams {
    /// None: the rest of the context. 0 only with `echo`.
    pub max_tokens: Option<usize>,
    /// Until so many tokens are generated nothing but `max_tokens` ends a choice.
    pub min_tokens: usize,
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// Above 0, at most 1.
    pub top_p: Option<f32>,
    pub top_k: Option<TopK>,
    /// 0 to 1.
    pub min_p: Option<f32>,
    /// Above 0.
    pub repetition_penalty: Option<f32>,
    /// -2 to 2.
    pub frequency_penalty: f32,
    /// -2 to 2.
    pub presence_penalty: f32,
    /// Added to the logits of these ids, each named once.
    pub logit_bias: Arc<[(u32, f32)]>,
    pub seed: Option<u64>,
    /// At most 4 strings, none empty.
    pub stop: Vec<String>,
    /// End a choice beside the model's own.
    pub stop_token_ids: Vec<u32>,
    /// The model's own stop tokens end nothing.
    pub ignore_eos: bool,
    /// Choices for each prompt; at least 1.
    pub n: usize,
    /// Report the log-probability of each token, and this many of the most probable ones.
    pub logprobs: Option<usize>,
    /// A choice begins with its prompt.
    pub echo: bool,
    /// The form that each choice has.
    pub grammar: Option<Grammar>,
    /// What each choice may quote, word for word, where it has no grammar.
    pub citations: Option<Arc<Citations>>,
    /// Whether someone waits for the answer.
    pub class: Class,
    pub caller: Caller,
    /// How long after its admission a choice is given up.
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopK {
    /// Every token may be drawn, whatever the model's default.
    Off,
    /// Only the so many most probable ones; at least 1.
    Most(usize),
}

/// Who asks, as far as sharing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Callers with one number share one part of the engine.
    pub number: u32,
    /// Its share beside others; at least 1.
    pub weight: u32,
}

impl Default for Caller {
    /// Everyone, where nobody is told apart.
    fn default() -> Self {
        Self {
            number: 0,
            weight: 1,
        }
    }
}

impl Caller {
    /// Nobody can learn from timing what another caller asked: cached prompts are each
    /// caller's own.
    pub(crate) fn origin(self, class: Class) -> Origin {
        Origin {
            flow: FlowId(self.number),
            weight: self.weight,
            class,
            namespace: Namespace(u64::from(self.number)),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum CompletionPrompt {
    /// Template text: reserved strings are recognised.
    Text(String),
    Tokens(Vec<u32>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_share_neither_their_part_of_the_engine_nor_their_cached_prompts() {
        let origin = |number| Caller { number, weight: 3 }.origin(Class::Batch);
        let (a, b) = (origin(1), origin(2));
        assert_ne!(a.flow, b.flow);
        assert_ne!(a.namespace, b.namespace);
        assert_eq!((a.weight, a.class), (3, Class::Batch));
        assert_eq!(
            Caller::default().origin(Class::default()),
            Origin::default()
        );
    }
}
