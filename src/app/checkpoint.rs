use super::sampling_defaults::{self, PartialSampling};
use super::{AppError, identity};
use crate::api::Served;
use crate::config::Config;
use crate::engine::{self, Engine};
use crate::generation::{Dialect, Grammars, ServedModel};
use crate::hub;
use crate::hub::lock::{self, Checked};
use crate::text::{ChatTemplate, Tokenizer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tracing::{info, warn};

/// The directory of a model that is given as one or by its name.
pub fn resolve_model(model: &Path) -> Result<PathBuf, AppError> {
    if model.as_os_str().is_empty() {
        return Err(AppError::NoModel);
    }
    let name = model.to_string_lossy();
    let weights = hub::weights_dir(&name);
    let found = [model, &weights]
        .into_iter()
        .find(|dir| dir.join("config.json").is_file())
        .map(Path::to_owned);
    found.ok_or_else(|| AppError::UnknownModel {
        name: name.into_owned(),
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
    let checked = check_lock(dir)?;
    let tokenizer = Arc::new(Tokenizer::from_dir(dir)?);
    let chat_template = ChatTemplate::from_dir(dir)?;
    let (generation_config, stop_token_ids) = sampling_defaults::read(dir)?;
    let manifest = match &checked {
        Some(checked) => PartialSampling::from_lock(dir, &checked.lock)?,
        None => PartialSampling::default(),
    };
    let defaults = manifest.or(generation_config).or_openai();
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
        limits.max_sequence_len()
    );
    info!(
        "defaults: temperature {}, top_p {}, top_k {:?}, min_p {}, repetition_penalty {}; stop tokens {stop_token_ids:?}",
        defaults.temperature,
        defaults.top_p,
        defaults.top_k,
        defaults.min_p,
        defaults.repetition_penalty
    );
    let lock = checked.as_ref().map(|checked| &checked.lock);
    let system_fingerprint = identity::fingerprint(dir, lock, &loaded.numerics);
    let engine = Engine::start(loaded.runner, loaded.config).map_err(AppError::EngineThread)?;
    let stop_token_ids: Arc<[u32]> = stop_token_ids.into();
    let vocab_size = engine.config().vocab_size;
    let grammars = Grammars::start(Arc::clone(&tokenizer), vocab_size, stop_token_ids.clone());
    let model = ServedModel {
        id: identity::model_id(dir, config),
        created: identity::created(dir),
        engine,
        dialect: Dialect::of_model(chat_template.as_ref(), &tokenizer),
        tokenizer,
        chat_template,
        defaults,
        stop_token_ids,
        grammars: grammars.map_err(AppError::GrammarThread)?,
    };
    Ok((model, system_fingerprint))
}

/// Every file is what was pulled or imported, as far as sizes, times and inodes tell.
fn check_lock(dir: &Path) -> Result<Option<Checked>, AppError> {
    let checked = lock::check_quick(dir)?;
    match &checked {
        None => warn!(
            "{} has no {}: nothing says that its files are what they should be",
            dir.display(),
            lock::FILE_NAME
        ),
        Some(checked) if checked.rehashed.is_empty() => {}
        Some(checked) => info!(
            "{} files have another time or inode than in the lock; their digests are right",
            checked.rehashed.len()
        ),
    }
    Ok(checked)
}
