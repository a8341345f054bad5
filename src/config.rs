//! The configuration: defaults, under a TOML file, under the environment, under the
//! command line. Parsed and checked once, then frozen.

mod documents;
mod files;
mod model;
mod origin;

pub use documents::{DocumentsConfig, PrivacyConfig, PromptsConfig};
pub use files::FilesConfig;
pub use model::{
    DeviceConfig, DtypeChoice, KernelChoice, KvDtypeChoice, ModelConfig, PoolingChoice,
    QuantizeChoice, RandomWeights, TaskChoice,
};
pub use origin::ANY_ORIGIN;

use crate::engine::{ModelOptions, StepTime};
use crate::kernels::Placement;
use crate::store::Retention;
use crate::telemetry::{self, LogConfig, LogError};
use crate::tenant::{KeyConfig, KeyError, KeyRing};
use figment::error::Kind;
use figment::providers::{Env, Format as _, Serialized, Toml};
use figment::{Figment, Source};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Variables with this prefix and a double underscore are keys: `GUICHET_SERVER__LISTEN` is
/// `server.listen`. Others are not ours alone: an orchestrator sets `GUICHET_PORT` for a
/// service of that name.
pub const ENV_PREFIX: &str = "GUICHET_";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub model: ModelConfig,
    /// Further models, beside the first.
    pub models: Vec<ModelConfig>,
    pub engine: EngineSection,
    pub responses: ResponsesConfig,
    pub files: FilesConfig,
    pub documents: DocumentsConfig,
    pub prompts: PromptsConfig,
    pub privacy: PrivacyConfig,
    pub log: LogConfig,
    pub keys: Vec<KeyConfig>,
}

/// Section `[server]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    pub max_connections: usize,
    pub max_body_mib: usize,
    pub header_read_timeout_ms: u64,
    pub body_read_timeout_ms: u64,
    /// How long a client may take nothing of its answer.
    pub write_timeout_ms: u64,
    pub request_timeout_ms: u64,
    pub shutdown_timeout_ms: u64,
    /// Refuses parameters that would be ignored.
    pub strict_parameters: bool,
    /// Web pages that may read answers, by their origins, or `*`; empty: none.
    pub cors_origins: Vec<String>,
    /// A directory for what must outlive the process.
    pub state_dir: PathBuf,
}

/// Section `[responses]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponsesConfig {
    /// Whether responses are kept, so that they may be asked for and gone on from.
    pub store: bool,
    pub retention_hours: u64,
    /// Of one caller.
    pub max_store_mib: u64,
}

impl Default for ResponsesConfig {
    fn default() -> Self {
        Self {
            store: true,
            retention_hours: 24,
            max_store_mib: 64,
        }
    }
}

impl ResponsesConfig {
    /// `None`: nothing is kept.
    pub fn retention(&self) -> Option<Retention> {
        self.store.then(|| Retention {
            time: Duration::from_secs(self.retention_hours.saturating_mul(3600)),
            max_bytes: self.max_store_mib << 20,
        })
    }
}

/// Section `[engine]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    pub max_num_seqs: usize,
    /// Absent: 512 on a CPU, 8192 on a GPU.
    pub max_num_batched_tokens: Option<usize>,
    /// Of one caller.
    pub max_num_waiting: usize,
    /// Of one caller.
    pub max_waiting_tokens: usize,
    pub max_kv_overcommit: usize,
    pub max_queue_ms: u64,
    /// 0: no limit; absent: 100 on a CPU, 12 on a GPU.
    pub max_step_ms: Option<u64>,
    pub prefix_cache: PrefixCacheChoice,
    /// Absent: whatever of the KV cache nobody uses.
    pub prefix_cache_mib: Option<u64>,
    pub stall_timeout_ms: u64,
    /// Absent: a quarter of the memory that is free after loading.
    pub kv_cache_mib: Option<u64>,
    /// Absent: one per core.
    pub num_threads: Option<usize>,
    pub pin_threads: bool,
    pub interleave_memory: bool,
}

/// Who may find KV blocks that are computed already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixCacheChoice {
    Off,
    /// The caller whose requests computed them.
    PerCaller,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file {0} does not exist")]
    NoFile(PathBuf),
    /// Names the file or variable, and the key.
    #[error("{0}")]
    Read(String),
    #[error("{key} must be {must}")]
    Value {
        key: &'static str,
        must: &'static str,
    },
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(
        "server.listen = {0} can be reached from other machines, and no API key is set: make one \
         with `guichet keys hash` and put it under [[keys]] in the configuration, or listen on 127.0.0.1"
    )]
    OpenToAll(SocketAddr),
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            max_connections: 1024,
            max_body_mib: 8,
            header_read_timeout_ms: 30_000,
            body_read_timeout_ms: 60_000,
            write_timeout_ms: 60_000,
            request_timeout_ms: 600_000,
            shutdown_timeout_ms: 25_000,
            strict_parameters: false,
            cors_origins: Vec::new(),
            state_dir: PathBuf::from("state"),
        }
    }
}

