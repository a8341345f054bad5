mod blocks;
mod memory;
mod options;
mod survey;
mod warm_up;

pub use options::{DeviceChoice, Dtype, ModelOptions, ModelTask, Quantize, StepTime};
pub use survey::{KvSurvey, Survey, survey_decoder, survey_encoder};

use super::model_runner::ModelRunner;
use super::{EngineConfig, KvGroup, PrefixCache, StepRunner};
#[cfg(feature = "cuda")]
use crate::kernels::CudaOptions;
use crate::kernels::{KernelSet, Kernels, KvType, PoolError, UnknownKernelSet, WeightType};
use crate::model::{
    Checkpoint, Decoder, DecoderConfig, DecoderLimits, KvCache, ModelError, Precision, Suggestion,
};
use blocks::{CacheLimits, split_budget};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a model cannot be served, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Kernels(#[from] UnknownKernelSet),
    #[error(transparent)]
    Threads(#[from] PoolError),
    #[error(
        "{budget} bytes of memory for the KV cache do not hold one block of {block_bytes} bytes"
    )]
    NoMemory { budget: u64, block_bytes: usize },
    #[error("{}: `model.task` names another task than its architecture was trained for", .0.display())]
    OtherTask(PathBuf),
    #[error(
        "this build has no CUDA: build with `--features cuda` (docs/gpu.md), or set `device = \"cpu\"`"
    )]
    NoCuda,
    #[error(
        "on a GPU weights and KV cache are bf16: leave `quantize` and `kv_cache_dtype` out and set \
         `dtype = \"bf16\"`, or `device = \"cpu\"`"
    )]
    GpuTypes,
    #[error("models with {0} are not computed on a GPU yet: set `device = \"cpu\"`")]
    GpuFamily(&'static str),
    #[error(
        "the model's tokens see what follows them, so it makes vectors of texts and writes none: \
         serve it as an embedder"
    )]
    Bidirectional,
}

/// A GPU is busy with so many tokens, and they take it less time than a CPU's 512.
const MAX_BATCHED_ON_GPU: usize = 8192;

/// About two steps of a few streams, so that those with prefills are not felt.
const MAX_STEP_ON_GPU: Duration = Duration::from_millis(12);

/// So many tokens take a GPU hardly longer than one.
const FIRST_PREFILL_ON_GPU: usize = 256;

/// Rows of logits that a step holds however few sequences run.
const MIN_OUTPUT_ROWS: usize = 64;

/// A model ready for [`super::Engine::start`].
pub struct LoadedModel {
    pub runner: Box<dyn StepRunner>,
    pub config: EngineConfig,
    /// One line for the log: family, parameters, dtype, kernel set, KV blocks.
    pub description: String,
    /// What the bits of an answer depend on beside build and checkpoint.
    pub numerics: String,
}

