use super::model_runner::ModelRunner;
use super::{EngineConfig, PrefixCache, StepRunner};
use crate::kernels::{
    KernelSet, Kernels, KvType, Placement, PoolError, ThreadPool, UnknownKernelSet, WeightType,
};
use crate::model::{
    Checkpoint, Decoder, DecoderConfig, DecoderLimits, KvCache, ModelError, Precision,
};
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
}

/// What the configuration says about loading and serving one model.
#[derive(Debug, Clone)]
pub struct ModelOptions {
    /// Type in memory of weights that are not quantized; `None` takes the checkpoint's.
    pub dtype: Option<Dtype>,
    /// Type in memory of the KV cache; `None` takes that of `dtype`.
    pub kv_type: Option<KvType>,
    /// Whole numbers in place of the checkpoint's weights.
    pub quantize: Option<Quantize>,
    /// Name of a kernel set to pin (see [`KernelSet`]); `None` takes the best.
    pub kernels: Option<String>,
    /// Threads that models share; `None`: some of its own, as the next two say.
    pub pool: Option<Arc<ThreadPool>>,
    /// `None`: one per core.
    pub num_threads: Option<usize>,
    pub placement: Placement,
    /// Memory for the KV cache in bytes; `None`: a quarter of what is free after loading.
    pub kv_cache_bytes: Option<u64>,
    /// Cuts the checkpoint's context length down; never raises it.
    pub max_model_len: Option<usize>,
    pub max_num_batched_tokens: usize,
    pub max_num_seqs: usize,
    pub max_num_waiting: usize,
    pub max_waiting_tokens: usize,
    pub max_kv_overcommit: usize,
    pub max_queue: Duration,
    pub max_step: Option<Duration>,
    /// Whether a request may find KV blocks that an earlier one of its namespace computed.
    pub prefix_cache: bool,
    /// Memory for KV blocks that no sequence reads, in bytes; `None`: all that is free.
    pub prefix_cache_bytes: Option<u64>,
    pub stall_timeout: Duration,
    pub quarantine_path: Option<PathBuf>,
}

