//! Texts to embeddings and scores: the bridge between what is asked and an encoder.
//!
//! Owns served encoders, and decoders that are served as such, what stands before a query or a
//! passage, and what is made of their numbers. Refuses to know HTTP or tensors.

mod error;

pub use crate::model::EncoderTask;
pub use crate::text::Cut;
pub use error::EncodingError;

use crate::engine::{EncodingEngine, TokenizedText};
use crate::generation::{Caller, Class};
use crate::text::{PairTokenizer, RelevanceTokenizer, TextError, Tokenized as TokenizedOne};
use std::collections::BTreeMap;
use std::time::Duration;

/// A loaded encoder with the id that clients use.
pub struct ServedEncoder {
    pub id: String,
    /// Unix seconds of the checkpoint's newest file.
    pub created: u64,
    pub engine: EncodingEngine,
    pub tokenizer: TextTokenizer,
    pub task: EncoderTask,
    /// How tokens become a text: `mean`, `cls` or `last_token`.
    pub pooling: &'static str,
    /// Length of an embedding.
    pub num_dimensions: usize,
    /// Lengths to which an embedding may be cut (Kusupati et al. 2022); empty: none.
    pub matryoshka_dimensions: Vec<usize>,
    /// What stands before a text, by the name of its use.
    pub prompts: BTreeMap<String, String>,
    /// Of these, the one for a text whose use is not named.
    pub default_prompt: Option<String>,
}

/// How texts become tokens.
pub enum TextTokenizer {
    /// Alone or in pairs, between the model's special tokens.
    Texts(Box<PairTokenizer>),
    /// A query and a document in a question, which a decoder answers.
    Questions(Box<RelevanceTokenizer>),
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    Plain(String),
    /// Ids of the model's own vocabulary, special tokens included.
    Tokens(Vec<u32>),
    /// A query and what may answer it.
    Pair(String, String),
}

/// What texts came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// A row a text, as the encoder said it.
    pub rows: Vec<Vec<f32>>,
    pub num_tokens: usize,
    /// Texts of which something was cut off, with the tokens they had.
    pub cut: Vec<(usize, usize)>,
}

/// What texts are in tokens.
pub struct Tokenized {
    texts: Vec<TokenizedText>,
    num_tokens: usize,
    cut: Vec<(usize, usize)>,
}

impl ServedEncoder {
    /// Longest text, in tokens.
    pub fn max_text_len(&self) -> usize {
        self.engine.config().max_text_len
    }

    /// Whether a query and a document come to one score.
    pub fn is_reranker(&self) -> bool {
        self.task == EncoderTask::Classification { num_labels: 1 }
    }

    /// What stands before texts of a use; `None` for a use that the model does not know.
    pub fn prompt(&self, of: Option<&str>) -> Option<&str> {
        match of.or(self.default_prompt.as_deref()) {
            Some(name) => self.prompts.get(name).map(String::as_str),
            None => Some(""),
        }
    }

    /// Takes time in proportion to the texts, so not for an async thread. Without a cut a text
    /// that is too long is refused, never shortened.
    pub fn tokenize(
        &self,
        texts: &[Text],
        prompt: &str,
        cut: Cut,
    ) -> Result<Tokenized, EncodingError> {
        let max_text_len = self.max_text_len();
        let vocab_size = self.engine.config().vocab_size;
        let mut tokenized = Tokenized {
            texts: Vec::with_capacity(texts.len()),
            num_tokens: 0,
            cut: Vec::new(),
        };
        for (index, text) in texts.iter().enumerate() {
            let (ids, second, num_uncut) = match text {
                Text::Tokens(ids) => (ids.clone(), ids.len(), ids.len()),
                Text::Plain(text) => {
                    let text = format!("{prompt}{text}");
                    let found = self.tokenizer.encode(&text, None, cut)?;
                    (found.ids, found.second, found.num_uncut)
                }
                Text::Pair(query, document) => {
                    let found = self.tokenizer.encode(query, Some(document), cut)?;
                    (found.ids, found.second, found.num_uncut)
                }
            };
            if ids.is_empty() {
                return Err(EncodingError::Empty { index });
            }
            if let Some(id) = ids.iter().find(|id| **id as usize >= vocab_size) {
                return Err(EncodingError::UnknownToken {
                    index,
                    id: *id,
                    vocab_size,
                });
            }
            if ids.len() > max_text_len {
                return Err(EncodingError::TooLong {
                    index,
                    num_tokens: ids.len(),
                    max_text_len,
                });
            }
            if num_uncut > ids.len() {
                tokenized.cut.push((index, num_uncut));
            }
            tokenized.num_tokens += ids.len();
            tokenized.texts.push(TokenizedText {
                token_ids: ids,
                second,
            });
        }
        Ok(tokenized)
    }

    /// A row a text. Dropping the future gives up what is not computed yet.
    pub async fn encode(
        &self,
        caller: Caller,
        tokenized: Tokenized,
        within: Duration,
    ) -> Result<Encoded, EncodingError> {
        let origin = caller.origin(Class::default());
        let texts = self.engine.submit(origin, tokenized.texts)?;
        let rows = tokio::time::timeout(within, texts.all())
            .await
            .map_err(|_| EncodingError::Timeout(within))??;
        Ok(Encoded {
            rows,
            num_tokens: tokenized.num_tokens,
            cut: tokenized.cut,
        })
    }
}

impl TextTokenizer {
    /// One more than the highest id that text becomes.
    pub fn text_vocab_size(&self) -> usize {
        match self {
            Self::Texts(tokenizer) => tokenizer.text_vocab_size(),
            Self::Questions(tokenizer) => tokenizer.text_vocab_size(),
        }
    }

    /// A text, or a query and what may answer it, whole.
    pub fn encode(
        &self,
        first: &str,
        second: Option<&str>,
        cut: Cut,
    ) -> Result<TokenizedOne, TextError> {
        match (self, second) {
            (Self::Texts(tokenizer), second) => tokenizer.encode(first, second, cut),
            (Self::Questions(tokenizer), Some(document)) => tokenizer.encode(first, document, cut),
            // Whoever gives no query looks for nothing in particular.
            (Self::Questions(tokenizer), None) => tokenizer.encode("", first, cut),
        }
    }
}

/// The vector cut to its first dimensions and made 1 long; one of nothing but zeros stays.
pub fn normalized(mut vector: Vec<f32>, dimensions: usize) -> Vec<f32> {
    vector.truncate(dimensions);
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    let norm = vector.iter().map(square).sum::<f64>().sqrt();
    if norm > 0.0 {
        for x in &mut vector {
            *x = (f64::from(*x) / norm) as f32;
        }
    }
    vector
}

/// A score as a probability.
pub fn sigmoid(score: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(score)).exp())) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_one_long_also_when_they_are_cut() {
        let vector = vec![3.0, 4.0, 12.0];
        assert_eq!(normalized(vector.clone(), 2), [0.6, 0.8]);
        let whole = normalized(vector, 3);
        assert!((whole.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(normalized(vec![0.0; 3], 3), [0.0; 3]);
    }

    #[test]
    fn scores_are_probabilities_however_large() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!(sigmoid(1e30), 1.0);
        assert_eq!(sigmoid(-1e30), 0.0);
        assert!((sigmoid(2.0) - 0.880_797).abs() < 1e-6);
    }
}
