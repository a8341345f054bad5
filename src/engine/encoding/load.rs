use super::{EncodingConfig, TextRunner};
use crate::engine::load::{Dtype, LoadError, ModelOptions, Quantize, kernels};
use crate::kernels::WeightType;
use crate::model::{
    Checkpoint, Encoder, EncoderConfig, EncoderLimits, EncoderTask, Pooling, SentenceConfig,
};
use std::path::Path;

/// An encoder ready for [`super::EncodingEngine::start`].
pub struct LoadedEncoder {
    pub runner: Box<dyn TextRunner>,
    pub config: EncodingConfig,
    pub task: EncoderTask,
    /// How tokens become a text: `mean` or `cls`.
    pub pooling: &'static str,
    /// Length of an embedding.
    pub hidden_size: usize,
    /// Lengths to which an embedding may be cut; empty: none.
    pub matryoshka_dimensions: Vec<usize>,
    pub sentence: SentenceConfig,
    /// One line for the log.
    pub description: String,
    /// What the bits of an answer depend on beside build and checkpoint.
    pub numerics: String,
}

/// Tokens of a batch: enough that products run at their peak. A batch that takes longer makes who
/// comes next wait longer.
const BATCH_TOKENS: usize = 1024;
const BATCH_TEXTS: usize = 256;

/// Loads `config.json`, the safetensors and what says how texts are pooled.
pub fn load_encoder(dir: &Path, options: &ModelOptions) -> Result<LoadedEncoder, LoadError> {
    let config = EncoderConfig::from_dir(dir)?;
    let sentence = SentenceConfig::from_dir(dir)?;
    let checkpoint = Checkpoint::open(dir)?;
    let kernels = kernels(options)?;
    let set = kernels.set();
    let _interleaved = kernels.pool().interleave_scope()?;
    let (weight_type, weights) = match (options.quantize, options.dtype) {
        (Some(Quantize::Int8), _) => (WeightType::Int8, "int8"),
        (Some(Quantize::Int4), _) => (WeightType::Int4, "int4"),
        (None, Some(Dtype::F32)) => (WeightType::F32, "f32"),
        // Published encoders are f32 nearly always, and bf16 turns their vectors by less than
        // other texts do that mean the same.
        (None, Some(Dtype::Bf16) | None) => (WeightType::Bf16, "bf16"),
    };
    let pooling = sentence.pooling.unwrap_or(Pooling::Mean);
    let pooling_name = match pooling {
        Pooling::Mean => "mean",
        Pooling::Cls => "cls",
    };
    let made_for = sentence.max_seq_length.unwrap_or(usize::MAX);
    // A model may do worse beyond what it was made for, which is for its operator to say.
    let max_text_len = options
        .max_model_len
        .unwrap_or(made_for)
        .min(config.max_positions);
    let limits = EncoderLimits {
        max_rows: BATCH_TOKENS.max(max_text_len),
        max_texts: BATCH_TEXTS,
    };
    let (task, hidden_size) = (config.task, config.hidden_size);
    let vocab_size = config.vocab_size;
    let matryoshka_dimensions = config.matryoshka_dimensions.clone();
    let encoder = Encoder::load(config, &checkpoint, kernels, weight_type, pooling, limits)?;
    let what = match task {
        EncoderTask::Embedding => format!("embeddings by {pooling_name} pooling"),
        EncoderTask::Classification { num_labels } => format!("{num_labels} scores"),
    };
    let description = format!(
        "{} encoder of {} layers, {} MiB of weights as {weights}, kernels {set} on {} threads, {what}, texts of \
         up to {max_text_len} tokens",
        encoder.config().family,
        encoder.config().num_layers,
        encoder.num_bytes() >> 20,
        encoder.kernels().pool().num_threads(),
    );
    Ok(LoadedEncoder {
        runner: Box::new(encoder),
        config: EncodingConfig {
            vocab_size,
            max_text_len,
            max_batched_tokens: limits.max_rows,
            max_batched_texts: limits.max_texts,
            max_waiting_tokens: options.max_waiting_tokens,
            stall_timeout: options.stall_timeout,
        },
        task,
        pooling: pooling_name,
        hidden_size,
        matryoshka_dimensions,
        sentence,
        description,
        numerics: format!("{set} {weights}"),
    })
}