impl ServerConfig {
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_mib << 20
    }
}

impl Default for EngineSection {
    fn default() -> Self {
        let engine = ModelOptions::default();
        let ms = |duration: Duration| duration.as_millis() as u64;
        Self {
            max_num_seqs: engine.max_num_seqs,
            max_num_batched_tokens: engine.max_num_batched_tokens,
            max_num_waiting: engine.max_num_waiting,
            max_waiting_tokens: engine.max_waiting_tokens,
            max_kv_overcommit: engine.max_kv_overcommit,
            max_queue_ms: ms(engine.max_queue),
            max_step_ms: None,
            prefix_cache: PrefixCacheChoice::PerCaller,
            prefix_cache_mib: None,
            stall_timeout_ms: ms(engine.stall_timeout),
            kv_cache_mib: None,
            num_threads: None,
            pin_threads: engine.placement.pin_threads,
            interleave_memory: engine.placement.interleave_memory,
        }
    }
}

impl Config {
    /// Defaults, under `file`, under the environment, under `overrides` (which serialize
    /// to the shape of the file, with what is not set left out).
    pub fn load(file: Option<&Path>, overrides: impl Serialize) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            if !file.exists() || file.is_dir() {
                return Err(ConfigError::NoFile(file.to_owned()));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        let env = Env::prefixed(ENV_PREFIX)
            .filter(|key| key.as_str().contains("__"))
            .split("__");
        let config: Self = figment
            .merge(env)
            .merge(Serialized::defaults(overrides))
            .extract()
            .map_err(|e| ConfigError::Read(describe(&e)))?;
        config.check()?;
        Ok(config)
    }