impl Default for ModelOptions {
    /// What the configuration has by default.
    fn default() -> Self {
        let limits = EngineConfig::new(1, 1, 1, 1);
        Self {
            dtype: None,
            kv_type: None,
            quantize: None,
            kernels: None,
            pool: None,
            num_threads: None,
            placement: Placement::default(),
            kv_cache_bytes: None,
            max_model_len: None,
            max_num_batched_tokens: limits.max_num_batched_tokens,
            max_num_seqs: limits.max_num_seqs,
            max_num_waiting: limits.max_num_waiting,
            max_waiting_tokens: limits.max_waiting_tokens,
            max_kv_overcommit: limits.max_kv_overcommit,
            max_queue: limits.max_queue,
            max_step: limits.max_step,
            prefix_cache: true,
            prefix_cache_bytes: None,
            stall_timeout: limits.stall_timeout,
            quarantine_path: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    F32,
    Bf16,
}

/// How weights are rounded at load; `docs/quantization.md` has what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantize {
    Int8,
    /// Of the layers; the embedding and the output head are [`Quantize::Int8`].
    Int4,
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

/// Loads `config.json` and the safetensors of a checkpoint directory.
pub fn load(dir: &Path, options: &ModelOptions) -> Result<LoadedModel, LoadError> {
    let config = DecoderConfig::from_dir(dir)?;
    let checkpoint = Checkpoint::open(dir)?;
    let kernels = kernels(options)?;
    let (set, num_threads) = (kernels.set(), kernels.pool().num_threads());
    let _interleaved = kernels.pool().interleave_scope()?;
    let dtype = options.dtype.unwrap_or_else(|| Dtype::of(&checkpoint));
    let precision = precision(dtype, options.quantize);
    let kv_type = options.kv_type.unwrap_or(dtype.kv_type());
    let numerics = numerics(precision, kv_type);
    let max_rows = options.max_num_batched_tokens.max(1);
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
    let block_bytes = KvCache::block_bytes(&config, kv_type);
    // Room for every sequence at full length is all that can be used.
    let useful_blocks = limits
        .max_positions
        .div_ceil(block_size)
        .saturating_mul(options.max_num_seqs);
    let weights = checkpoint.num_elements() as u64 * element_bits(precision) / 8;
    let budget = options
        .kv_cache_bytes
        .unwrap_or_else(|| free_memory_bytes().saturating_sub(weights) / 4);
    let num_blocks = usize::try_from(budget / block_bytes as u64)
        .unwrap_or(usize::MAX)
        .min(useful_blocks);
    if num_blocks == 0 {
        return Err(LoadError::NoMemory {
            budget,
            block_bytes,
        });
    }
    limits.max_positions = limits.max_positions.min(num_blocks * block_size);
    let decoder = Decoder::load(config, &checkpoint, kernels, precision, limits)?;
    let cache = KvCache::new(decoder.config(), kv_type, num_blocks)?;
    let description = format!(
        "{} decoder of {} layers, {} MiB of weights as {}, kernels {set} on {num_threads} threads, \
         {num_blocks} KV blocks of {block_size} tokens in {} MiB, context {} tokens",
        decoder.config().family,
        decoder.config().num_layers,
        decoder.num_bytes() >> 20,
        numerics,
        (num_blocks * block_bytes) >> 20,
        limits.max_positions,
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
            max_step: options.max_step,
            prefix_cache: match options.prefix_cache {
                false => PrefixCache::Off,
                true => PrefixCache::PerNamespace {
                    max_blocks: options.prefix_cache_bytes.map_or(num_blocks, |bytes| {
                        let blocks = bytes / block_bytes as u64;
                        usize::try_from(blocks)
                            .unwrap_or(num_blocks)
                            .min(num_blocks)
                    }),
                },
            },
            stall_timeout: options.stall_timeout,
            quarantine_path: options.quarantine_path.clone(),
            ..EngineConfig::new(
                decoder.config().vocab_size,
                limits.max_positions,
                block_size,
                num_blocks,
            )
        },
        runner: Box::new(ModelRunner::new(decoder, cache)),
        description,
        numerics: format!("{set} {numerics}"),
    })
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

impl ModelOptions {
    /// The threads that these options ask for.
    pub fn thread_pool(&self) -> Result<Arc<ThreadPool>, PoolError> {
        let num_threads = self.num_threads.unwrap_or_else(available_threads);
        ThreadPool::placed(num_threads, self.placement)
    }
}

impl Dtype {
    /// bf16 stays bf16. f16 becomes f32, because bf16 would lose three bits of it.
    fn of(checkpoint: &Checkpoint) -> Self {
        if checkpoint.is_bf16() {
            Self::Bf16
        } else {
            Self::F32
        }
    }

    fn kv_type(self) -> KvType {
        match self {
            Self::F32 => KvType::F32,
            Self::Bf16 => KvType::Bf16,
        }
    }
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

/// What the bits of an answer depend on: the type of the weights, and that of the KV cache if it
/// is another.
fn numerics(precision: Precision, kv_type: KvType) -> String {
    let weights = match precision.layers {
        WeightType::F32 => "f32",
        WeightType::Bf16 => "bf16",
        WeightType::Int8 => "int8",
        WeightType::Int4 => "int4",
    };
    match (precision.layers, kv_type) {
        (WeightType::F32, KvType::F32) | (WeightType::Bf16, KvType::Bf16) => weights.to_owned(),
        (_, KvType::F32) => format!("{weights} f32"),
        (_, KvType::Bf16) => format!("{weights} bf16"),
        (_, KvType::Int8) => format!("{weights} with int8 KV"),
    }
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get())
}

/// Memory that an element of the checkpoint takes at most, in bits.
fn element_bits(precision: Precision) -> u64 {
    [precision.layers, precision.tables]
        .into_iter()
        .map(|weight_type| match weight_type {
            WeightType::F32 => 32,
            WeightType::Bf16 => 16,
            WeightType::Int8 => 9,
            WeightType::Int4 => 5,
        })
        .max()
        .unwrap_or(32)
}

/// What the machine says is available, 1 GiB where it does not say, and at most what the
/// control group of a container leaves.
fn free_memory_bytes() -> u64 {
    let available = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("MemAvailable:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        });
    let available = available.map_or(1 << 30, |kib| kib.saturating_mul(1024));
    available.min(control_group_room().unwrap_or(u64::MAX))
}

/// None without a limit, which reads `max`.
fn control_group_room() -> Option<u64> {
    let read = |name: &str| {
        let path = Path::new("/sys/fs/cgroup").join(name);
        std::fs::read_to_string(path)
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    Some(read("memory.max")?.saturating_sub(read("memory.current")?))
}
