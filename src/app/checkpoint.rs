use super::AppError;
use super::sampling_defaults;
use crate::api::Served;
use crate::config::Config;
use crate::engine::{self, Engine};
use crate::generation::ServedModel;
use crate::text::{ChatTemplate, Tokenizer};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, UNIX_EPOCH};
use tracing::info;

/// Where models are looked for by name, unless `GUICHET_WEIGHTS` says otherwise.
const WEIGHTS: &str = "weights";

/// What identifies a checkpoint besides its weights' names and sizes.
const FINGERPRINTED: [&str; 5] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
];

/// The directory of a model that is given as one or by its name.
pub fn resolve_model(model: &Path) -> Result<PathBuf, AppError> {
    if model.as_os_str().is_empty() {
        return Err(AppError::NoModel);
    }
    let is_checkpoint = |dir: &Path| dir.join("config.json").is_file();
    if is_checkpoint(model) {
        return Ok(model.to_owned());
    }
    let weights =
        std::env::var_os("GUICHET_WEIGHTS").map_or_else(|| PathBuf::from(WEIGHTS), PathBuf::from);
    let weights = weights.join(model);
    if is_checkpoint(&weights) {
        return Ok(weights);
    }
    Err(AppError::UnknownModel {
        name: model.display().to_string(),
        weights,
    })
}

/// Loads everything that serving a checkpoint takes and starts its engine.
pub fn load_served_model(dir: &Path, config: &Config) -> Result<ServedModel, AppError> {
    load(dir, config).map(|(model, _)| model)
}

/// The same, with the fingerprint that answers carry.
pub(super) fn load_for_api(dir: &Path, config: &Config) -> Result<Served, AppError> {
    let (model, system_fingerprint) = load(dir, config)?;
    Ok(Served {
        model: Arc::new(model),
        system_fingerprint,
    })
}

fn load(dir: &Path, config: &Config) -> Result<(ServedModel, String), AppError> {
    let started = Instant::now();
    let tokenizer = Arc::new(Tokenizer::from_dir(dir)?);
    let chat_template = ChatTemplate::from_dir(dir)?;
    let (generation_config, stop_token_ids) = sampling_defaults::read(dir)?;
    let defaults = generation_config.or_openai();
    let loaded = engine::load(dir, &config.model_options())?;
    info!(
        "loaded {} in {} ms: {}",
        dir.display(),
        started.elapsed().as_millis(),
        loaded.description
    );
    let limits = &loaded.config;
    info!(
        "{} KV blocks of {} tokens for up to {} sequences; at most {} tokens a step and {} in a context",
        limits.num_blocks,
        limits.block_size,
        limits.max_num_seqs,
        limits.max_num_batched_tokens,
        limits.max_model_len
    );
    info!(
        "defaults: temperature {}, top_p {}, top_k {:?}; stop tokens {stop_token_ids:?}",
        defaults.temperature, defaults.top_p, defaults.top_k
    );
    let system_fingerprint = fingerprint(dir, &loaded.description);
    let engine = Engine::start(loaded.runner, loaded.config).map_err(AppError::EngineThread)?;
    let model = ServedModel {
        id: id(dir, config),
        created: created(dir),
        engine,
        tokenizer,
        chat_template,
        defaults,
        stop_token_ids: stop_token_ids.into(),
    };
    Ok((model, system_fingerprint))
}

fn id(dir: &Path, config: &Config) -> String {
    if let Some(id) = &config.model.id {
        return id.clone();
    }
    // `.` and a symbolic link have the name of what they lead to.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    dir.file_name().map_or_else(
        || "model".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Unix seconds of the newest file.
fn created(dir: &Path) -> u64 {
    files(dir)
        .filter_map(|(_, metadata)| metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok())
        .map(|since| since.as_secs())
        .max()
        .unwrap_or(0)
}

/// Changes with the build, the kernel set and types (which `description` names) and the
/// checkpoint: its small files by content, its weights by name and size.
fn fingerprint(dir: &Path, description: &str) -> String {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    };
    add(env!("CARGO_PKG_VERSION").as_bytes());
    add(description.as_bytes());
    for name in FINGERPRINTED {
        add(&std::fs::read(dir.join(name)).unwrap_or_default());
    }
    let mut weights: Vec<_> = files(dir)
        .filter(|(name, _)| name.ends_with(".safetensors"))
        .map(|(name, metadata)| (name, metadata.len()))
        .collect();
    weights.sort();
    for (name, size) in weights {
        add(name.as_bytes());
        add(&size.to_le_bytes());
    }
    let digest = digest.finalize();
    let hex: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("fp_{hex}")
}

fn files(dir: &Path) -> impl Iterator<Item = (String, std::fs::Metadata)> {
    std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let metadata = std::fs::metadata(entry.path()).ok()?;
            metadata
                .is_file()
                .then(|| (entry.file_name().to_string_lossy().into_owned(), metadata))
        })
}