/// Loads `config.json` and the safetensors of a checkpoint directory.
pub fn load(dir: &Path, options: &ModelOptions) -> Result<LoadedModel, LoadError> {
    let config = DecoderConfig::from_dir(dir)?;
    let checkpoint = match options.random_weights {
        Some(seed) => Checkpoint::random(seed, config.num_parameters()),
        None => Checkpoint::open(dir)?,
    };
    let kernels = on_device(kernels(options)?, options)?;
    let num_threads = kernels.pool().num_threads();
    let _interleaved = kernels.pool().interleave_scope()?;
    let dtype = options.dtype.unwrap_or_else(|| Dtype::of(&checkpoint));
    let precision = precision(dtype, options.quantize);
    let kv_type = options.kv_type.unwrap_or(dtype.kv_type());
    if config.is_bidirectional {
        return Err(LoadError::Bidirectional);
    }
    if kernels.gpu().is_some() {
        check_gpu_types(precision, kv_type)?;
        if let Some(what) = config.needs_cpu() {
            return Err(LoadError::GpuFamily(what));
        }
    }
    let mut numerics = numerics(precision, kv_type);
    let max_rows = options
        .max_num_batched_tokens
        .unwrap_or(match kernels.gpu() {
            Some(_) => MAX_BATCHED_ON_GPU,
            None => EngineConfig::new(1, 1, 1, 1).max_num_batched_tokens,
        });
    let max_rows = max_rows.max(1);
    let max_num_seqs = options.max_num_seqs.clamp(1, max_rows);
    let mut limits = DecoderLimits {
        max_rows,
        // Each running sequence decodes a token in every step, and a prompt that is scored
        // must not need a step for every few of its tokens.
        max_output_rows: max_num_seqs.max(max_rows.min(MIN_OUTPUT_ROWS)),
        max_positions: options
            .max_model_len
            .unwrap_or(usize::MAX)
            .min(config.max_position_embeddings),
    };
    let block_size = KvCache::block_size();
    let block_bytes = KvCache::block_bytes(&config, &kernels, kv_type);
    let windows = config.kv_groups();
    let cache_limits = CacheLimits {
        block_size,
        max_model_len: limits.max_positions,
        max_num_seqs: options.max_num_seqs,
        max_num_batched_tokens: limits.max_rows,
    };
    let groups_within = |budget| split_budget(budget, &block_bytes, &windows, &cache_limits);
    let longest = |groups: &[KvGroup]| {
        let of_group = |group: &KvGroup| group.max_sequence_len(block_size);
        groups.iter().map(of_group).min().unwrap_or(usize::MAX)
    };
    let load = |limits| Decoder::load(config, &checkpoint, kernels.clone(), precision, limits);
    let (decoder, groups) = if kernels.gpu().is_some() {
        let decoder = load(limits)?;
        warm_up::reserve(&decoder, limits)?;
        let budget = match options.kv_cache_bytes {
            Some(bytes) => bytes,
            None => warm_up::free_memory(&decoder, limits)?,
        };
        (decoder, groups_within(budget)?)
    } else {
        let weights = checkpoint.num_elements() as u64 * memory::element_bits(precision) / 8;
        let budget = options
            .kv_cache_bytes
            .unwrap_or_else(|| memory::free_memory_bytes().saturating_sub(weights) / 4);
        let groups = groups_within(budget)?;
        limits.max_positions = limits.max_positions.min(longest(&groups));
        (load(limits)?, groups)
    };
    limits.max_positions = limits.max_positions.min(longest(&groups));
    if decoder.takes_long_factors() {
        numerics += " longrope";
    }
    let num_blocks: Vec<usize> = groups.iter().map(|group| group.num_blocks).collect();
    let most_blocks = num_blocks.iter().copied().max().unwrap_or(0);
    let cache = KvCache::new(decoder.config(), &kernels, kv_type, &num_blocks)?;
    if kernels.gpu().is_some() {
        warm_up::record(&decoder, &cache, max_num_seqs)?;
    }
    let place = match kernels.gpu() {
        Some(gpu) => format!("kernels {} on {gpu}", kernels.name()),
        None => format!("kernels {} on {num_threads} threads", kernels.name()),
    };
    let description = format!(
        "{} decoder of {} layers, {} MiB of weights as {}, {place}, \
         KV blocks of {block_size} tokens: {} in {} MiB, context {} tokens",
        decoder.config().family,
        decoder.config().num_layers,
        decoder.num_bytes() >> 20,
        weights(&numerics, precision, &checkpoint),
        described(&groups),
        num_blocks
            .iter()
            .zip(&block_bytes)
            .map(|(num_blocks, bytes)| num_blocks * bytes)
            .sum::<usize>()
            >> 20,
        limits.max_positions,
    );
    let defaults = EngineConfig::new(
        decoder.config().vocab_size,
        limits.max_positions,
        block_size,
        most_blocks,
    );
    Ok(LoadedModel {
        config: EngineConfig {
            max_num_batched_tokens: limits.max_rows,
            max_num_seqs,
            max_num_outputs: limits.max_output_rows,
            max_num_waiting: options.max_num_waiting,
            max_waiting_tokens: options.max_waiting_tokens,
            max_kv_overcommit: options.max_kv_overcommit,
            max_queue: options.max_queue,
            max_step: match (options.max_step, kernels.gpu()) {
                (StepTime::Auto, None) => defaults.max_step,
                (StepTime::Auto, Some(_)) => Some(MAX_STEP_ON_GPU),
                (StepTime::AtMost(time), _) => Some(time),
                (StepTime::Unlimited, _) => None,
            },
            first_prefill: match kernels.gpu() {
                None => defaults.first_prefill,
                Some(_) => FIRST_PREFILL_ON_GPU,
            },
            prefix_cache: match options.prefix_cache {
                false => PrefixCache::Off,
                true => PrefixCache::PerNamespace {
                    max_blocks: options.prefix_cache_bytes.map_or(most_blocks, |bytes| {
                        let cached = bytes / block_bytes.iter().sum::<usize>().max(1) as u64;
                        usize::try_from(cached)
                            .unwrap_or(most_blocks)
                            .min(most_blocks)
                    }),
                },
            },
            kv_groups: groups,
            stall_timeout: options.stall_timeout,
            quarantine_path: options.quarantine_path.clone(),
            ..defaults
        },
        runner: Box::new(ModelRunner::new(decoder, cache)),
        description,
        numerics: match options.random_weights {
            None => format!("{} {numerics}", kernels.name()),
            Some(seed) => format!("{} {numerics} random:{seed}", kernels.name()),
        },
    })
}

