use super::super::ModelError;
use super::super::linear::{Loader, Precision};
use super::config::EncoderConfig;
use super::layer::Dense;
use crate::kernels::{Activation, Array, AttentionSpan, Kernels, Use, WeightType};
use std::ops::Range;

/// What an encoder was trained to say of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncoderTask {
    /// A vector.
    Embedding,
    /// A score for each label.
    Classification { num_labels: usize },
}

/// How the tokens' vectors become that of their text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    Mean,
    /// The first token's.
    Cls,
}

/// What follows the last layer.
pub struct Head {
    kind: Kind,
    /// A row a text.
    pooled: Array,
}

enum Kind {
    Pooled(Pooling),
    Classifier(Classifier),
}

/// `out(tanh(dense(first token)))`.
struct Classifier {
    dense: Dense,
    out: Dense,
    activated: Array,
    scores: Array,
}

impl Head {
    pub fn load(
        loader: &Loader<'_>,
        config: &EncoderConfig,
        prefix: &str,
        pooling: Pooling,
        max_texts: usize,
    ) -> Result<Self, ModelError> {
        let hidden = config.hidden_size;
        let pooler = format!("{prefix}pooler.dense");
        let kind = match config.task {
            EncoderTask::Embedding => {
                // Trained beside the layers, and not what an embedding is made with.
                loader.checkpoint.skip(&format!("{pooler}.weight"));
                loader.checkpoint.skip(&format!("{pooler}.bias"));
                Kind::Pooled(pooling)
            }
            EncoderTask::Classification { num_labels } => {
                // Small, and what is said depends on its last digits.
                let loader = Loader {
                    precision: Precision::from(WeightType::F32),
                    ..*loader
                };
                let is_roberta = loader.checkpoint.contains("classifier.out_proj.weight");
                let (dense, out) = match is_roberta {
                    true => ("classifier.dense".to_owned(), "classifier.out_proj"),
                    false => (pooler, "classifier"),
                };
                Kind::Classifier(Classifier {
                    dense: Dense::load(&loader, &[(dense, hidden)], hidden)?,
                    out: Dense::load(&loader, &[(out.to_owned(), num_labels)], hidden)?,
                    activated: loader.kernels.zeros(max_texts, hidden, Use::Sums)?,
                    scores: loader.kernels.zeros(max_texts, num_labels, Use::Sums)?,
                })
            }
        };
        let pooled = loader.kernels.zeros(max_texts, hidden, Use::Sums)?;
        Ok(Self { kind, pooled })
    }

    /// A row for each span of `x`.
    pub fn forward(
        &self,
        kernels: &Kernels,
        x: &Array,
        spans: &[AttentionSpan<'_>],
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let num_texts = spans.len();
        let pooled = self.pooled.narrow(num_texts)?;
        if let Kind::Pooled(Pooling::Mean) = self.kind {
            let spans: Vec<Range<usize>> = spans.iter().map(|span| span.rows.clone()).collect();
            kernels.mean_rows(&pooled, x, &spans)?;
        } else {
            let first: Vec<u32> = spans.iter().map(|span| span.rows.start as u32).collect();
            kernels.gather_rows(&pooled, x, &first)?;
        }
        let Kind::Classifier(classifier) = &self.kind else {
            return Ok(pooled.to_rows()?);
        };
        let activated = classifier.activated.narrow(num_texts)?;
        let scores = classifier.scores.narrow(num_texts)?;
        let Classifier { dense, out, .. } = classifier;
        dense.forward(kernels, &activated, &pooled, Activation::Tanh)?;
        out.forward(kernels, &scores, &activated, Activation::None)?;
        Ok(scores.to_rows()?)
    }
}
