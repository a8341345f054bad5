//! What every handler can see.

use super::error::ApiError;
use super::metrics::Metrics;
use super::turns::Turns;
use crate::config::ServerConfig;
use crate::engine::EngineState;
use crate::generation::{Caller, ServedModel};
use crate::tenant::KeyRing;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The model that is served, once it is loaded.
pub struct Served {
    pub model: Arc<ServedModel>,
    /// Changes with everything that may change an answer: build, weights, kernels, types.
    pub system_fingerprint: String,
}

/// Shared by all handlers; frozen but for the model, which arrives when it is loaded.
pub struct ApiState {
    served: Arc<OnceLock<Served>>,
    pub(super) keys: KeyRing,
    pub(super) max_body_bytes: usize,
    pub(super) body_read_timeout: Duration,
    /// From the admission of a request until its answer is complete.
    pub(super) request_timeout: Duration,
    pub(super) metrics: Arc<Metrics>,
    /// To render and tokenize.
    pub(super) encoders: Turns,
    /// To compile a format, on the one thread of the model for it.
    pub(super) compilers: Turns,
}

impl ApiState {
    pub fn new(server: &ServerConfig, keys: KeyRing) -> Self {
        let served = Arc::new(OnceLock::new());
        Self {
            metrics: Arc::new(Metrics::new(Arc::clone(&served))),
            served,
            encoders: Turns::on_half_the_cores(keys.len()),
            compilers: Turns::new(keys.len(), 1),
            keys,
            max_body_bytes: server.max_body_bytes(),
            body_read_timeout: Duration::from_millis(server.body_read_timeout_ms),
            request_timeout: Duration::from_millis(server.request_timeout_ms),
        }
    }

    /// Starts serving a model. There is one, so a second call changes nothing.
    pub fn set_served(&self, served: Served) {
        // A model that is there already stays: requests may be running on it.
        let _ = self.served.set(served);
    }

    /// The model, if it is loaded, whether its engine runs or not.
    pub fn loaded(&self) -> Option<&Served> {
        self.served.get()
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

    /// The model, if it takes requests.
    pub fn served(&self) -> Result<&Served, ApiError> {
        let served = self.served.get().ok_or_else(ApiError::loading)?;
        match served.model.engine.state() {
            EngineState::Running => Ok(served),
            EngineState::Restarting { retry_after } => Err(ApiError::restarting(retry_after)),
            EngineState::Stuck { since } => Err(ApiError::stuck(since)),
            EngineState::Stopped | EngineState::Lost => Err(ApiError::stopped()),
        }
    }
}
