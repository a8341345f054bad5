use super::sampling_defaults::{self, PartialSampling};
use super::{AppError, contents, identity, rehearsal};
use crate::api::{Models, Served, ServedEncoding};
use crate::config::{Config, ModelConfig};
use crate::encoding::{ServedEncoder, TextTokenizer};
use crate::engine::{
    self, EncodingEngine, LoadError, ModelOptions, Replicas, ReplicasError, TextModel,
};
use crate::generation::{Dialect, Grammars, ServedModel};
use crate::hub;
use crate::hub::lock::{self, Checked};
use crate::kernels::ThreadPool;
use crate::model::{AnswerTokens, DecoderConfig, EncoderConfig};
use crate::text::{ChatTemplate, PairTokenizer, RelevanceTokenizer, Tokenizer};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tracing::{info, warn};

/// A model of the configuration, and where it lies.
#[derive(Debug, Clone)]
pub struct ModelToServe {
    pub dir: PathBuf,
    pub config: ModelConfig,
}

/// The directories of all models that the configuration names, at least one.
pub fn resolve_models(config: &Config) -> Result<Vec<ModelToServe>, AppError> {
    let mut models = Vec::new();
    let mut names = BTreeSet::new();
    for model in config.served_models() {
        let dir = resolve(model.path.as_deref().unwrap_or(Path::new("")))?;
        let id = identity::model_id(&dir, model);
        for name in [&id].into_iter().chain(&model.aliases) {
            if !names.insert(name.clone()) {
                return Err(AppError::SameName(name.clone()));
            }
        }
        models.push(ModelToServe {
            dir,
            config: model.clone(),
        });
    }
    if models.is_empty() {
        return Err(AppError::NoModel);
    }
    Ok(models)
}

/// The directory of a model that is given as one or by its name.
fn resolve(model: &Path) -> Result<PathBuf, AppError> {
    if model.as_os_str().is_empty() {
        return Err(AppError::NoModel);
    }
    let name = model.to_string_lossy();
    let weights = hub::weights_dir(&name);
    let found = [model, &weights]
        .into_iter()
        .find(|dir| dir.join("config.json").is_file())
        .map(Path::to_owned);
    if let Some(found) = found {
        return Ok(found);
    }
    // What is there and is no model is told why.
    if let Some(other) = [model, &weights].into_iter().find(|dir| is_there(dir)) {
        contents::check(other)?;
    }
    Err(AppError::UnknownModel {
        name: name.into_owned(),
        weights,
    })
}

/// Symbolic links that lead nowhere included.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Loads everything that serving a checkpoint takes and starts its engine.
pub fn load_served_model(dir: &Path, config: &Config) -> Result<ServedModel, AppError> {
    let model = ModelToServe {
        dir: dir.to_owned(),
        config: config.model.clone(),
    };
    contents::check(dir)?;
    let options = config.model_options(&model.config);
    let pools = options.thread_pools().map_err(LoadError::from)?;
    let served = load_generator(&model, &options, &pools)?;
    // Nobody else holds it yet.
    Arc::into_inner(served.model).ok_or(AppError::LoaderPanicked)
}

/// The same for an encoder, or a decoder that is served as one.
pub fn load_served_encoder(dir: &Path, config: &Config) -> Result<ServedEncoder, AppError> {
    let model = ModelToServe {
        dir: dir.to_owned(),
        config: config.model.clone(),
    };
    contents::check(dir)?;
    let options = config.model_options(&model.config);
    let kind = TextModel::of(dir, options.task)?.unwrap_or(TextModel::DecoderVectors);
    let served = load_encoder(&model, kind, &options)?;
    // Nobody else holds it yet.
    Arc::into_inner(served.model).ok_or(AppError::LoaderPanicked)
}

/// Loads all models, one after another, for the threads that they share: those with as many
/// replicas divide them in the same way.
pub(super) fn load_models(models: &[ModelToServe], config: &Config) -> Result<Models, AppError> {
    let mut pools: BTreeMap<usize, Vec<Arc<ThreadPool>>> = BTreeMap::new();
    let mut loaded = Models::default();
    for (index, model) in models.iter().enumerate() {
        let options = config.model_options(&model.config);
        let pools = match pools.entry(options.replicas) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(options.thread_pools().map_err(LoadError::from)?),
        };
        let options = ModelOptions {
            pool: pools.first().cloned(),
            ..options
        };
        contents::check(&model.dir)?;
        if let Some(kind) = TextModel::of(&model.dir, options.task)? {
            loaded.encoders.push(load_encoder(model, kind, &options)?);
            continue;
        }
        let quarantine = config.server.state_dir.join(match index {
            0 => "quarantine".to_owned(),
            _ => format!("quarantine-{}", index + 1),
        });
        let options = ModelOptions {
            quarantine_path: Some(quarantine),
            ..options
        };
        let served = load_generator(model, &options, pools)?;
        loaded.generators.push(served);
    }
    Ok(loaded)
}

