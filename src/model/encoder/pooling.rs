//! From the vectors of tokens to that of their text.

use super::super::ModelError;
use super::super::linear::{Loader, Precision};
use super::super::weights::Checkpoint;
use super::dense::Dense;
use super::sentence::ProjectionConfig;
use crate::kernels::{Activation, Array, AttentionSpan, Kernels, Use, WeightType};
use std::ops::Range;

/// How the tokens' vectors become that of their text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    Mean,
    /// The first token's.
    Cls,
    /// The last token's, the only one that has seen the whole text where tokens see what stands
    /// before them.
    LastToken,
}

/// How a model for embeddings makes a vector of those of the tokens.
#[derive(Debug, Clone, Copy)]
pub struct VectorOptions<'a> {
    pub pooling: Pooling,
    /// Linear layers that follow it, in order.
    pub projections: &'a [ProjectionConfig],
}

/// Pooling, and the linear layers that follow it.
pub struct Pooler {
    pooling: Pooling,
    /// A row a text.
    pooled: Array,
    projections: Vec<Projection>,
}

struct Projection {
    dense: Dense,
    activation: Activation,
    /// A row a text.
    out: Array,
}

impl Pooling {
    /// As the configuration and text-embeddings-inference name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::LastToken => "last_token",
        }
    }

    /// The row that is a text's vector; `None` where all rows are.
    pub fn row(self, text: &Range<usize>) -> Option<usize> {
        match self {
            Self::Mean => None,
            Self::Cls => Some(text.start),
            Self::LastToken => Some(text.end.saturating_sub(1)),
        }
    }
}

impl Pooler {
    pub fn load(
        kernels: &Kernels,
        pooling: Pooling,
        projections: &[ProjectionConfig],
        hidden_size: usize,
        max_texts: usize,
    ) -> Result<Self, ModelError> {
        let mut len = hidden_size;
        let mut loaded = Vec::with_capacity(projections.len());
        for config in projections {
            if config.num_inputs != len || config.num_outputs == 0 {
                let message = format!(
                    "`in_features` is {} and `out_features` {}; what comes in has {len}",
                    config.num_inputs, config.num_outputs
                );
                return Err(ModelError::file(config.dir.join("config.json"), message));
            }
            loaded.push(Projection::load(kernels, config, max_texts)?);
            len = config.num_outputs;
        }
        Ok(Self {
            pooling,
            pooled: kernels.zeros(max_texts, hidden_size, Use::Sums)?,
            projections: loaded,
        })
    }

    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// A row for each text, of `x`, which has one for each token.
    pub fn pool(
        &self,
        kernels: &Kernels,
        x: &Array,
        spans: &[AttentionSpan<'_>],
    ) -> Result<Array, ModelError> {
        let pooled = self.pooled.narrow(spans.len())?;
        let rows = spans.iter().filter_map(|span| self.pooling.row(&span.rows));
        let rows: Vec<u32> = rows.map(|row| row as u32).collect();
        if self.pooling == Pooling::Mean {
            let texts: Vec<_> = spans.iter().map(|span| span.rows.clone()).collect();
            kernels.mean_rows(&pooled, x, &texts)?;
        } else {
            kernels.gather_rows(&pooled, x, &rows)?;
        }
        Ok(pooled)
    }

    /// What pooled rows come to.
    pub fn project(&self, kernels: &Kernels, pooled: Array) -> Result<Vec<Vec<f32>>, ModelError> {
        let num_texts = pooled.num_rows();
        let mut x = pooled;
        for projection in &self.projections {
            let out = projection.out.narrow(num_texts)?;
            let Projection {
                dense, activation, ..
            } = projection;
            dense.forward(kernels, &out, &x, *activation)?;
            x = out;
        }
        Ok(x.to_rows()?)
    }

    /// Length of a text's vector.
    pub fn num_dimensions(&self, hidden_size: usize) -> usize {
        (self.projections.last()).map_or(hidden_size, |last| last.dense.num_outputs())
    }

    pub fn num_bytes(&self) -> usize {
        let projections = self.projections.iter();
        projections.map(|one| one.dense.num_bytes()).sum()
    }
}

impl Projection {
    fn load(
        kernels: &Kernels,
        config: &ProjectionConfig,
        max_texts: usize,
    ) -> Result<Self, ModelError> {
        let checkpoint = Checkpoint::open(&config.dir)?;
        let loader = Loader {
            checkpoint: &checkpoint,
            kernels,
            // Small, and what is said depends on its last digits.
            precision: Precision::from(WeightType::F32),
            packs: true,
        };
        let name = [("linear".to_owned(), config.num_outputs)];
        let dense = Dense::load(&loader, &name, config.num_inputs, config.has_bias)?;
        checkpoint.finish()?;
        Ok(Self {
            dense,
            activation: config.activation,
            out: kernels.zeros(max_texts, config.num_outputs, Use::Sums)?,
        })
    }
}
