//! Wires a server together: a listener, the routes, and the model behind them.
//!
//! The listener is bound and the probes answer while the model loads, so that an
//! orchestrator sees a process that lives and is not ready yet.

mod check;
mod checkpoint;
mod connection;
mod contents;
mod identity;
mod rehearsal;
mod sampling_defaults;
mod server;
mod supported;

pub use check::{Report, check};
pub use checkpoint::{ModelToServe, load_served_encoder, load_served_model, resolve_models};
pub use server::serve;
pub use supported::Supported;

use crate::api::{ApiState, DocumentReader, Models};
use crate::config::{Config, ConfigError};
use crate::document::sandbox::Parser;
use crate::engine::LoadError;
use crate::hub::lock::LockError;
use crate::privacy::{Recogniser, WordList, WordListError};
use crate::prompt::{BUILT_IN, PromptError, PromptLibrary};
use crate::store::{Store, StoreError};
use crate::tenant::{KeyError, KeyRing};
use crate::text::TextError;
use futures_util::future::select_all;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{info, warn};

/// How often what has ended is taken out of the store.
const SWEEP: Duration = Duration::from_secs(3600);

/// A server that listens and has no model yet.
pub struct App {
    config: Config,
    listener: TcpListener,
    state: Arc<ApiState>,
}

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("cannot listen on {address}: {source}")]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    #[error(
        "no model is named: give --model DIR or --model NAME, or set model.path in the configuration"
    )]
    NoModel,
    #[error("there is no model `{name}`: neither {name} nor {} is a directory with a config.json; `guichet pull {name}` fetches a model by its name", .weights.display())]
    UnknownModel { name: String, weights: PathBuf },
    #[error("two models are called `{0}`: give one of them another model.id or other aliases")]
    SameName(String),
    #[error("model.default_prompt is `{name}`, which is none of the model's prompts: {known}")]
    UnknownPrompt { name: String, known: String },
    #[error(
        "model.matryoshka_dimensions holds {cut}, and the model's embeddings have {num_dimensions} dimensions"
    )]
    TooManyDimensions { cut: usize, num_dimensions: usize },
    /// A file of the checkpoint that the app reads itself.
    #[error("{}: {message}", .path.display())]
    Checkpoint { path: PathBuf, message: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error("privacy.words: {}: {source}", .path.display())]
    Words { path: PathBuf, source: io::Error },
    #[error("privacy.words: {}: {source}", .path.display())]
    WordList {
        path: PathBuf,
        source: WordListError,
    },
    #[error("the program's own file cannot be found, by which documents are read: {0}")]
    Program(io::Error),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Whoever started this process starts it again.
    #[error("the device failed in a way that only a new process can clear; start it again")]
    DeviceLost,
    #[error("cannot start the engine's thread: {0}")]
    EngineThread(io::Error),
    #[error("cannot start the thread that compiles formats: {0}")]
    GrammarThread(io::Error),
    #[error(
        "loading the model failed in a way that should not be possible; the lines above say where"
    )]
    LoaderPanicked,
}

impl App {
    /// Checks the configuration and binds the listener.
    pub async fn bind(config: Config) -> Result<Self, AppError> {
        config.check()?;
        let address = config.server.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| AppError::Bind { address, source })?;
        let state = ApiState::new(&config.server, KeyRing::new(&config.keys)?)
            .with_store(open_store(&config).await?)
            .with_prompts(PromptLibrary::load(BUILT_IN, &config.prompts.dirs)?)
            .with_recogniser(recogniser(&config)?)
            .with_documents(document_reader(&config)?);
        let state = Arc::new(state);
        Ok(Self {
            config,
            listener,
            state,
        })
    }

    /// Where the server listens; tells the port where port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener
            .local_addr()
            .unwrap_or(self.config.server.listen)
    }

    /// Loads `models` while it answers the probes, then serves them until `shutdown` and
    /// finishes what is admitted. Ends early if one cannot be loaded.
    pub async fn run(
        self,
        models: Vec<ModelToServe>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), AppError> {
        let Self {
            config,
            listener,
            state,
        } = self;
        info!(
            "listening on {}",
            listener.local_addr().unwrap_or(config.server.listen)
        );
        let loading = load_beside(models, config.clone());
        let mut failure = None;
        let stop = async {
            tokio::select! {
                () = shutdown => {}
                error = serve_when_loaded(loading, &state) => failure = Some(error),
            }
        };
        serve(listener, Arc::clone(&state), &config.server, stop).await;
        failure.map_or(Ok(()), Err)
    }
}

