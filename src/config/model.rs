//! Section `[model]`.

use super::{ConfigError, check_mib};
use crate::engine::{DeviceChoice, Dtype, ModelTask, Pooling, Quantize};
use crate::kernels::KvType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// No machine has more GPUs that see each other.
const MAX_RANKS: usize = 64;

/// Section `[model]`, and each of `[[models]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// A checkpoint directory, or the name of one under `weights/`.
    pub path: Option<PathBuf>,
    /// The id that clients use; absent: the directory's name.
    pub id: Option<String>,
    /// Other ids that mean the same model.
    pub aliases: Vec<String>,
    pub task: TaskChoice,
    pub pooling: PoolingChoice,
    pub device: DeviceConfig,
    /// How many GPUs, or parts of a CPU's threads, compute the model together.
    pub tensor_parallel: usize,
    /// Whether a GPU sums every row in one order, whatever else a step holds.
    pub deterministic: bool,
    /// Absent: the checkpoint's.
    pub weights: Option<RandomWeights>,
    pub dtype: DtypeChoice,
    pub quantize: QuantizeChoice,
    pub kv_cache_dtype: KvDtypeChoice,
    /// A kernel set to pin, or `auto`.
    pub kernels: KernelChoice,
    pub max_model_len: Option<usize>,
    /// Memory for this model's KV cache; absent: `engine.kv_cache_mib`.
    pub kv_cache_mib: Option<u64>,
    /// Of an encoder: what stands before a text, by the name of its use, beside and instead of
    /// what the checkpoint says. Of a decoder that reranks: what it is told to look for.
    pub prompts: BTreeMap<String, String>,
    /// Of these, the one for a text whose use is not named.
    pub default_prompt: Option<String>,
    /// Lengths to which an embedding may be cut; empty: what the checkpoint says.
    pub matryoshka_dimensions: Vec<usize>,
}

/// What a model is served for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskChoice {
    /// What its files say.
    #[default]
    Auto,
    Generate,
    Embed,
    Rerank,
}

/// How an embedding is made of the vectors of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolingChoice {
    /// As the checkpoint says.
    #[default]
    Auto,
    Mean,
    Cls,
    LastToken,
}

/// Type in memory of weights that are not quantized, and of the KV cache unless it has its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtypeChoice {
    /// The checkpoint's.
    #[default]
    Auto,
    F32,
    Bf16,
}

/// How weights are rounded at load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuantizeChoice {
    #[default]
    None,
    Int8,
    Int4,
}

/// Type in memory of the KV cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvDtypeChoice {
    /// That of [`DtypeChoice`].
    #[default]
    Auto,
    Int8,
}

/// A kernel set, by its name, or the best for this processor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum KernelChoice {
    #[default]
    Auto,
    Named(String),
}

/// `auto`, `cpu`, `cuda` or `cuda:N`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceConfig(DeviceChoice);

/// `random:SEED`: weights that are made and not loaded, to see how fast a shape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RandomWeights(pub u32);

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            path: None,
            id: None,
            aliases: Vec::new(),
            task: TaskChoice::default(),
            pooling: PoolingChoice::default(),
            device: DeviceConfig::default(),
            tensor_parallel: 1,
            deterministic: true,
            weights: None,
            dtype: DtypeChoice::default(),
            quantize: QuantizeChoice::default(),
            kv_cache_dtype: KvDtypeChoice::default(),
            kernels: KernelChoice::default(),
            max_model_len: None,
            kv_cache_mib: None,
            prompts: BTreeMap::new(),
            default_prompt: None,
            matryoshka_dimensions: Vec::new(),
        }
    }
}

impl TryFrom<String> for DeviceConfig {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let choice = match name.as_str() {
            "auto" => Some(DeviceChoice::Auto),
            "cpu" => Some(DeviceChoice::Cpu),
            "cuda" => Some(DeviceChoice::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|ordinal| ordinal.parse().ok())
                .map(DeviceChoice::Cuda),
        };
        choice
            .map(Self)
            .ok_or("a device is auto, cpu, cuda or cuda:N")
    }
}

