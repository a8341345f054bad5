//! The engines of one served model, each with its device, its KV cache and its prefix cache.
//!
//! Owns which of them a request goes to. Refuses to know how it is computed: the same tokens come
//! from each.

mod held_prefixes;
mod router;

use super::quarantine::Quarantine;
use super::{
    Engine, EngineConfig, EngineState, Origin, SequenceRequest, SequenceStream, StepRunner,
    SubmitError,
};
use router::{EngineView, Router};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Engines that a model may have at most.
pub const MAX_REPLICAS: usize = 64;

/// The engines of one served model, with the same weights. Clones share them.
#[derive(Clone)]
pub struct Replicas {
    engines: Arc<[Engine]>,
    config: Arc<EngineConfig>,
    router: Arc<Router>,
}

impl Replicas {
    /// Starts an engine on each runner, all of which compute the same model. The context of all is
    /// that of the smallest, so that a request that fits one fits each.
    ///
    /// Errors: there is no runner or more than [`MAX_REPLICAS`], or a thread cannot be started.
    pub fn start(replicas: Vec<(Box<dyn StepRunner>, EngineConfig)>) -> io::Result<Self> {
        let longest = replicas.iter().map(|(_, c)| c.max_sequence_len()).min();
        let (runners, configs): (Vec<_>, Vec<_>) = replicas
            .into_iter()
            .map(|(runner, config)| {
                let max_model_len = longest.unwrap_or(config.max_model_len);
                let config = EngineConfig {
                    max_model_len,
                    ..config
                };
                (runner, config)
            })
            .unzip();
        let Some(first) = configs.first().filter(|_| configs.len() <= MAX_REPLICAS) else {
            let message = format!("a model has 1 to {MAX_REPLICAS} engines");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let config = Arc::new(first.clone());
        let router = Arc::new(Router::new(&configs, key));
        // What one engine died of, another would die of, too.
        let quarantine = Arc::new(Quarantine::open(config.quarantine_path.clone()));
        let engines = runners.into_iter().zip(configs).enumerate();
        let engines = engines.map(|(replica, (runner, config))| {
            Engine::start_replica(replica, runner, config, Arc::clone(&quarantine))
        });
        Ok(Self {
            engines: engines.collect::<io::Result<_>>()?,
            config,
            router,
        })
    }

    /// Submits the sequences of one request, which come from one flow: all or none, and all to one
    /// engine. What that one has no room for is offered to the others.
    pub fn submit(
        &self,
        requests: Vec<SequenceRequest>,
    ) -> Result<Vec<SequenceStream>, SubmitError> {
        if let [only] = &*self.engines {
            return only.submit(requests);
        }
        let route = self.router.route(&requests, &self.views()?);
        let mut refusals = Vec::new();
        for replica in &route.order {
            match self.engines[*replica].submit(requests.clone()) {
                Ok(streams) => {
                    self.router.taken(*replica, &route);
                    return Ok(streams);
                }
                Err(refusal) => match wait(&refusal) {
                    Some(_) => refusals.push(refusal),
                    // No other would take it either.
                    None => return Err(refusal),
                },
            }
        }
        Err(shortest(refusals))
    }

    /// Whether a request of this origin would be admitted now, however small; see
    /// [`Engine::check_room`].
    pub fn check_room(&self, origin: Origin) -> Result<(), SubmitError> {
        if let [only] = &*self.engines {
            return only.check_room(origin);
        }
        let views = self.views()?;
        let mut refusals = Vec::new();
        for (engine, view) in self.engines.iter().zip(views) {
            if view.load.is_none() {
                continue;
            }
            match engine.check_room(origin) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusals.push(refusal),
            }
        }
        Err(shortest(refusals))
    }

    /// The limits of the first engine, of which those on a single request hold for every one.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The engines by their numbers.
    pub fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// That of the engine which is of most use: requests are taken as long as one runs.
    pub fn state(&self) -> EngineState {
        best(self.engines.iter().map(Engine::state))
    }

    /// Returns once the devices of all engines are lost.
    pub async fn lost(&self) {
        for engine in self.engines.iter() {
            engine.lost().await;
        }
    }

