//! What says something of whole texts: encoders of the BERT kind (Devlin et al. 2019), all of whose
//! tokens see all others or their neighbourhood, and decoders that were trained for it. One vector
//! or some scores for each text.

mod batch;
mod bert;
mod config;
mod decoder_embedder;
mod dense;
mod family;
mod head;
mod layer;
mod modernbert;
mod pooling;
mod sentence;
mod weights;

pub use batch::EncoderLimits;
pub use config::{
    EncoderConfig, EncoderLayerConfig, EncoderNorms, LearnedPositions, matryoshka_dimensions,
};
pub use decoder_embedder::{DecoderEmbedder, DecoderOutput};
pub use family::{EncoderFamily, encoders};
pub use head::EncoderTask;
pub use pooling::{Pooling, VectorOptions};
pub use sentence::{AnswerTokens, ProjectionConfig, SentenceConfig};

use super::ModelError;
use super::linear::{Loader, Precision};
use super::weights::Checkpoint;
use crate::kernels::{Array, KernelSet, Kernels, KvType, ThreadPool, Use, WeightType};
use batch::TextBatch;
use layer::Context;
use pooling::Pooler;
use weights::EncoderWeights;

/// An encoder with its weights packed for one kernel set.
pub struct Encoder {
    config: EncoderConfig,
    kernels: Kernels,
    weights: EncoderWeights,
    pooler: Pooler,
    limits: EncoderLimits,
    workspace: Workspace,
    /// Keys and values of the layer that is being computed.
    keys_and_values: Array,
    block_table: Vec<u32>,
}

/// One text, or two that are looked at together.
#[derive(Debug, Clone, Copy)]
pub struct EncoderInput<'a> {
    pub token_ids: &'a [u32],
    /// Where the second text begins, separators of the first not counted to it.
    pub second: usize,
}

/// Activations of a batch, f32.
struct Workspace {
    x: Array,
    /// What stands in front of attention and of the MLP; empty where norms stand behind.
    normed: Array,
    qkv: Array,
    attended: Array,
    /// Both halves of what goes into an MLP with a gate; empty where it has none.
    gated: Array,
    activated: Array,
}

impl Workspace {
    fn new(config: &EncoderConfig, kernels: &Kernels, rows: usize) -> Result<Self, ModelError> {
        let zeros = |width: usize| kernels.zeros(rows, width, Use::Sums);
        let (hidden, ffn) = (config.hidden_size, config.intermediate_size);
        let is_in_front = config.norms == EncoderNorms::InFront;
        Ok(Self {
            x: zeros(hidden)?,
            normed: zeros(if is_in_front { hidden } else { 0 })?,
            qkv: zeros(config.attention.qkv_width())?,
            attended: zeros(config.attention.q_width())?,
            gated: zeros(if config.has_gate { 2 * ffn } else { 0 })?,
            activated: zeros(ffn)?,
        })
    }

    fn narrow(&self, rows: usize) -> Result<Self, ModelError> {
        Ok(Self {
            x: self.x.narrow(rows)?,
            normed: self.normed.narrow(rows)?,
            qkv: self.qkv.narrow(rows)?,
            attended: self.attended.narrow(rows)?,
            gated: self.gated.narrow(rows)?,
            activated: self.activated.narrow(rows)?,
        })
    }
}

