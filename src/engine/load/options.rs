use super::LoadError;
use crate::engine::EngineConfig;
use crate::kernels::{KvType, Placement, PoolError, ThreadPool};
use crate::model::Pooling;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the configuration says about loading and serving one model.
#[derive(Debug, Clone)]
pub struct ModelOptions {
    pub device: DeviceChoice,
    /// How many GPUs, or parts of a CPU's threads, compute the model together; at least 1.
    pub tensor_parallel: usize,
    /// What the model is served for; `None`: what its files say.
    pub task: Option<ModelTask>,
    /// How an embedding is made of the vectors of tokens; `None`: as the checkpoint says.
    pub pooling: Option<Pooling>,
    /// Whether a GPU sums every row in one order, whatever else a step holds; a CPU always does.
    pub deterministic: bool,
    /// Weights made of this seed in place of the checkpoint's.
    pub random_weights: Option<u32>,
    /// Type in memory of weights that are not quantized; `None` takes the checkpoint's.
    pub dtype: Option<Dtype>,
    /// Type in memory of the KV cache; `None` takes that of `dtype`.
    pub kv_type: Option<KvType>,
    /// Whole numbers in place of the checkpoint's weights.
    pub quantize: Option<Quantize>,
    /// Name of a kernel set to pin (see [`crate::kernels::KernelSet`]); `None` takes the best.
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
    /// `None`: 512 on a CPU, 8192 on a GPU.
    pub max_num_batched_tokens: Option<usize>,
    pub max_num_seqs: usize,
    pub max_num_waiting: usize,
    pub max_waiting_tokens: usize,
    pub max_kv_overcommit: usize,
    pub max_queue: Duration,
    pub max_step: StepTime,
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
            device: DeviceChoice::Auto,
            tensor_parallel: 1,
            task: None,
            pooling: None,
            deterministic: true,
            random_weights: None,
            dtype: None,
            kv_type: None,
            quantize: None,
            kernels: None,
            pool: None,
            num_threads: None,
            placement: Placement::default(),
            kv_cache_bytes: None,
            max_model_len: None,
            max_num_batched_tokens: None,
            max_num_seqs: limits.max_num_seqs,
            max_num_waiting: limits.max_num_waiting,
            max_waiting_tokens: limits.max_waiting_tokens,
            max_kv_overcommit: limits.max_kv_overcommit,
            max_queue: limits.max_queue,
            max_step: StepTime::Auto,
            prefix_cache: true,
            prefix_cache_bytes: None,
            stall_timeout: limits.stall_timeout,
            quarantine_path: None,
        }
    }
}

/// What a model is served for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelTask {
    Generate,
    Embed,
    Rerank,
}

/// What computes a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU of a build for GPUs, if there is one.
    #[default]
    Auto,
    Cpu,
    /// The NVIDIA GPU of this number.
    Cuda(usize),
}

/// How long a step should take while streams wait for their next token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepTime {
    /// 100 ms on a CPU, 12 ms on a GPU.
    Auto,
    AtMost(Duration),
    /// As long as all its tokens take.
    Unlimited,
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

impl ModelOptions {
    /// Fails where a model is to be split that no two ranks can compute yet.
    pub(in crate::engine) fn check_whole(&self) -> Result<(), LoadError> {
        match self.tensor_parallel {
            1 => Ok(()),
            _ => Err(LoadError::SplitEncoder),
        }
    }

    /// The threads that these options ask for.
    pub fn thread_pool(&self) -> Result<Arc<ThreadPool>, PoolError> {
        let num_threads = self.num_threads.unwrap_or_else(available_threads);
        ThreadPool::placed(num_threads, self.placement)
    }
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get())
}