    /// Shuts every engine down, all at the same time; see [`Engine::shutdown`].
    pub fn shutdown(&self, deadline: Instant) {
        for engine in self.engines.iter() {
            engine.begin_shutdown(deadline);
        }
        for engine in self.engines.iter() {
            engine.shutdown(deadline);
        }
    }

    /// The engines as the router sees them. An error if none takes requests: one that will run
    /// soon is better waited for than one that is stuck.
    fn views(&self) -> Result<Vec<EngineView>, SubmitError> {
        let states: Vec<EngineState> = self.engines.iter().map(Engine::state).collect();
        let takes: fn(EngineState) -> bool = match best(states.iter().copied()) {
            EngineState::Running => |state| matches!(state, EngineState::Running),
            EngineState::Stuck { .. } => |state| matches!(state, EngineState::Stuck { .. }),
            EngineState::Restarting { retry_after } => {
                return Err(SubmitError::Restarting { retry_after });
            }
            EngineState::Stopped | EngineState::Lost => return Err(SubmitError::Stopped),
        };
        let views = self.engines.iter().zip(states);
        let view = |(engine, state): (&Engine, EngineState)| EngineView {
            load: takes(state).then(|| engine.load()),
            num_deaths: engine.num_deaths(),
        };
        Ok(views.map(view).collect())
    }
}

impl From<Engine> for Replicas {
    /// A model with one engine.
    fn from(engine: Engine) -> Self {
        let config = Arc::new(engine.config().clone());
        Self {
            // One engine needs no key: nothing is routed.
            router: Arc::new(Router::new(std::slice::from_ref(&config), [0; 32])),
            engines: Arc::new([engine]),
            config,
        }
    }
}

/// The state that is of most use to one who asks, or will be soonest.
fn best(states: impl Iterator<Item = EngineState>) -> EngineState {
    let rank = |state: &EngineState| match *state {
        EngineState::Running => (0, Duration::ZERO),
        EngineState::Restarting { retry_after } => (1, retry_after),
        EngineState::Stuck { since } => (2, since),
        EngineState::Stopped => (3, Duration::ZERO),
        EngineState::Lost => (4, Duration::ZERO),
    };
    states.min_by_key(rank).unwrap_or(EngineState::Stopped)
}

/// How long to wait before an engine that refuses a request may take it; `None`: it never will.
fn wait(refusal: &SubmitError) -> Option<Duration> {
    match refusal {
        SubmitError::Overloaded { retry_after } | SubmitError::Restarting { retry_after } => {
            Some(*retry_after)
        }
        // Another engine may run.
        SubmitError::Stopped => Some(Duration::MAX),
        SubmitError::NeverFits { .. }
        | SubmitError::Empty
        | SubmitError::UnknownToken { .. }
        | SubmitError::TooMany { .. }
        | SubmitError::Quarantined => None,
    }
}

/// The refusal that holds for the shortest time.
fn shortest(refusals: Vec<SubmitError>) -> SubmitError {
    refusals
        .into_iter()
        .min_by_key(wait)
        .unwrap_or(SubmitError::Stopped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_as_useful_as_the_best_of_its_engines() {
        let restarting = |seconds| EngineState::Restarting {
            retry_after: Duration::from_secs(seconds),
        };
        let stuck = EngineState::Stuck {
            since: Duration::from_secs(1),
        };
        let of = |states: &[EngineState]| best(states.iter().copied());
        assert_eq!(
            of(&[EngineState::Lost, stuck, EngineState::Running]),
            EngineState::Running
        );
        assert_eq!(of(&[restarting(4), stuck, restarting(2)]), restarting(2));
        assert_eq!(of(&[EngineState::Lost, stuck]), stuck);
        assert_eq!(of(&[EngineState::Lost; 2]), EngineState::Lost);
    }

    #[test]
    fn no_engine_and_more_than_there_may_be_are_refused() {
        let refused = Replicas::start(Vec::new()).err().unwrap();
        assert_eq!(refused.to_string(), "a model has 1 to 64 engines");
    }
}
