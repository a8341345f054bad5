use super::super::linear::{Linear, Loader};
use super::super::{ModelError, rotary};
use super::EncoderLimits;
use super::config::{EncoderConfig, EncoderNorms, LearnedPositions};
use super::dense::LayerNorm;
use super::head::{Classifier, EncoderTask};
use super::layer::Layer;
use crate::kernels::{Array, RopeTable, Use};
use crate::model::config::{RopeConfig, RopeScaling};
use std::sync::Arc;

/// The weights of an encoder.
pub struct EncoderWeights {
    pub words: Linear,
    pub learned: Option<LearnedTables>,
    pub embedding_norm: LayerNorm,
    pub layers: Vec<Layer>,
    pub final_norm: Option<LayerNorm>,
    pub classifier: Option<Classifier>,
}

/// What is added to the vectors of words.
pub struct LearnedTables {
    pub positions: Array,
    pub types: Array,
}

impl EncoderWeights {
    /// Takes every tensor that is computed with, and skips those that are known not to be.
    pub fn load(
        loader: &Loader<'_>,
        config: &EncoderConfig,
        limits: EncoderLimits,
    ) -> Result<Self, ModelError> {
        let checkpoint = loader.checkpoint;
        let prefix = config.prefix(checkpoint);
        let (names, hidden) = (config.names, config.hidden_size);
        let words = format!("{prefix}{}.weight", names.words);
        let norm = |name: &str| {
            let (name, eps) = (format!("{prefix}{name}"), config.layer_norm_eps);
            LayerNorm::load(loader, &name, hidden, eps, config.has_biases)
        };
        let learned = config.learned_positions;
        let num_positions = config.max_positions.min(limits.max_rows);
        let weights = Self {
            words: Linear::load_table(loader, &words, config.vocab_size, hidden)?,
            learned: learned
                .map(|learned| LearnedTables::load(loader, config, learned, prefix))
                .transpose()?,
            embedding_norm: norm(names.embedding_norm)?,
            layers: load_layers(loader, config, prefix, num_positions)?,
            final_norm: match config.norms {
                EncoderNorms::Behind => None,
                EncoderNorms::InFront => Some(norm(names.final_norm)?),
            },
            classifier: match config.task {
                EncoderTask::Embedding => None,
                EncoderTask::Classification { num_labels } => {
                    let max_texts = limits.max_texts;
                    let found = Classifier::load(loader, config, prefix, num_labels, max_texts)?;
                    Some(found)
                }
            },
        };
        for name in names.beside {
            checkpoint.skip(&format!("{prefix}{name}"));
        }
        if config.has_masked_words {
            names
                .masked_words
                .iter()
                .for_each(|name| checkpoint.skip(name));
        }
        Ok(weights)
    }

    /// Memory of the packed weights, in bytes.
    pub fn num_bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(Layer::num_bytes).sum();
        let tables = self.learned.as_ref().map_or(0, |learned| {
            learned.positions.num_elements() + learned.types.num_elements()
        });
        layers + self.words.num_bytes() + tables * size_of::<f32>()
    }
}

impl LearnedTables {
    fn load(
        loader: &Loader<'_>,
        config: &EncoderConfig,
        learned: LearnedPositions,
        prefix: &str,
    ) -> Result<Self, ModelError> {
        let (names, hidden) = (config.names, config.hidden_size);
        let table = |name: &str, rows: usize| {
            let name = format!("{prefix}{name}.weight");
            let source = loader.checkpoint.take(&name, &[rows, hidden])?;
            let len = if loader.packs { rows * hidden } else { 0 };
            let values = (0..len).map(|i| source.get(i)).collect();
            Ok::<_, ModelError>(loader.kernels.rows(values, hidden, Use::Sums)?)
        };
        Ok(Self {
            positions: table(names.positions, learned.first + config.max_positions)?,
            types: table(names.types, learned.num_types)?,
        })
    }
}

/// Layers whose rotations have the same base share them.
fn load_layers(
    loader: &Loader<'_>,
    config: &EncoderConfig,
    prefix: &str,
    num_positions: usize,
) -> Result<Vec<Layer>, ModelError> {
    let rotations = |theta| {
        let rope = RopeConfig {
            theta,
            rotary_dim: config.attention.head_dim,
            scaling: RopeScaling::None,
        };
        rotary::table(loader.kernels, &rope, num_positions)
    };
    let mut ropes: Vec<(f64, Arc<RopeTable>)> = Vec::new();
    let mut layers = Vec::with_capacity(config.layers.len());
    for (index, layer) in config.layers.iter().enumerate() {
        let known = |theta| ropes.iter().find(|(known, _)| *known == theta);
        let rope = match layer.rope_theta.map(|theta| (theta, known(theta))) {
            None => None,
            Some((_, Some((_, rope)))) => Some(Arc::clone(rope)),
            Some((theta, None)) => {
                let rope = Arc::new(rotations(theta)?);
                ropes.push((theta, Arc::clone(&rope)));
                Some(rope)
            }
        };
        layers.push(Layer::load(loader, config, prefix, index, rope)?);
    }
    Ok(layers)
}
