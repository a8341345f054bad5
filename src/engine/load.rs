use super::{EngineConfig, StepRunner};
use std::path::Path;

/// What the configuration says about loading and serving one model.
#[derive(Debug, Clone)]
pub struct ModelOptions {
    /// Type of weights and KV cache in memory; `None` takes the checkpoint's.
    pub dtype: Option<Dtype>,
    /// Name of a kernel set to pin (`avx512-bf16`, `avx2`, `portable`); `None` takes the best.
    pub kernels: Option<String>,
    /// `None`: one per core.
    pub num_threads: Option<usize>,
    /// Memory for the KV cache in bytes; `None`: a quarter of what is free after loading.
    pub kv_cache_bytes: Option<u64>,
    /// Cuts the checkpoint's context length down; never raises it.
    pub max_model_len: Option<usize>,
    pub max_num_batched_tokens: usize,
    pub max_num_seqs: usize,
    pub max_num_waiting: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    F32,
    Bf16,
}

/// A model ready for [`super::Engine::start`].
pub struct LoadedModel {
    pub runner: Box<dyn StepRunner>,
    pub config: EngineConfig,
    /// One line for the log: family, parameters, dtype, kernel set, KV blocks.
    pub description: String,
}

/// One clear sentence that names the file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(pub String);

/// Loads `config.json` and the safetensors of a checkpoint directory.
pub fn load(_dir: &Path, _options: &ModelOptions) -> Result<LoadedModel, LoadError> {
    todo!()
}