/// With the words of the agency's file, one a line; what follows a `#` at a line's beginning is none.
fn recogniser(config: &Config) -> Result<Recogniser, AppError> {
    let Some(path) = &config.privacy.words else {
        return Ok(Recogniser::default());
    };
    let text = std::fs::read_to_string(path).map_err(|source| AppError::Words {
        path: path.clone(),
        source,
    })?;
    let lines = text.lines().map(str::trim);
    let words: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let words = WordList::new(&words).map_err(|source| AppError::WordList {
        path: path.clone(),
        source,
    })?;
    Ok(Recogniser::new(words))
}

/// Reads documents in processes of this program.
fn document_reader(config: &Config) -> Result<DocumentReader, AppError> {
    let program = std::env::current_exe().map_err(AppError::Program)?;
    let parser = Parser::new(program);
    match parser.probe() {
        Ok(strength) if strength.is_full() => info!("{strength}"),
        Ok(strength) => warn!("{strength}: this system has no more"),
        Err(error) => warn!("no document can be read here: {error}"),
    }
    Ok(DocumentReader {
        parser: Arc::new(parser),
        limits: config.documents.limits(),
    })
}

/// The file of what is stored, unless nothing is, and what keeps it from growing old.
async fn open_store(config: &Config) -> Result<Option<Store>, StoreError> {
    let Some(retention) = config.responses.retention() else {
        return Ok(None);
    };
    let path = config.server.state_dir.join("guichet.db");
    let store = Store::open(&path, retention).await?;
    let store = store.with_file_limits(config.files.limits());
    tokio::spawn(sweep(store.clone()));
    Ok(Some(store))
}

/// What is kept goes when its time is over, though nobody asks for anything.
async fn sweep(store: Store) {
    let mut hours = tokio::time::interval(SWEEP);
    loop {
        hours.tick().await;
        if let Err(error) = store.forget_expired(SystemTime::now()).await {
            warn!("what has ended is still stored: {error}");
        }
    }
}

/// Loads in a thread of its own: it takes seconds, and a process that is told to stop
/// meanwhile need not wait for it.
fn load_beside(
    models: Vec<ModelToServe>,
    config: Config,
) -> oneshot::Receiver<Result<Models, AppError>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody waits any more if the server was stopped.
        let _ = sender.send(checkpoint::load_models(&models, &config));
    });
    receiver
}

/// Ends only if a model cannot be served.
async fn serve_when_loaded(
    loading: oneshot::Receiver<Result<Models, AppError>>,
    state: &ApiState,
) -> AppError {
    match loading.await {
        Ok(Ok(models)) => {
            for id in models.ids() {
                info!("ready: serving model {id}");
            }
            let engines = models.generators.iter().map(|served| &served.model.engines);
            let engines: Vec<_> = engines.cloned().collect();
            state.set_models(models);
            let lost = engines.iter().map(|of_model| Box::pin(of_model.lost()));
            // Without one that generates nothing can be lost.
            if engines.is_empty() {
                std::future::pending::<()>().await;
            }
            select_all(lost).await;
            AppError::DeviceLost
        }
        Ok(Err(error)) => error,
        Err(_) => AppError::LoaderPanicked,
    }
}
