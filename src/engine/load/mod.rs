mod blocks;
mod engine_config;
mod memory;
mod metal;
mod options;
mod ranks;
mod replicas;
mod survey;
mod warm_up;

pub use options::{DeviceChoice, Dtype, ModelOptions, ModelTask, Quantize, StepTime};
pub use replicas::{ReplicasError, load_replicas};
pub use survey::{KvSurvey, Survey, survey_decoder, survey_encoder};

use super::{EngineConfig, KvGroup, StepRunner};
use crate::kernels::{
    KV_BLOCK_SIZE, KernelSet, Kernels, KvType, PoolError, UnknownKernelSet, WeightType,
};
use crate::model::{
    Checkpoint, Decoder, DecoderConfig, DecoderLimits, KvCache, ModelError, Precision, Suggestion,
};
use blocks::{CacheLimits, longest_sequence, split_budget};
use engine_config::{engine_config, max_batched_tokens};
use replicas::Loaded;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
        "this build has no Metal: build it on a Mac with `--features metal` (docs/metal.md), or set \
         `device = \"cpu\"`"
    )]
    NoMetal,
    #[error(
        "on Metal weights and KV cache are bf16 or f32: leave `quantize` and `kv_cache_dtype` out, or \
         set `device = \"cpu\"`"
    )]
    MetalTypes,
    #[error(
        "on Metal the last bits of an answer depend on what else a step computes: leave \
         `deterministic` out or set it to false, or set `device = \"cpu\"`"
    )]
    MetalOrder,
    #[error(
        "on Metal one GPU computes a model: leave `tensor_parallel` and `replicas` out, or set \
         `device = \"cpu\"`"
    )]
    MetalAlone,
    #[error(
        "on a GPU weights are bf16, int8 or int4 and the KV cache is bf16: leave `kv_cache_dtype` out \
         and set `dtype = \"bf16\"`, or `device = \"cpu\"`"
    )]
    GpuTypes,
    #[error(transparent)]
    Replicas(#[from] ReplicasError),
    #[error("models with {0} are not computed on a GPU: set `device = \"cpu\"`")]
    GpuFamily(&'static str),
    #[error(
        "`tensor_parallel` splits models that write, and this one makes vectors or scores of texts: \
         set it to 1"
    )]
    SplitEncoder,
    #[error(
        "the model's tokens see what follows them, so it makes vectors of texts and writes none: \
         serve it as an embedder"
    )]
    Bidirectional,
}

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

/// Loads `config.json` and the safetensors of a checkpoint directory, for one engine.
pub fn load(dir: &Path, options: &ModelOptions) -> Result<LoadedModel, LoadError> {
    load_one(dir, options)?.ready()
}

