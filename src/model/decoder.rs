use super::config::DecoderConfig;
use super::layers::{Layers, Wanted};
use super::linear::{Loader, Precision};
use super::rotary::Ropes;
use super::weights::Checkpoint;
use super::workspace::Workspace;
use super::{KvCache, ModelError};
use crate::kernels::{
    Array, Batch, Epilogue, KernelSet, Kernels, Step, ThreadPool, Use, WeightType,
};
use std::sync::Arc;

/// A decoder-only transformer with its weights packed for one kernel set.
pub struct Decoder {
    config: DecoderConfig,
    kernels: Kernels,
    layers: Arc<Layers>,
    ropes: Arc<Ropes>,
    max_rows: usize,
    max_output_rows: usize,
    max_positions: usize,
    workspace: Workspace,
    outputs: Outputs,
}

/// The rows that leave the decoder.
struct Outputs {
    wanted: Wanted,
    /// From the residual stream.
    gathered: Array,
    /// Logits, or what stands before the output head.
    results: Array,
}

impl Outputs {
    fn new(
        config: &DecoderConfig,
        kernels: &Kernels,
        rows: usize,
        wanted: Wanted,
    ) -> Result<Self, ModelError> {
        let rows = kernels.room_for(rows);
        let (rows, width) = match wanted {
            Wanted::Logits => (rows, config.vocab_size),
            Wanted::Hidden => (rows, config.hidden_size),
            Wanted::Sums => (0, 0),
        };
        Ok(Self {
            wanted,
            gathered: kernels.zeros(rows, config.hidden_size, Use::Sums)?,
            results: kernels.zeros(rows, width, Use::Sums)?,
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
    /// Packs the weights of `checkpoint`, of which every tensor must have its place: those that
    /// the rank of `kernels` needs.
    pub fn load(
        config: DecoderConfig,
        checkpoint: &Checkpoint,
        kernels: Kernels,
        precision: Precision,
        limits: DecoderLimits,
    ) -> Result<Self, ModelError> {
        let wanted = match kernels.shard().rank {
            0 => Wanted::Logits,
            _ => Wanted::Sums,
        };
        Self::load_for(wanted, config, checkpoint, kernels, precision, limits)
    }

    /// The same without the output head, for [`Decoder::hidden`] alone; the checkpoint need not have
    /// one.
    pub fn load_headless(
        config: DecoderConfig,
        checkpoint: &Checkpoint,
        kernels: Kernels,
        precision: Precision,
        limits: DecoderLimits,
    ) -> Result<Self, ModelError> {
        let wanted = Wanted::Hidden;
        Self::load_for(wanted, config, checkpoint, kernels, precision, limits)
    }

    fn load_for(
        wanted: Wanted,
        config: DecoderConfig,
        checkpoint: &Checkpoint,
        kernels: Kernels,
        precision: Precision,
        limits: DecoderLimits,
    ) -> Result<Self, ModelError> {
        let loader = Loader {
            checkpoint,
            kernels: &kernels,
            precision,
            packs: true,
        };
        let whole = config;
        let config = whole.of_rank(kernels.shard())?;
        let layers = Layers::load(&loader, &whole, wanted)?;
        checkpoint.finish()?;
        Ok(Self {
            layers: Arc::new(layers),
            ropes: Arc::new(Ropes::new(&kernels, &config, limits.max_positions)?),
            workspace: Workspace::new(&config, &kernels, kernels.room_for(limits.max_rows))?,
            outputs: Outputs::new(&config, &kernels, limits.max_output_rows, wanted)?,
            max_rows: limits.max_rows,
            max_output_rows: limits.max_output_rows,
            max_positions: limits.max_positions,
            config,
            kernels,
        })
    }

    /// Another decoder with the same weights in the same memory, and work space of its own, which
    /// `kernels` compute: on a CPU, of the same kernel set.
    pub fn sharing_weights(&self, kernels: Kernels) -> Result<Self, ModelError> {
        if kernels.set() != self.kernels.set() || self.kernels.gpu().or(kernels.gpu()).is_some() {
            let message = "engines share weights on a CPU alone: on this device a model has one";
            return Err(ModelError::Unsupported(message.into()));
        }
        let config = &self.config;
        Ok(Self {
            layers: Arc::clone(&self.layers),
            ropes: Arc::clone(&self.ropes),
            workspace: Workspace::new(config, &kernels, self.max_rows)?,
            outputs: Outputs::new(config, &kernels, self.max_output_rows, self.outputs.wanted)?,
            max_rows: self.max_rows,
            max_output_rows: self.max_output_rows,
            max_positions: self.max_positions,
            config: config.clone(),
            kernels,
        })
    }

    /// Asks a surveyed checkpoint for every tensor as [`Decoder::load`] does, and packs none; what
    /// is wrong stands in [`Checkpoint::problems`] afterwards.
    pub fn survey(config: &DecoderConfig, checkpoint: &Checkpoint) -> Result<(), ModelError> {
        Self::survey_for(Wanted::Logits, config, checkpoint)
    }

    /// The same for a decoder that makes vectors, which needs no output head.
    pub fn survey_hidden(
        config: &DecoderConfig,
        checkpoint: &Checkpoint,
    ) -> Result<(), ModelError> {
        Self::survey_for(Wanted::Hidden, config, checkpoint)
    }

    fn survey_for(
        wanted: Wanted,
        config: &DecoderConfig,
        checkpoint: &Checkpoint,
    ) -> Result<(), ModelError> {
        let pool = ThreadPool::new(1).map_err(|e| ModelError::Unsupported(e.to_string()))?;
        let loader = Loader {
            checkpoint,
            kernels: &Kernels::new(KernelSet::Portable, pool),
            precision: WeightType::F32.into(),
            packs: false,
        };
        Layers::load(&loader, config, wanted)?;
        checkpoint.finish()
    }

    /// Of one of several ranks, what it has of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// Whether sequences as long as they may be made it take the long factors of LongRoPE, which
    /// then all do.
    pub fn takes_long_factors(&self) -> bool {
        let mut ropes = self.config.ropes.iter();
        ropes.any(|rope| rope.takes_long_factors(self.max_positions) == Some(true))
    }

    /// Memory of the packed weights, in bytes.
    pub fn num_bytes(&self) -> usize {
        self.layers.num_bytes()
    }

    /// Computes a step: writes keys and values into `cache`, returns the logits
    /// `[output_rows, vocab]` in f32, which the next step overwrites.
    ///
    /// Ranks of one model compute a step side by side, each on a thread of its own; the first has
    /// the logits, the others no rows.
    pub fn forward(&self, batch: &Batch<'_>, cache: &KvCache) -> Result<Array, ModelError> {
        let wanted = match self.outputs.wanted {
            Wanted::Sums => Wanted::Sums,
            Wanted::Logits | Wanted::Hidden => Wanted::Logits,
        };
        self.run(wanted, batch, cache)
    }

    /// As [`Decoder::forward`], but what stands before the output head: `[output_rows, hidden]`
    /// after the last norm. Of a decoder that was loaded without a head only.
    pub fn hidden(&self, batch: &Batch<'_>, cache: &KvCache) -> Result<Array, ModelError> {
        self.run(Wanted::Hidden, batch, cache)
    }

    fn run(&self, wanted: Wanted, batch: &Batch<'_>, cache: &KvCache) -> Result<Array, ModelError> {
        if wanted != self.outputs.wanted {
            let message =
                "a decoder gives logits or, without its output head, what stands before it";
            return Err(ModelError::Unsupported(message.into()));
        }
        let (rows, outputs) = (batch.token_ids.len(), batch.output_rows.len());
        if rows > self.max_rows || outputs > self.max_output_rows {
            let message = format!(
                "a step of {rows} rows and {outputs} outputs exceeds {} and {}",
                self.max_rows, self.max_output_rows
            );
            return Err(ModelError::Unsupported(message));
        }
        let step = self.kernels.begin(*batch, self.config.attention)?;
        self.kernels.run(&step, cache.layer(0), || {
            self.compute(&step, cache)?;
            self.compute_outputs(&step)
        })?;
        Ok(match wanted {
            Wanted::Sums => self.outputs.results.clone(),
            Wanted::Logits | Wanted::Hidden => self.outputs.results.narrow(outputs)?,
        })
    }

    fn compute(&self, step: &Step<'_>, cache: &KvCache) -> Result<(), ModelError> {
        let kernels = &self.kernels;
        let work = self.workspace.narrow(step.num_rows())?;
        kernels.embedding(&work.x, step.token_ids(), self.layers.embedding.weight())?;
        if self.config.embedding_scale != 1.0 {
            kernels.scale(&work.x, self.config.embedding_scale)?;
        }
        for (index, layer) in self.layers.layers.iter().enumerate() {
            layer
                .attention
                .forward(kernels, &work, step, &self.ropes, cache.layer(index))?;
            layer.mlp.forward(kernels, &work)?;
        }
        Ok(())
    }

    /// Only the rows that someone looks at take part from here: the head is a large share of a
    /// small model.
    fn compute_outputs(&self, step: &Step<'_>) -> Result<(), ModelError> {
        let rows = step.num_outputs();
        if rows == 0 || self.outputs.wanted == Wanted::Sums {
            return Ok(());
        }
        let (kernels, layers) = (&self.kernels, &self.layers);
        let gathered = self.outputs.gathered.narrow(rows)?;
        let results = self.outputs.results.narrow(rows)?;
        kernels.gather_rows(&gathered, &self.workspace.x, step.output_rows())?;
        let norm = &layers.norm;
        if self.outputs.wanted == Wanted::Hidden {
            return Ok(kernels.rms_norm(&results, &gathered, &norm.weight, norm.eps)?);
        }
        layers
            .head()
            .forward_normed(kernels, &results, &gathered, Some(norm), Epilogue::Store)?;
        if self.config.logit_scale != 1.0 {
            kernels.scale(&results, self.config.logit_scale)?;
        }
        match self.config.logit_softcap {
            Some(cap) => Ok(kernels.softcap(&results, cap)?),
            None => Ok(()),
        }
    }
}
