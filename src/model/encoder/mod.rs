//! Encoders of the BERT kind (Devlin et al. 2019): all tokens of a text at once, each of which
//! sees all others, then one vector or some scores for the text.

mod config;
mod head;
mod layer;
mod sentence;

pub use config::EncoderConfig;
pub use head::{EncoderTask, Pooling};
pub use sentence::SentenceConfig;

use super::linear::{Linear, Loader, Precision};
use super::weights::Checkpoint;
use super::{KvCache, ModelError};
use crate::kernels::{Array, AttentionSpan, Kernels, KvType, Use, WeightType};
use head::Head;
use layer::{Layer, LayerNorm};

/// An encoder with its weights packed for one kernel set.
pub struct Encoder {
    config: EncoderConfig,
    kernels: Kernels,
    words: Linear,
    positions: Array,
    types: Array,
    norm: LayerNorm,
    layers: Vec<Layer>,
    head: Head,
    limits: EncoderLimits,
    workspace: Workspace,
    /// Keys and values of the layer that is being computed.
    keys_and_values: Array,
    block_table: Vec<u32>,
}

/// What work space is made for.
#[derive(Debug, Clone, Copy)]
pub struct EncoderLimits {
    /// Most tokens in a batch.
    pub max_rows: usize,
    /// Most texts in a batch.
    pub max_texts: usize,
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
    qkv: Array,
    attended: Array,
    activated: Array,
}

impl Workspace {
    fn new(config: &EncoderConfig, kernels: &Kernels, rows: usize) -> Result<Self, ModelError> {
        let zeros = |width: usize| kernels.zeros(rows, width, Use::Sums);
        Ok(Self {
            x: zeros(config.hidden_size)?,
            qkv: zeros(config.attention.qkv_width())?,
            attended: zeros(config.attention.q_width())?,
            activated: zeros(config.intermediate_size)?,
        })
    }

    fn narrow(&self, rows: usize) -> Result<Self, ModelError> {
        Ok(Self {
            x: self.x.narrow(rows)?,
            qkv: self.qkv.narrow(rows)?,
            attended: self.attended.narrow(rows)?,
            activated: self.activated.narrow(rows)?,
        })
    }
}

impl Encoder {
    /// Packs the weights of `checkpoint`; every tensor must have its place. `pooling` makes the
    /// vector of an encoder for embeddings.
    pub fn load(
        config: EncoderConfig,
        checkpoint: &Checkpoint,
        kernels: Kernels,
        weight_type: WeightType,
        pooling: Pooling,
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
        let prefix = config.prefix(checkpoint)?;
        let name = |rest: &str| format!("{prefix}embeddings.{rest}");
        let hidden = config.hidden_size;
        let table = |rest: &str, rows: usize| {
            let source = checkpoint.take(&name(rest), &[rows, hidden])?;
            let values = (0..rows * hidden)
                .map(|i| source.get(i))
                .collect::<Vec<_>>();
            Ok::<_, ModelError>(kernels.rows(values, hidden, Use::Sums)?)
        };
        let words = Linear::load_table(
            &loader,
            &name("word_embeddings.weight"),
            config.vocab_size,
            hidden,
        )?;
        let positions = table(
            "position_embeddings.weight",
            config.first_position + config.max_positions,
        )?;
        let types = table("token_type_embeddings.weight", config.num_types)?;
        let norm = LayerNorm::load(&loader, &name("LayerNorm"), &config)?;
        let layers = (0..config.num_layers)
            .map(|index| Layer::load(&loader, &config, &format!("{prefix}encoder.layer.{index}")))
            .collect::<Result<Vec<_>, ModelError>>()?;
        let head = Head::load(&loader, &config, prefix, pooling, limits.max_texts)?;
        // Follows from the configuration; old checkpoints carry it all the same.
        checkpoint.skip(&name("position_ids"));
        checkpoint.finish()?;
        let kv_type = match weight_type {
            WeightType::F32 => KvType::F32,
            _ => KvType::Bf16,
        };
        let num_blocks = limits.max_rows / KvCache::block_size() + limits.max_texts;
        Ok(Self {
            keys_and_values: kernels.kv_cache(config.attention, kv_type, num_blocks)?,
            block_table: (0..num_blocks as u32).collect(),
            workspace: Workspace::new(&config, &kernels, limits.max_rows)?,
            words,
            positions,
            types,
            norm,
            layers,
            head,
            limits,
            kernels,
            config,
        })
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

    /// Memory of the packed weights, in bytes.
    pub fn num_bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(Layer::num_bytes).sum();
        let tables = (self.positions.num_elements() + self.types.num_elements()) * size_of::<f32>();
        layers + self.words.num_bytes() + tables
    }

    /// A vector or the scores of each text, which depend on nothing but the text. Texts are not
    /// empty and no longer than the model's positions.
    pub fn forward(&self, texts: &[EncoderInput<'_>]) -> Result<Vec<Vec<f32>>, ModelError> {
        let rows: usize = texts.iter().map(|text| text.token_ids.len()).sum();
        let longest = texts.iter().map(|text| text.token_ids.len()).max();
        let fits = texts.len() <= self.limits.max_texts
            && rows <= self.limits.max_rows
            && longest.is_some_and(|len| len <= self.config.max_positions);
        if !fits || texts.iter().any(|text| text.token_ids.is_empty()) {
            let message = format!("a batch of {} texts and {rows} tokens", texts.len());
            return Err(ModelError::Unsupported(message));
        }
        let (mut ids, mut positions) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut types = Vec::with_capacity(rows);
        let mut spans = Vec::with_capacity(texts.len());
        let mut first_block = 0;
        for text in texts {
            let len = text.token_ids.len();
            let blocks = len.div_ceil(KvCache::block_size());
            spans.push(AttentionSpan {
                rows: ids.len()..ids.len() + len,
                start: 0,
                block_table: &self.block_table[first_block..first_block + blocks],
            });
            first_block += blocks;
            ids.extend_from_slice(text.token_ids);
            positions.extend((0..len).map(|at| (self.config.first_position + at) as u32));
            // A model of one type of text takes both for it.
            let last_type = self.config.num_types as u32 - 1;
            types.extend((0..len).map(|at| u32::from(at >= text.second).min(last_type)));
        }
        let kernels = &self.kernels;
        let work = self.workspace.narrow(rows)?;
        kernels.embedding(&work.x, &ids, self.words.weight())?;
        kernels.add_rows(&work.x, &self.types, &types)?;
        kernels.add_rows(&work.x, &self.positions, &positions)?;
        self.norm.forward(kernels, &work.x, None)?;
        for layer in &self.layers {
            layer.forward(kernels, &work, &self.keys_and_values, &spans)?;
        }
        self.head.forward(kernels, &work.x, &spans)
    }
}