fn load_one(dir: &Path, options: &ModelOptions) -> Result<Loaded, LoadError> {
    let config = DecoderConfig::from_dir(dir)?;
    let checkpoint = match options.random_weights {
        Some(seed) => Checkpoint::random(seed, config.num_parameters()),
        None => Checkpoint::open(dir)?,
    };
    let ranks = ranks::kernels_of_ranks(options)?;
    let num_ranks = ranks.len();
    let kernels = ranks[0].clone();
    let _interleaved = kernels.pool().interleave_scope()?;
    let (precision, kv_type) = types(options, &checkpoint);
    if config.is_bidirectional {
        return Err(LoadError::Bidirectional);
    }
    if kernels.is_on_candle() {
        metal::check(options, precision, kv_type)?;
    } else if kernels.gpu().is_some() {
        check_gpu_types(precision, kv_type)?;
        if let Some(what) = config.needs_cpu() {
            return Err(LoadError::GpuFamily(what));
        }
    }
    let own = config.of_rank(kernels.shard())?;
    let mut numerics = numerics(precision, kv_type);
    if num_ranks > 1 {
        numerics += &format!(" tp{num_ranks}");
    }
    let max_rows = max_batched_tokens(options, kernels.takes_large_steps());
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
    // Of all ranks together.
    let mut block_bytes = KvCache::block_bytes(&own, &kernels, kv_type);
    block_bytes.iter_mut().for_each(|bytes| *bytes *= num_ranks);
    let windows = config.kv_groups();
    let cache_limits = CacheLimits {
        block_size: KV_BLOCK_SIZE,
        max_model_len: limits.max_positions,
        max_num_seqs: options.max_num_seqs,
        max_num_batched_tokens: limits.max_rows,
    };
    let groups_within = |budget| split_budget(budget, &block_bytes, &windows, &cache_limits);
    let load = |limits| -> Result<Vec<Decoder>, ModelError> {
        let load = |kernels: &Kernels| {
            let config = config.clone();
            Decoder::load(config, &checkpoint, kernels.clone(), precision, limits)
        };
        ranks.iter().map(load).collect()
    };
    let (mut decoders, groups) = if kernels.gpu().is_some() {
        let mut decoders = load(limits)?;
        if let Some(first) = decoders.first() {
            warm_up::reserve(first, limits)?;
        }
        let budget = match options.kv_cache_bytes {
            Some(bytes) => bytes,
            None => warm_up::free_memory(&mut decoders, limits)?,
        };
        (decoders, groups_within(budget)?)
    } else {
        let in_tables = config.num_table_elements();
        let in_layers = (checkpoint.num_elements() as u64).saturating_sub(in_tables);
        let in_tables = in_tables + embeddings_of_ranks(&config, num_ranks);
        let weights = memory::weight_bytes(precision, in_layers, in_tables);
        let free = memory::free_memory_bytes();
        let groups = groups_within(kv_budget(options, free, weights))?;
        limits.max_positions = limits.max_positions.min(longest_sequence(&groups));
        (load(limits)?, groups)
    };
    limits.max_positions = limits.max_positions.min(longest_sequence(&groups));
    let num_weight_bytes: usize = decoders.iter().map(Decoder::num_bytes).sum();
    let followers = decoders.split_off(1);
    let decoder = decoders.remove(0);
    if decoder.takes_long_factors() {
        numerics += " longrope";
    }
    let num_blocks: Vec<usize> = groups.iter().map(|group| group.num_blocks).collect();
    let cache_of =
        |decoder: &Decoder| KvCache::new(decoder.config(), decoder.kernels(), kv_type, &num_blocks);
    let cache = cache_of(&decoder)?;
    if kernels.gpu().is_some() {
        warm_up::record(&decoder, &cache, max_num_seqs)?;
    }
    let place = match kernels.gpu() {
        Some(gpu) => gpu,
        None => format!("{} threads", kernels.pool().num_threads()),
    };
    let place = match num_ranks {
        1 => place,
        num => format!("{place} for each of {num} ranks"),
    };
    let in_cache = num_blocks
        .iter()
        .zip(&block_bytes)
        .map(|(num, bytes)| num * bytes);
    let description = format!(
        "{} decoder of {} layers, {} MiB of weights as {}, kernels {} on {place}, \
         KV blocks of {KV_BLOCK_SIZE} tokens: {} in {} MiB, context {} tokens",
        decoder.config().family,
        decoder.config().num_layers,
        num_weight_bytes >> 20,
        weights(&numerics, precision, &checkpoint),
        kernels.name(),
        described(&groups),
        in_cache.sum::<usize>() >> 20,
        limits.max_positions,
    );
    Ok(Loaded {
        config: EngineConfig {
            vocab_size: decoder.config().vocab_size,
            max_num_seqs,
            ..engine_config(options, &kernels, limits, groups, &block_bytes)
        },
        followers: (followers.into_iter())
            .map(|decoder| {
                let cache = cache_of(&decoder)?;
                Ok((decoder, cache))
            })
            .collect::<Result<_, ModelError>>()?,
        decoder,
        cache,
        kv_type,
        description,
        numerics: match options.random_weights {
            None => format!("{} {numerics}", kernels.name()),
            Some(seed) => format!("{} {numerics} random:{seed}", kernels.name()),
        },
    })
}

/// In memory: of the weights, and of keys and values.
fn types(options: &ModelOptions, checkpoint: &Checkpoint) -> (Precision, KvType) {
    let dtype = options.dtype.unwrap_or_else(|| Dtype::of(checkpoint));
    let kv_type = options.kv_type.unwrap_or(dtype.kv_type());
    (precision(dtype, options.quantize), kv_type)
}

/// Elements of the embeddings that the ranks beside the first have, too: each has it whole.
fn embeddings_of_ranks(config: &DecoderConfig, num_ranks: usize) -> u64 {
    let embedding = config.vocab_size as u64 * config.hidden_size as u64;
    embedding * (num_ranks as u64).saturating_sub(1)
}

/// Memory of a CPU for the keys and values of an engine, in bytes, beside weights of so many.
fn kv_budget(options: &ModelOptions, free: u64, weights: u64) -> u64 {
    let of_all = free.saturating_sub(weights) / 4;
    let of_each = of_all / options.replicas.max(1) as u64;
    options.kv_cache_bytes.unwrap_or(of_each)
}

/// What a GPU computes in so far.
fn check_gpu_types(precision: Precision, kv_type: KvType) -> Result<(), LoadError> {
    let has_f32 = [precision.layers, precision.tables].contains(&WeightType::F32);
    match has_f32 || kv_type != KvType::Bf16 {
        true => Err(LoadError::GpuTypes),
        false => Ok(()),
    }
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
