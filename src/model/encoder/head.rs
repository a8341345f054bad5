use super::super::ModelError;
use super::super::linear::{Loader, Precision};
use super::config::EncoderConfig;
use super::dense::{Dense, LayerNorm};
use crate::kernels::{Activation, Array, Kernels, Use, WeightType};

/// What a model was trained to say of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncoderTask {
    /// A vector.
    Embedding,
    /// A score for each label.
    Classification { num_labels: usize },
}

/// What follows pooling in a model with labels: `out(norm(activation(dense(pooled))))`.
pub struct Classifier {
    dense: Dense,
    activation: Activation,
    norm: Option<LayerNorm>,
    out: Dense,
    activated: Array,
    scores: Array,
}

impl Classifier {
    pub fn load(
        loader: &Loader<'_>,
        config: &EncoderConfig,
        prefix: &str,
        num_labels: usize,
        max_texts: usize,
    ) -> Result<Self, ModelError> {
        // Small, and what is said depends on its last digits.
        let loader = Loader {
            precision: Precision::from(WeightType::F32),
            ..*loader
        };
        let (hidden, names) = (config.hidden_size, config.names.classifier);
        let dense = match names.is_prefixed {
            true => format!("{prefix}{}", names.dense),
            false => names.dense.to_owned(),
        };
        let norm = (!names.norm.is_empty()).then(|| {
            let eps = config.layer_norm_eps;
            LayerNorm::load(&loader, names.norm, hidden, eps, config.has_biases)
        });
        let out = [(names.out.to_owned(), num_labels)];
        Ok(Self {
            dense: Dense::load(&loader, &[(dense, hidden)], hidden, config.has_biases)?,
            activation: config.classifier_activation,
            norm: norm.transpose()?,
            out: Dense::load(&loader, &out, hidden, true)?,
            activated: loader.kernels.zeros(max_texts, hidden, Use::Sums)?,
            scores: loader.kernels.zeros(max_texts, num_labels, Use::Sums)?,
        })
    }

    pub fn forward(&self, kernels: &Kernels, pooled: &Array) -> Result<Vec<Vec<f32>>, ModelError> {
        let num_texts = pooled.num_rows();
        let activated = self.activated.narrow(num_texts)?;
        let scores = self.scores.narrow(num_texts)?;
        self.dense
            .forward(kernels, &activated, pooled, self.activation)?;
        if let Some(norm) = &self.norm {
            norm.forward(kernels, &activated, &[])?;
        }
        self.out
            .forward(kernels, &scores, &activated, Activation::None)?;
        Ok(scores.to_rows()?)
    }
}