impl Encoder {
    /// Packs the weights of `checkpoint`; every tensor must have its place. `vector` makes the
    /// vector of an encoder for embeddings.
    pub fn load(
        config: EncoderConfig,
        checkpoint: &Checkpoint,
        kernels: Kernels,
        weight_type: WeightType,
        vector: VectorOptions<'_>,
        limits: EncoderLimits,
    ) -> Result<Self, ModelError> {
        let precision = Precision {
            layers: weight_type,
            // A table that is only looked up costs memory and no time.
            tables: match weight_type {
                WeightType::F32 => WeightType::F32,
                _ => WeightType::Bf16,
            },
        };
        let loader = Loader {
            checkpoint,
            kernels: &kernels,
            precision,
            packs: true,
        };
        let weights = EncoderWeights::load(&loader, &config, limits)?;
        checkpoint.finish()?;
        let (pooling, projections) = match &weights.classifier {
            Some(_) => (config.classifier_pooling, &[][..]),
            None => (vector.pooling, vector.projections),
        };
        let (hidden, max_texts) = (config.hidden_size, limits.max_texts);
        let pooler = Pooler::load(&kernels, pooling, projections, hidden, max_texts)?;
        let kv_type = match weight_type {
            WeightType::F32 => KvType::F32,
            _ => KvType::Bf16,
        };
        let num_blocks = limits.num_blocks();
        Ok(Self {
            keys_and_values: kernels.kv_cache(config.attention, kv_type, num_blocks)?,
            block_table: (0..num_blocks as u32).collect(),
            workspace: Workspace::new(&config, &kernels, limits.max_rows)?,
            weights,
            pooler,
            limits,
            kernels,
            config,
        })
    }

    /// Asks a surveyed checkpoint for every tensor as [`Encoder::load`] does, and packs none; what
    /// is wrong stands in [`Checkpoint::problems`] afterwards.
    pub fn survey(config: &EncoderConfig, checkpoint: &Checkpoint) -> Result<(), ModelError> {
        let pool = ThreadPool::new(1).map_err(|e| ModelError::Unsupported(e.to_string()))?;
        let loader = Loader {
            checkpoint,
            kernels: &Kernels::new(KernelSet::Portable, pool),
            precision: WeightType::F32.into(),
            packs: false,
        };
        let limits = EncoderLimits {
            max_rows: 1,
            max_texts: 1,
        };
        EncoderWeights::load(&loader, config, limits)?;
        checkpoint.finish()
    }

    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    pub fn limits(&self) -> EncoderLimits {
        self.limits
    }

    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// Length of an embedding.
    pub fn num_dimensions(&self) -> usize {
        self.pooler.num_dimensions(self.config.hidden_size)
    }

    /// Memory of the packed weights, in bytes.
    pub fn num_bytes(&self) -> usize {
        self.weights.num_bytes() + self.pooler.num_bytes()
    }

    /// A vector or the scores of each text, which depend on nothing but the text. Texts are not
    /// empty and no longer than the model's positions.
    pub fn forward(&self, texts: &[EncoderInput<'_>]) -> Result<Vec<Vec<f32>>, ModelError> {
        let (config, weights) = (&self.config, &self.weights);
        let batch = TextBatch::new(texts, self.limits, config.max_positions, &self.block_table)?;
        let kernels = &self.kernels;
        let work = self.workspace.narrow(batch.token_ids.len())?;
        kernels.embedding(&work.x, &batch.token_ids, weights.words.weight())?;
        if let (Some(tables), Some(learned)) = (&weights.learned, config.learned_positions) {
            // A model of one type of text takes both for it.
            let last_type = learned.num_types as u32 - 1;
            let type_of = |text: &EncoderInput<'_>| {
                let second = text.second;
                (0..text.token_ids.len()).map(move |at| u32::from(at >= second).min(last_type))
            };
            let types: Vec<u32> = texts.iter().flat_map(type_of).collect();
            kernels.add_rows(&work.x, &tables.types, &types)?;
            let positions = batch.positions.iter().map(|at| at + learned.first as u32);
            let positions: Vec<u32> = positions.collect();
            kernels.add_rows(&work.x, &tables.positions, &positions)?;
        }
        weights.embedding_norm.forward(kernels, &work.x, &[])?;
        let context = Context {
            keys_and_values: &self.keys_and_values,
            spans: &batch.spans,
            positions: &batch.positions,
        };
        for layer in &weights.layers {
            layer.forward(kernels, &work, &context)?;
        }
        if let Some(norm) = &weights.final_norm {
            norm.forward(kernels, &work.x, &[])?;
        }
        let pooled = self.pooler.pool(kernels, &work.x, &batch.spans)?;
        match &weights.classifier {
            Some(classifier) => classifier.forward(kernels, &pooled),
            None => self.pooler.project(kernels, pooled),
        }
    }
}