impl From<DeviceConfig> for String {
    fn from(DeviceConfig(choice): DeviceConfig) -> Self {
        match choice {
            DeviceChoice::Auto => "auto".to_owned(),
            DeviceChoice::Cpu => "cpu".to_owned(),
            DeviceChoice::Cuda(0) => "cuda".to_owned(),
            DeviceChoice::Cuda(ordinal) => format!("cuda:{ordinal}"),
        }
    }
}

impl From<DeviceConfig> for DeviceChoice {
    fn from(DeviceConfig(choice): DeviceConfig) -> Self {
        choice
    }
}

impl TryFrom<String> for RandomWeights {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.strip_prefix("random:")
            .and_then(|seed| seed.parse().ok())
            .map(Self)
            .ok_or("weights are left out, or random:SEED with a whole number")
    }
}

impl From<RandomWeights> for String {
    fn from(RandomWeights(seed): RandomWeights) -> Self {
        format!("random:{seed}")
    }
}

impl From<String> for KernelChoice {
    fn from(name: String) -> Self {
        if name == "auto" {
            Self::Auto
        } else {
            Self::Named(name)
        }
    }
}

impl From<KernelChoice> for String {
    fn from(choice: KernelChoice) -> Self {
        match choice {
            KernelChoice::Auto => "auto".to_owned(),
            KernelChoice::Named(name) => name,
        }
    }
}

impl ModelConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, name) in [("model.id", self.id.as_ref())].into_iter().chain(
            self.aliases
                .iter()
                .map(|alias| ("model.aliases", Some(alias))),
        ) {
            if name.is_some_and(|name| name.trim().is_empty()) {
                return Err(ConfigError::Value {
                    key,
                    must: "a name, or left out",
                });
            }
        }
        if self.max_model_len == Some(0) {
            return Err(ConfigError::Value {
                key: "model.max_model_len",
                must: "at least 1",
            });
        }
        if !(1..=MAX_RANKS).contains(&self.tensor_parallel) {
            return Err(ConfigError::Value {
                key: "model.tensor_parallel",
                must: "from 1 to 64",
            });
        }
        if self.matryoshka_dimensions.contains(&0) {
            return Err(ConfigError::Value {
                key: "model.matryoshka_dimensions",
                must: "lengths of at least 1",
            });
        }
        check_mib("model.kv_cache_mib", self.kv_cache_mib)
    }

    pub(super) fn task(&self) -> Option<ModelTask> {
        match self.task {
            TaskChoice::Auto => None,
            TaskChoice::Generate => Some(ModelTask::Generate),
            TaskChoice::Embed => Some(ModelTask::Embed),
            TaskChoice::Rerank => Some(ModelTask::Rerank),
        }
    }

    pub(super) fn pooling(&self) -> Option<Pooling> {
        match self.pooling {
            PoolingChoice::Auto => None,
            PoolingChoice::Mean => Some(Pooling::Mean),
            PoolingChoice::Cls => Some(Pooling::Cls),
            PoolingChoice::LastToken => Some(Pooling::LastToken),
        }
    }

    pub(super) fn dtype(&self) -> Option<Dtype> {
        match self.dtype {
            DtypeChoice::Auto => None,
            DtypeChoice::F32 => Some(Dtype::F32),
            DtypeChoice::Bf16 => Some(Dtype::Bf16),
        }
    }

    pub(super) fn quantize(&self) -> Option<Quantize> {
        match self.quantize {
            QuantizeChoice::None => None,
            QuantizeChoice::Int8 => Some(Quantize::Int8),
            QuantizeChoice::Int4 => Some(Quantize::Int4),
        }
    }

    pub(super) fn kv_type(&self) -> Option<KvType> {
        match self.kv_cache_dtype {
            KvDtypeChoice::Auto => None,
            KvDtypeChoice::Int8 => Some(KvType::Int8),
        }
    }

    pub(super) fn kernels(&self) -> Option<String> {
        match &self.kernels {
            KernelChoice::Auto => None,
            KernelChoice::Named(name) => Some(name.clone()),
        }
    }
}