fn load_encoder(
    model: &ModelToServe,
    kind: TextModel,
    options: &ModelOptions,
) -> Result<ServedEncoding, AppError> {
    let started = Instant::now();
    let ModelToServe { dir, config } = model;
    if options.replicas != 1 {
        let error = ReplicasError::OfEncoder(options.replicas);
        return Err(LoadError::from(error).into());
    }
    check_lock(dir)?;
    let vocab_size = match kind {
        TextModel::Encoder => EncoderConfig::from_dir(dir).map(|config| config.vocab_size),
        TextModel::DecoderVectors | TextModel::DecoderAnswers => {
            DecoderConfig::from_dir(dir).map(|config| config.vocab_size)
        }
    };
    let vocab_size = vocab_size.map_err(LoadError::from)?;
    let (tokenizer, answers) = match kind {
        TextModel::Encoder | TextModel::DecoderVectors => {
            let tokenizer = Box::new(PairTokenizer::from_dir(dir)?);
            (TextTokenizer::Texts(tokenizer), None)
        }
        TextModel::DecoderAnswers => {
            let tokenizer = RelevanceTokenizer::from_dir(dir)?;
            let (yes, no) = tokenizer.answers();
            (
                TextTokenizer::Questions(Box::new(tokenizer)),
                Some(AnswerTokens { yes, no }),
            )
        }
    };
    rehearsal::check_vocabulary(dir, tokenizer.text_vocab_size(), vocab_size)?;
    let loaded = engine::load_encoder(dir, options, answers)?;
    info!(
        "loaded {} in {} ms: {}",
        dir.display(),
        started.elapsed().as_millis(),
        loaded.description
    );
    let mut prompts = loaded.sentence.prompts;
    prompts.extend(config.prompts.clone());
    let default_prompt = (config.default_prompt.clone()).or(loaded.sentence.default_prompt);
    if let Some(name) = &default_prompt
        && !prompts.contains_key(name)
    {
        let known = prompts.into_keys().collect::<Vec<_>>().join(", ");
        return Err(AppError::UnknownPrompt {
            name: name.clone(),
            known,
        });
    }
    let matryoshka_dimensions = match config.matryoshka_dimensions.as_slice() {
        [] => loaded.matryoshka_dimensions,
        chosen => chosen.to_vec(),
    };
    let num_dimensions = loaded.num_dimensions;
    if let Some(cut) = matryoshka_dimensions
        .iter()
        .find(|cut| **cut > num_dimensions)
    {
        let cut = *cut;
        return Err(AppError::TooManyDimensions {
            cut,
            num_dimensions,
        });
    }
    let instruction = default_prompt.as_ref().and_then(|name| prompts.get(name));
    let tokenizer = match (tokenizer, instruction) {
        (TextTokenizer::Questions(tokenizer), Some(instruction)) => {
            TextTokenizer::Questions(Box::new(tokenizer.with_instruction(instruction.clone())))
        }
        (tokenizer, _) => tokenizer,
    };
    Ok(ServedEncoding {
        model: Arc::new(ServedEncoder {
            id: identity::model_id(dir, config),
            created: identity::created(dir),
            engine: EncodingEngine::start(loaded.runner, loaded.config)
                .map_err(AppError::EngineThread)?,
            tokenizer,
            task: loaded.task,
            pooling: loaded.pooling,
            num_dimensions,
            matryoshka_dimensions,
            prompts,
            default_prompt,
        }),
        aliases: config.aliases.clone(),
    })
}

fn load_generator(
    model: &ModelToServe,
    options: &ModelOptions,
    pools: &[Arc<ThreadPool>],
) -> Result<Served, AppError> {
    let started = Instant::now();
    let ModelToServe { dir, config } = model;
    let checked = check_lock(dir)?;
    let decoder = DecoderConfig::from_dir(dir).map_err(LoadError::from)?;
    let tokenizer = Arc::new(Tokenizer::from_dir(dir)?);
    rehearsal::check_vocabulary(dir, tokenizer.text_vocab_size(), decoder.vocab_size)?;
    let chat_template = ChatTemplate::from_dir(dir)?;
    if let Some(template) = &chat_template {
        rehearsal::check_template(dir, template, &tokenizer)?;
    }
    let (generation_config, stop_token_ids) = sampling_defaults::read(dir, decoder.vocab_size)?;
    let manifest = match &checked {
        Some(checked) => PartialSampling::from_lock(dir, &checked.lock)?,
        None => PartialSampling::default(),
    };
    let defaults = manifest.or(generation_config).or_openai();
    let loaded = engine::load_replicas(dir, options, pools)?;
    for (replica, loaded) in loaded.iter().enumerate() {
        info!(
            "loaded {} in {} ms for engine {replica}: {}",
            dir.display(),
            started.elapsed().as_millis(),
            loaded.description
        );
    }
    let lock = checked.as_ref().map(|checked| &checked.lock);
    // The same for every engine.
    let numerics = loaded.first().map_or("", |loaded| &loaded.numerics);
    let system_fingerprint = identity::fingerprint(dir, lock, numerics);
    let loaded = loaded.into_iter().map(|model| (model.runner, model.config));
    let engines = Replicas::start(loaded.collect()).map_err(AppError::EngineThread)?;
    let limits = engines.config();
    info!(
        "{} KV blocks of {} tokens for up to {} sequences; at most {} tokens a step and {} in a context",
        limits.num_blocks(),
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
    let stop_token_ids: Arc<[u32]> = stop_token_ids.into();
    let vocab_size = engines.config().vocab_size;
    let grammars = Grammars::start(Arc::clone(&tokenizer), vocab_size, stop_token_ids.clone());
    let model = ServedModel {
        id: identity::model_id(dir, config),
        created: identity::created(dir),
        engines,
        dialect: Dialect::of_model(chat_template.as_ref(), &tokenizer),
        tokenizer,
        chat_template,
        defaults,
        stop_token_ids,
        grammars: grammars.map_err(AppError::GrammarThread)?,
    };
    Ok(Served {
        model: Arc::new(model),
        system_fingerprint,
        aliases: config.aliases.clone(),
    })
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
        Some(checked) if checked.moved.is_empty() => {}
        Some(checked) => info!(
            "{} files have another time or inode than in the lock; their digests are right",
            checked.moved.len()
        ),
    }
    Ok(checked)
}