    /// What the type of a key cannot say.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Self {
            server,
            model: _,
            models: _,
            engine,
            responses,
            files,
            documents,
            prompts: _,
            privacy: _,
            log,
            keys,
        } = self;
        documents.check()?;
        files.check()?;
        for (key, value, max) in [
            ("server.max_connections", server.max_connections, 1 << 20),
            ("server.max_body_mib", server.max_body_mib, 1 << 10),
            ("engine.max_num_seqs", engine.max_num_seqs, 1 << 16),
            (
                "engine.max_num_batched_tokens",
                engine.max_num_batched_tokens.unwrap_or(1),
                1 << 20,
            ),
            ("engine.max_num_waiting", engine.max_num_waiting, 1 << 20),
            (
                "engine.max_waiting_tokens",
                engine.max_waiting_tokens,
                1 << 40,
            ),
            (
                "engine.max_kv_overcommit",
                engine.max_kv_overcommit,
                1 << 20,
            ),
            (
                "engine.num_threads",
                engine.num_threads.unwrap_or(1),
                1 << 12,
            ),
        ] {
            if value == 0 {
                return Err(ConfigError::Value {
                    key,
                    must: "at least 1",
                });
            }
            if value > max {
                return Err(ConfigError::Value {
                    key,
                    must: "smaller: no machine has a use for so much",
                });
            }
        }
        check_mib("engine.kv_cache_mib", engine.kv_cache_mib)?;
        if engine.prefix_cache_mib.is_some_and(|mib| mib > 1 << 32) {
            return Err(ConfigError::Value {
                key: "engine.prefix_cache_mib",
                must: "from 0 to 4294967296",
            });
        }
        for (key, value) in [
            ("engine.max_queue_ms", engine.max_queue_ms),
            ("engine.stall_timeout_ms", engine.stall_timeout_ms),
        ] {
            if value == 0 {
                return Err(ConfigError::Value {
                    key,
                    must: "at least 1",
                });
            }
        }
        let patience = [
            server.header_read_timeout_ms,
            server.body_read_timeout_ms,
            server.write_timeout_ms,
        ];
        if patience.contains(&0) {
            return Err(ConfigError::Value {
                key: "server.header_read_timeout_ms, body_read_timeout_ms and write_timeout_ms",
                must: "at least 1",
            });
        }
        if !server
            .cors_origins
            .iter()
            .all(|origin| origin::is_origin(origin))
        {
            return Err(ConfigError::Value {
                key: "server.cors_origins",
                must: "origins such as https://intranet.example, without a path, or *",
            });
        }
        if server.request_timeout_ms == 0 {
            return Err(ConfigError::Value {
                key: "server.request_timeout_ms",
                must: "at least 1",
            });
        }
        for (key, value, max) in [
            (
                "responses.retention_hours",
                responses.retention_hours,
                1 << 20,
            ),
            ("responses.max_store_mib", responses.max_store_mib, 1 << 24),
        ] {
            if value == 0 || value > max {
                return Err(ConfigError::Value {
                    key,
                    must: "at least 1, and no larger than anybody needs",
                });
            }
        }
        self.model.check()?;
        self.models.iter().try_for_each(|model| match model.path {
            Some(_) => model.check(),
            None => Err(ConfigError::Value {
                key: "models.path",
                must: "a directory with a model, or its name",
            }),
        })?;
        telemetry::filter(log)?;
        KeyRing::new(keys)?;
        if keys.is_empty() && !server.listen.ip().to_canonical().is_loopback() {
            return Err(ConfigError::OpenToAll(server.listen));
        }
        Ok(())
    }

    /// The models to serve, the first of them first.
    pub fn served_models(&self) -> impl Iterator<Item = &ModelConfig> {
        let first = Some(&self.model).filter(|model| model.path.is_some());
        first.into_iter().chain(&self.models)
    }

    /// What the engine needs to load a model.
    pub fn model_options(&self, model: &ModelConfig) -> ModelOptions {
        ModelOptions {
            device: model.device.into(),
            tensor_parallel: model.tensor_parallel,
            task: model.task(),
            pooling: model.pooling(),
            deterministic: model.deterministic,
            random_weights: model.weights.map(|RandomWeights(seed)| seed),
            dtype: model.dtype(),
            quantize: model.quantize(),
            kv_type: model.kv_type(),
            kernels: model.kernels(),
            pool: None,
            num_threads: self.engine.num_threads,
            placement: Placement {
                pin_threads: self.engine.pin_threads,
                interleave_memory: self.engine.interleave_memory,
            },
            kv_cache_bytes: (model.kv_cache_mib)
                .or(self.engine.kv_cache_mib)
                .map(|mib| mib << 20),
            max_model_len: model.max_model_len,
            max_num_batched_tokens: self.engine.max_num_batched_tokens,
            max_num_seqs: self.engine.max_num_seqs,
            max_num_waiting: self.engine.max_num_waiting,
            max_waiting_tokens: self.engine.max_waiting_tokens,
            max_kv_overcommit: self.engine.max_kv_overcommit,
            max_queue: Duration::from_millis(self.engine.max_queue_ms),
            max_step: match self.engine.max_step_ms {
                None => StepTime::Auto,
                Some(0) => StepTime::Unlimited,
                Some(ms) => StepTime::AtMost(Duration::from_millis(ms)),
            },
            prefix_cache: self.engine.prefix_cache == PrefixCacheChoice::PerCaller,
            prefix_cache_bytes: self.engine.prefix_cache_mib.map(|mib| mib << 20),
            stall_timeout: Duration::from_millis(self.engine.stall_timeout_ms),
            quarantine_path: Some(self.server.state_dir.join("quarantine")),
        }
    }
}

fn check_mib(key: &'static str, mib: Option<u64>) -> Result<(), ConfigError> {
    match mib {
        Some(mib) if mib == 0 || mib > 1 << 32 => Err(ConfigError::Value {
            key,
            must: "from 1 to 4294967296",
        }),
        _ => Ok(()),
    }
}

/// One sentence for each thing that is wrong: which file or variable, which key, what.
fn describe(error: &figment::Error) -> String {
    error
        .clone()
        .into_iter()
        .map(|e| describe_one(&e))
        .collect::<Vec<_>>()
        .join("; ")
}

fn describe_one(error: &figment::Error) -> String {
    let key = error.path.join(".").to_lowercase();
    let (place, key) = match &error.metadata {
        Some(metadata) => match &metadata.source {
            Some(Source::File(path)) => (path.display().to_string(), key),
            _ if metadata.name.contains("environment") => {
                let variable = error.path.join("__").to_uppercase();
                (format!("environment variable {ENV_PREFIX}{variable}"), key)
            }
            _ => ("command line".to_owned(), key),
        },
        None => ("configuration".to_owned(), key),
    };
    match &error.kind {
        Kind::UnknownField(_, known) => {
            format!(
                "{place}: there is no key `{key}`; these are: {}",
                known.join(", ")
            )
        }
        // A file that is not TOML has no key to name.
        kind if key.is_empty() => format!("{place}: {kind}"),
        kind => format!(
            "{place}: {key}: {}",
            kind.to_string().replace("usize", "a whole number")
        ),
    }
}

#[cfg(test)]
mod tests;
