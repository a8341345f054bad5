//! What every handler can see.

use super::cors;
use super::error::ApiError;
use super::fields::Fields;
use super::metrics::Metrics;
use super::parameters::Ignored;
use super::responses::Background;
use super::turns::Turns;
use super::{CHAT, EMBEDDINGS, RERANK};
use crate::config::ServerConfig;
use crate::document::ParseLimits;
use crate::document::sandbox::Parser;
use crate::encoding::{EncoderTask, ServedEncoder};
use crate::engine::EngineState;
use crate::generation::{Caller, ServedModel};
use crate::privacy::Recogniser;
use crate::prompt::PromptLibrary;
use crate::store::Store;
use crate::tenant::KeyRing;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tower_http::cors::CorsLayer;

/// A model that generates, and what its answers carry.
pub struct Served {
    pub model: Arc<ServedModel>,
    /// Changes with everything that may change an answer: build, weights, kernels, types.
    pub system_fingerprint: String,
    /// Other ids that mean this model.
    pub aliases: Vec<String>,
}

/// A model that makes embeddings or scores.
pub struct ServedEncoding {
    pub model: Arc<ServedEncoder>,
    pub aliases: Vec<String>,
}

/// Every model that is served, once all are loaded.
#[derive(Default)]
pub struct Models {
    pub generators: Vec<Served>,
    pub encoders: Vec<ServedEncoding>,
}

impl Models {
    /// The ids that `GET /v1/models` lists.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let generators = self.generators.iter().map(|served| &*served.model.id);
        generators.chain(self.encoders.iter().map(|served| &*served.model.id))
    }

    pub(super) fn generator(&self, id: &str) -> Option<&Served> {
        let is_called = |served: &&Served| is_called(id, &served.model.id, &served.aliases);
        self.generators.iter().find(is_called)
    }

    pub(super) fn encoder(&self, id: &str) -> Option<&ServedEncoding> {
        let is_called = |served: &&ServedEncoding| is_called(id, &served.model.id, &served.aliases);
        self.encoders.iter().find(is_called)
    }

    /// The state of each model: of one with several engines that of the best.
    pub fn states(&self) -> impl Iterator<Item = EngineState> {
        let generators = self
            .generators
            .iter()
            .map(|served| served.model.engines.state());
        generators.chain(
            self.encoders
                .iter()
                .map(|served| served.model.engine.state()),
        )
    }
}

fn is_called(asked: &str, id: &str, aliases: &[String]) -> bool {
    asked == id || aliases.iter().any(|alias| alias == asked)
}

/// Reads documents, each in a process of its own.
pub struct DocumentReader {
    pub parser: Arc<Parser>,
    pub limits: ParseLimits,
}

/// Shared by all handlers; frozen but for the models, which arrive when they are loaded.
pub struct ApiState {
    models: Arc<OnceLock<Models>>,
    pub(super) keys: KeyRing,
    pub(super) max_body_bytes: usize,
    /// As many bodies may be on their way as there may be connections; a larger one counts as
    /// several.
    pub(super) bodies: Semaphore,
    max_bodies: usize,
    pub(super) body_read_timeout: Duration,
    /// From the admission of a request until its answer is complete.
    pub(super) request_timeout: Duration,
    pub(super) metrics: Arc<Metrics>,
    /// To render and tokenize.
    pub(super) encoders: Turns,
    strict_parameters: bool,
    pub(super) cors: Option<CorsLayer>,
    /// What outlives a request, if anything does.
    pub(super) store: Option<Store>,
    pub(super) background: Background,
    /// `None`: this server reads no documents.
    pub(super) documents: Option<DocumentReader>,
    /// To read one.
    pub(super) readers: Turns,
    pub(super) prompts: Arc<PromptLibrary>,
    /// Of personal data.
    pub(super) recogniser: Arc<Recogniser>,
    /// To compile a format, on the one thread of the model for it.
    pub(super) compilers: Turns,
}

impl ApiState {
    pub fn new(server: &ServerConfig, keys: KeyRing) -> Self {
        let models = Arc::new(OnceLock::new());
        Self {
            metrics: Arc::new(Metrics::new(Arc::clone(&models))),
            models,
            encoders: Turns::on_half_the_cores(keys.len()),
            compilers: Turns::new(keys.len(), 1),
            documents: None,
            readers: Turns::on_half_the_cores(keys.len()),
            prompts: Arc::default(),
            recogniser: Arc::default(),
            keys,
            strict_parameters: server.strict_parameters,
            cors: cors::layer(&server.cors_origins),
            store: None,
            background: Background::default(),
            max_body_bytes: server.max_body_bytes(),
            bodies: Semaphore::new(server.max_connections),
            max_bodies: server.max_connections,
            body_read_timeout: Duration::from_millis(server.body_read_timeout_ms),
            request_timeout: Duration::from_millis(server.request_timeout_ms),
        }
    }

    /// The same with a place for responses and files.
    pub fn with_store(mut self, store: Option<Store>) -> Self {
        self.store = store;
        self
    }

    /// The same with a reader of documents.
    pub fn with_documents(mut self, documents: DocumentReader) -> Self {
        self.documents = Some(documents);
        self
    }

    /// The same with prompts.
    pub fn with_prompts(mut self, prompts: PromptLibrary) -> Self {
        self.prompts = Arc::new(prompts);
        self
    }

