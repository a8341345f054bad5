//! The configuration of the server that is proved: the one place that names its keys.

use guichet::tenant::KeyConfig;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;

pub const MODEL: &str = "smollm2-135m-instruct";

/// What the proofs set. The defaults are roomy: each proof narrows what it is about.
#[derive(Debug, Clone)]
pub struct Settings {
    pub max_num_seqs: usize,
    pub max_num_batched_tokens: usize,
    /// Sequences of one caller that wait.
    pub max_num_waiting: usize,
    /// Prompt tokens of one caller that wait.
    pub max_waiting_tokens: usize,
    pub max_queue_ms: u64,
    pub max_step_ms: u64,
    pub prefix_cache: &'static str,
    pub prefix_cache_mib: u64,
    pub kv_cache_mib: u64,
    pub request_timeout_ms: u64,
    /// `None`: the model's own.
    pub max_model_len: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_num_seqs: 64,
            max_num_batched_tokens: 512,
            max_num_waiting: 256,
            max_waiting_tokens: 262_144,
            max_queue_ms: 30_000,
            max_step_ms: 50,
            prefix_cache: "per-caller",
            prefix_cache_mib: 256,
            kv_cache_mib: 512,
            request_timeout_ms: 120_000,
            max_model_len: None,
        }
    }
}

impl Settings {
    /// The configuration file.
    pub fn to_toml(&self, listen: SocketAddr, keys: &[KeyConfig]) -> String {
        let mut model = json!({"path": model_dir()});
        if let Some(max_model_len) = self.max_model_len {
            model["max_model_len"] = max_model_len.into();
        }
        let file = json!({
            "server": {
                "listen": listen,
                // A proof of load opens a connection for each request that is on its way.
                "max_connections": 8192,
                "request_timeout_ms": self.request_timeout_ms,
            },
            "model": model,
            "engine": {
                "max_num_seqs": self.max_num_seqs,
                "max_num_batched_tokens": self.max_num_batched_tokens,
                "max_num_waiting": self.max_num_waiting,
                "max_waiting_tokens": self.max_waiting_tokens,
                "max_queue_ms": self.max_queue_ms,
                "max_step_ms": self.max_step_ms,
                "prefix_cache": self.prefix_cache,
                "prefix_cache_mib": self.prefix_cache_mib,
                "kv_cache_mib": self.kv_cache_mib,
            },
            "keys": keys,
        });
        toml::to_string(&file).unwrap()
    }
}

pub fn model_dir() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("weights")
        .join(MODEL);
    assert!(
        dir.exists(),
        "weights/{MODEL} is missing: run `make weights` first"
    );
    dir
}
