use super::attention::Attention;
use super::config::DecoderConfig;
use super::family::{LLAMA_NAMES, WeightNames};
use super::linear::{Linear, Loader, Precision};
use super::mlp::Mlp;
use super::norm::RmsNorm;
use super::rotary;
use super::weights::Checkpoint;
use super::{KvCache, ModelError};
use crate::kernels::{Array, Batch, Epilogue, Kernels, RopeTable, Step, Use};

/// A decoder-only transformer with its weights packed for one kernel set.
pub struct Decoder {
    config: DecoderConfig,
    kernels: Kernels,
    embedding: Linear,
    layers: Vec<Layer>,
    norm: RmsNorm,
    head: Linear,
    rope: RopeTable,
    max_rows: usize,
    max_output_rows: usize,
    workspace: Workspace,
    outputs: Outputs,
}

struct Layer {
    attention: Attention,
    mlp: Mlp,
}

/// Activations of a step, f32, allocated once for the largest step and narrowed to each.
#[derive(Clone)]
pub struct Workspace {
    /// The residual stream `[rows, hidden]`.
    pub x: Array,
    pub qkv: Array,
    pub attended: Array,
    pub activated: Array,
}

impl Workspace {
    fn new(config: &DecoderConfig, kernels: &Kernels, rows: usize) -> Result<Self, ModelError> {
        Ok(Self {
            x: kernels.zeros(rows, config.hidden_size, Use::Sums)?,
            qkv: kernels.zeros(rows, config.attention.qkv_width(), Use::Heads)?,
            attended: kernels.zeros(rows, config.attention.q_width(), Use::Inputs)?,
            activated: kernels.zeros(rows, config.intermediate_size, Use::Inputs)?,
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

/// The rows that leave the decoder, from the residual stream to logits.
struct Outputs {
    gathered: Array,
    logits: Array,
}

impl Outputs {
    fn new(config: &DecoderConfig, kernels: &Kernels, rows: usize) -> Result<Self, ModelError> {
        Ok(Self {
            gathered: kernels.zeros(rows, config.hidden_size, Use::Sums)?,
            logits: kernels.zeros(rows, config.vocab_size, Use::Sums)?,
        })
    }

    fn narrow(&self, rows: usize) -> Result<Self, ModelError> {
        Ok(Self {
            gathered: self.gathered.narrow(rows)?,
            logits: self.logits.narrow(rows)?,
        })
    }
}

/// Sizes that a decoder's tables and work space are made for.
#[derive(Debug, Clone, Copy)]
pub struct DecoderLimits {
    /// Most tokens in a step.
    pub max_rows: usize,
    /// Most rows of a step whose logits are needed.
    pub max_output_rows: usize,
    /// Longest sequence.
    pub max_positions: usize,
}

impl Decoder {
    /// Packs the weights of `checkpoint`; every tensor must have its place.
    pub fn load(
        config: DecoderConfig,
        checkpoint: &Checkpoint,
        kernels: Kernels,
        precision: Precision,
        limits: DecoderLimits,
    ) -> Result<Self, ModelError> {
        let names: &WeightNames = &LLAMA_NAMES;
        let loader = Loader {
            checkpoint,
            kernels: &kernels,
            precision,
        };
        let (vocab, hidden) = (config.vocab_size, config.hidden_size);
        let embedding = Linear::load_table(&loader, names.embedding, vocab, hidden)?;
        let head = if config.tie_word_embeddings {
            check_tied_head(checkpoint, names, vocab, hidden)?;
            embedding.clone()
        } else {
            Linear::load_table(&loader, names.head, vocab, hidden)?
        };
        let layers = (0..config.num_layers)
            .map(|index| {
                let index = index.to_string();
                checkpoint.skip(&names.derived.replace("{}", &index));
                Ok(Layer {
                    attention: Attention::load(&loader, &config, names, &index)?,
                    mlp: Mlp::load(&loader, &config, names, &index)?,
                })
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        let norm = RmsNorm::load(&loader, names.final_norm, hidden, config.rms_norm_eps)?;
        checkpoint.finish()?;
        Ok(Self {
            rope: rotary::table(
                &kernels,
                &config.rope,
                config.attention.head_dim,
                limits.max_positions,
            )?,
            workspace: Workspace::new(&config, &kernels, limits.max_rows)?,
            outputs: Outputs::new(&config, &kernels, limits.max_output_rows)?,
            max_rows: limits.max_rows,
            max_output_rows: limits.max_output_rows,
            config,
            kernels,
            embedding,
            layers,
            norm,
            head,
        })
    }

    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// Memory of the packed weights, in bytes.
    pub fn num_bytes(&self) -> usize {
        let layers: usize = self
            .layers
            .iter()
            .map(|layer| layer.attention.num_bytes() + layer.mlp.num_bytes())
            .sum();
        let head = if self.config.tie_word_embeddings {
            0
        } else {
            self.head.num_bytes()
        };
        layers + self.embedding.num_bytes() + head
    }

    /// Computes a step: writes keys and values into `cache`, returns the logits
    /// `[output_rows, vocab]` in f32, which the next step overwrites.
    pub fn forward(&self, batch: &Batch<'_>, cache: &KvCache) -> Result<Array, ModelError> {
        let (rows, outputs) = (batch.token_ids.len(), batch.output_rows.len());
        if rows > self.max_rows || outputs > self.max_output_rows {
            let message = format!(
                "a step of {rows} rows and {outputs} outputs exceeds {} and {}",
                self.max_rows, self.max_output_rows
            );
            return Err(ModelError::Unsupported(message));
        }
        let step = self.kernels.begin(*batch, self.config.attention)?;
        self.kernels
            .run(&step, cache.layer(0), || self.compute(&step, cache))?;
        Ok(self.outputs.logits.narrow(outputs)?)
    }

    fn compute(&self, step: &Step<'_>, cache: &KvCache) -> Result<(), ModelError> {
        let kernels = &self.kernels;
        let work = self.workspace.narrow(step.num_rows())?;
        kernels.embedding(&work.x, step.token_ids(), self.embedding.weight())?;
        for (index, layer) in self.layers.iter().enumerate() {
            layer
                .attention
                .forward(kernels, &work, step, &self.rope, cache.layer(index))?;
            layer.mlp.forward(kernels, &work)?;
        }
        // Only the rows that someone looks at take part from here: the head is a large
        // share of a small model.
        if step.num_outputs() > 0 {
            let out = self.outputs.narrow(step.num_outputs())?;
            kernels.gather_rows(&out.gathered, &work.x, step.output_rows())?;
            self.head.forward_normed(
                kernels,
                &out.logits,
                &out.gathered,
                &self.norm,
                Epilogue::Store,
            )?;
        }
        Ok(())
    }
}

/// A tied checkpoint may still carry the head; it must then be the embedding.
fn check_tied_head(
    checkpoint: &Checkpoint,
    names: &WeightNames,
    vocab: usize,
    hidden: usize,
) -> Result<(), ModelError> {
    if !checkpoint.contains(names.head) {
        return Ok(());
    }
    let shape = [vocab, hidden];
    let (head, embedding) = (
        checkpoint.take(names.head, &shape)?,
        checkpoint.take(names.embedding, &shape)?,
    );
    if (0..vocab * hidden).all(|i| head.get(i).to_bits() == embedding.get(i).to_bits()) {
        return Ok(());
    }
    Err(ModelError::Unsupported(format!(
        "config.json ties the output head to the embedding, but {} differs from {}",
        names.head, names.embedding
    )))
}