/// Puts a decoder's kernels on the device that is asked for.
fn on_device(kernels: Kernels, options: &ModelOptions) -> Result<Kernels, LoadError> {
    match options.device {
        DeviceChoice::Cpu => Ok(kernels),
        #[cfg(feature = "cuda")]
        DeviceChoice::Auto if !Kernels::has_cuda() => Ok(kernels),
        #[cfg(feature = "cuda")]
        DeviceChoice::Auto | DeviceChoice::Cuda(_) => {
            let ordinal = match options.device {
                DeviceChoice::Cuda(ordinal) => ordinal,
                _ => 0,
            };
            let deterministic = options.deterministic;
            let on_cuda = kernels.on_cuda(CudaOptions {
                ordinal,
                deterministic,
            });
            Ok(on_cuda.map_err(ModelError::from)?)
        }
        #[cfg(not(feature = "cuda"))]
        DeviceChoice::Auto => Ok(kernels),
        #[cfg(not(feature = "cuda"))]
        DeviceChoice::Cuda(_) => Err(LoadError::NoCuda),
    }
}

/// What a GPU computes in so far.
fn check_gpu_types(precision: Precision, kv_type: KvType) -> Result<(), LoadError> {
    if precision == WeightType::Bf16.into() && kv_type == KvType::Bf16 {
        return Ok(());
    }
    Err(LoadError::GpuTypes)
}

/// The kernel set that is asked for, on the threads that all models share.
pub(super) fn kernels(options: &ModelOptions) -> Result<Kernels, LoadError> {
    let set = KernelSet::select(options.kernels.as_deref().unwrap_or("auto"))?;
    let pool = match &options.pool {
        Some(pool) => Arc::clone(pool),
        None => options.thread_pool()?,
    };
    Ok(Kernels::new(set, pool))
}

impl Dtype {
    /// bf16 stays bf16. f16 becomes f32, because bf16 would lose three bits of it. What is
    /// quantised becomes bf16, which rounds it less than its makers have.
    fn of(checkpoint: &Checkpoint) -> Self {
        match checkpoint.suggestion() {
            Suggestion::Bf16 | Suggestion::RoundedBf16 => Self::Bf16,
            Suggestion::F32 => Self::F32,
        }
    }

    fn kv_type(self) -> KvType {
        match self {
            Self::F32 => KvType::F32,
            Self::Bf16 => KvType::Bf16,
        }
    }
}

/// Published encoders are f32 nearly always, and bf16 turns their vectors by less than other texts
/// do that mean the same.
pub(super) fn encoder_precision(options: &ModelOptions) -> Precision {
    precision(options.dtype.unwrap_or(Dtype::Bf16), options.quantize)
}

fn precision(dtype: Dtype, quantize: Option<Quantize>) -> Precision {
    match (quantize, dtype) {
        (None, Dtype::F32) => WeightType::F32.into(),
        (None, Dtype::Bf16) => WeightType::Bf16.into(),
        (Some(Quantize::Int8), _) => WeightType::Int8.into(),
        (Some(Quantize::Int4), _) => Precision {
            layers: WeightType::Int4,
            tables: WeightType::Int8,
        },
    }
}

/// How many blocks each group of layers has.
fn described(groups: &[KvGroup]) -> String {
    let of_group = |group: &KvGroup| match group.window {
        None => group.num_blocks.to_string(),
        Some(window) => format!("{} for windows of {window}", group.num_blocks),
    };
    let parts: Vec<_> = groups.iter().map(of_group).collect();
    parts.join(" and ")
}

/// What weights are in memory, and what they were in a quantised checkpoint.
fn weights(numerics: &str, precision: Precision, checkpoint: &Checkpoint) -> String {
    if !checkpoint.is_quantized() {
        return numerics.to_owned();
    }
    let how = match (precision.layers, checkpoint.suggestion()) {
        (WeightType::F32, _) | (WeightType::Bf16, Suggestion::Bf16) => "exactly",
        _ => "rounded",
    };
    format!("{numerics} ({how} from {})", checkpoint.formats())
}

/// As the log and a fingerprint name it.
pub(super) fn weight_name(weight_type: WeightType) -> &'static str {
    match weight_type {
        WeightType::F32 => "f32",
        WeightType::Bf16 => "bf16",
        WeightType::Int8 => "int8",
        WeightType::Int4 => "int4",
    }
}

/// What the bits of an answer depend on: the type of the weights, and that of the KV cache if it
/// is another.
fn numerics(precision: Precision, kv_type: KvType) -> String {
    let weights = weight_name(precision.layers);
    match (precision.layers, kv_type) {
        (WeightType::F32, KvType::F32) | (WeightType::Bf16, KvType::Bf16) => weights.to_owned(),
        (_, KvType::F32) => format!("{weights} f32"),
        (_, KvType::Bf16) => format!("{weights} bf16"),
        (_, KvType::Int8) => format!("{weights} with int8 KV"),
    }
}