    /// The same with an agency's words among what `privacy` replaces.
    pub fn with_recogniser(mut self, recogniser: Recogniser) -> Self {
        self.recogniser = Arc::new(recogniser);
        self
    }

    /// Waits for what nobody waits for and closes the store, at most until `deadline`.
    pub async fn finish(&self, deadline: Instant) {
        self.background.finish(deadline).await;
        if let Some(store) = &self.store {
            // A file that is not closed is found whole all the same.
            let _ = tokio::time::timeout_at(deadline.into(), store.close()).await;
        }
    }

    /// Of one document.
    pub(super) fn max_document_bytes(&self) -> usize {
        let max = self
            .documents
            .as_ref()
            .map_or(0, |reader| reader.limits.max_input_bytes);
        usize::try_from(max).unwrap_or(usize::MAX)
    }

    /// What documents of a request may take of its body beside the rest: base64 writes three bytes
    /// as four.
    pub(super) fn max_encoded_bytes(&self) -> usize {
        (self.max_document_bytes() / 3).saturating_mul(4)
    }

    /// What a body of at most `max` bytes counts as.
    pub(super) fn places_of_body(&self, announced: Option<u64>, max: usize) -> u32 {
        let announced = announced.and_then(|length| usize::try_from(length).ok());
        let size = announced.unwrap_or(max).min(max);
        let places = size.div_ceil(self.max_body_bytes.max(1)).max(1);
        u32::try_from(places.min(self.max_bodies)).unwrap_or(u32::MAX)
    }

    /// For the parameters of one request.
    pub(super) fn ignored(&self) -> Ignored {
        Ignored::new(self.strict_parameters)
    }

    /// Starts serving models. A second call changes nothing.
    pub fn set_models(&self, models: Models) {
        // Those that are there already stay: requests may be running on them.
        let _ = self.models.set(models);
    }

    /// The models, if they are loaded, whether their engines run or not.
    pub fn loaded(&self) -> Option<&Models> {
        self.models.get()
    }

    /// Does what takes a core for a while, such as rendering and tokenizing a long prompt, beside
    /// the threads that serve connections, the callers in turn.
    pub(super) async fn beside_connections<T: Send + 'static>(
        &self,
        caller: Caller,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        // Waiting here and not on a thread, a client that leaves gives up its place.
        let place = self.encoders.place(caller).await;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        // What a panic says may hold a piece of the prompt.
        done.await
            .map_err(|_| ApiError::internal("reading a prompt panicked"))
    }

    /// The models, if they are loaded.
    pub(super) fn models(&self) -> Result<&Models, ApiError> {
        self.models.get().ok_or_else(ApiError::loading)
    }

    /// The model that a body names, if it generates and takes requests.
    pub(super) fn generator(&self, body: &Fields<'_>) -> Result<&Served, ApiError> {
        let models = self.models()?;
        let id = body.require("model")?.string()?;
        let Some(served) = models.generator(id) else {
            return Err(match models.encoder(id) {
                Some(other) => ApiError::wrong_kind(id, belongs_to(&other.model)),
                None => ApiError::unknown_model(id, models.ids()),
            });
        };
        usable(served.model.engines.state())?;
        Ok(served)
    }

    /// The same where a model need not be named if there is one alone.
    pub(super) fn any_generator(&self, body: &Fields<'_>) -> Result<&Served, ApiError> {
        match &*self.models()?.generators {
            [served] if body.get("model").is_none() => {
                usable(served.model.engines.state())?;
                Ok(served)
            }
            _ => self.generator(body),
        }
    }

    /// The model that a body names, if it does what `is_meant` says and takes requests; without a
    /// name the only such one.
    pub(super) fn encoder(
        &self,
        body: &Fields<'_>,
        is_meant: impl Fn(&ServedEncoder) -> bool,
        may_lack_model: bool,
    ) -> Result<&ServedEncoding, ApiError> {
        let models = self.models()?;
        let mut meant = models.encoders.iter().filter(|e| is_meant(&e.model));
        let served = match (body.get("model"), meant.next(), meant.next()) {
            (None, Some(only), None) if may_lack_model => only,
            _ => {
                let id = body.require("model")?.string()?;
                match (models.encoder(id), models.generator(id)) {
                    (Some(served), _) if is_meant(&served.model) => served,
                    (Some(other), _) => {
                        return Err(ApiError::wrong_kind(id, belongs_to(&other.model)));
                    }
                    (None, Some(_)) => return Err(ApiError::wrong_kind(id, CHAT)),
                    (None, None) => return Err(ApiError::unknown_model(id, models.ids())),
                }
            }
        };
        usable(served.model.engine.state())?;
        Ok(served)
    }

    /// Whether all models are loaded and take requests, by one of their engines each.
    pub(super) fn check_ready(&self) -> Result<(), ApiError> {
        self.models()?.states().try_for_each(usable)
    }
}

/// Where requests for an encoder go.
fn belongs_to(encoder: &ServedEncoder) -> &'static str {
    match encoder.task {
        EncoderTask::Embedding => EMBEDDINGS,
        EncoderTask::Classification { .. } => RERANK,
    }
}

fn usable(state: EngineState) -> Result<(), ApiError> {
    match state {
        EngineState::Running => Ok(()),
        EngineState::Restarting { retry_after } => Err(ApiError::restarting(retry_after)),
        EngineState::Stuck { since } => Err(ApiError::stuck(since)),
        EngineState::Stopped | EngineState::Lost => Err(ApiError::stopped()),
    }
}
