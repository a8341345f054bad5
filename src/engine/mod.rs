//! Continuous batching: tokens in, tokens out.
//!
//! Owns sequences, KV blocks, the schedule, admission and sampling. Refuses to know text,
//! JSON, HTTP or who is asking: a sequence carries a flow, a class and a namespace. One
//! thread a served model owns its state without locks and repeats four calls: receive,
//! schedule, execute, commit. If it dies, a supervisor starts it again.

mod admission;
mod block_manager;
mod block_pool;
mod commit;
mod config;
mod constraint;
mod core;
mod encoding;
mod engine_thread;
mod faults;
mod flows;
mod kv_group;
mod load;
mod model_runner;
mod pace;
mod planning;
mod prefix;
mod prefix_tree;
mod quarantine;
mod ranks;
mod runner;
mod sampling;
mod scheduler;
mod sequence;
mod shared;
mod shares;
#[cfg(test)]
mod simulation;
mod start;
mod stats;
mod step;
mod supervisor;

pub use config::{EngineConfig, PrefixCache};
pub use constraint::{ConstraintError, TokenConstraint, TokenMask};
pub use encoding::{
    EncodedTexts, EncodingConfig, EncodingEngine, EncodingStats, LoadedEncoder, Pooling, TextModel,
    TextRunner, TokenizedText, load_encoder,
};
pub use kv_group::{KvGroup, NO_BLOCK};
pub use load::{
    DeviceChoice, Dtype, KvSurvey, LoadError, LoadedModel, ModelOptions, ModelTask, Quantize,
    StepTime, Survey, load, survey_decoder, survey_encoder,
};
pub use model_runner::ModelRunner;
pub use runner::{
    ItemOutput, RunnerError, SampleRequest, ScoreRequest, StepItem, StepOutput, StepRunner,
    TokenOutput, TopToken,
};
pub use sampling::SamplingParams;
pub use scheduler::Scheduler;
pub use sequence::{
    Class, EngineError, FinishReason, FlowId, Namespace, Origin, PromptReport, SequenceEvent,
    SequenceId, SequenceRequest, SubmitError,
};
pub use shared::EngineState;
pub use stats::EngineStats;
pub use step::{Committed, End, Outcome, PrefillLimits, ScheduledTokens, Step};

use self::core::Submission;
use engine_thread::Command;
use quarantine::Fingerprint;
use shared::{Phase, Shared};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use supervisor::Supervisor;
use tokio::sync::mpsc;

/// The events of one sequence. Dropping it cancels the sequence.
///
/// Bounded by what the sequence may generate, so the engine never waits for a reader.
pub type SequenceStream = mpsc::UnboundedReceiver<SequenceEvent>;

/// A handle to an engine. Clones share it; it ends when the last handle is gone and nothing
/// runs.
#[derive(Clone)]
pub struct Engine {
    commands: Sender<Command>,
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Engine {
    /// Starts the engine, which owns `runner` until [`Engine::shutdown`].
    pub fn start(runner: Box<dyn StepRunner>, config: EngineConfig) -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let (commands, receiver) = std::sync::mpsc::channel();
        let shared = Arc::new(Shared::new(config));
        let watched = Arc::clone(&shared);
        let supervisor = Supervisor::new(runner, receiver, Arc::clone(&shared), key);
        let thread = std::thread::Builder::new()
            .name("supervisor".into())
            .spawn(move || {
                let run = AssertUnwindSafe(|| supervisor.run());
                if catch_unwind(run).is_err() {
                    // Nobody is left who could start the engine again.
                    watched.set_phase(Phase::Lost);
                    watched.lost.notify_one();
                }
            })?;
        Ok(Self {
            commands,
            shared,
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    /// Submits the sequences of one request, which come from one flow: all or none.
    pub fn submit(
        &self,
        requests: Vec<SequenceRequest>,
    ) -> Result<Vec<SequenceStream>, SubmitError> {
        self.check_state()?;
        requests
            .iter()
            .try_for_each(|request| self.shared.config.check(request))?;
        let now = self.shared.now();
        let fingerprints: Vec<_> = requests.iter().map(Fingerprint::of).collect();
        for fingerprint in &fingerprints {
            if self.shared.quarantine.contains(fingerprint) {
                tracing::warn!(%fingerprint, "refused: request {fingerprint} is in quarantine");
                return Err(SubmitError::Quarantined);
            }
        }
        let tickets = self.shared.admission.admit(now, &requests)?;
        let (submissions, streams) = requests
            .into_iter()
            .zip(tickets)
            .zip(fingerprints)
            .map(|((request, ticket), fingerprint)| {
                let (events, stream) = mpsc::unbounded_channel();
                let submission = Submission {
                    is_suspect: self.shared.quarantine.is_suspect(&fingerprint),
                    request,
                    ticket,
                    events,
                    fingerprint,
                    submitted_at: now,
                };
                (submission, stream)
            })
            .unzip();
        self.commands
            .send(Command::Submit(submissions))
            .map_err(|_| SubmitError::Stopped)?;
        Ok(streams)
    }

    /// Whether a request of this origin would be admitted now, however small: asked before
    /// a prompt is rendered and tokenized, so that a refusal costs next to nothing.
    pub fn check_room(&self, origin: Origin) -> Result<(), SubmitError> {
        self.check_state()?;
        let now = self.shared.now();
        self.shared.admission.check(now, origin.flow, origin.weight)
    }

    /// The limits this engine was started with.
    pub fn config(&self) -> &EngineConfig {
        &self.shared.config
    }

    /// Gauges and counters, read without stopping the engine.
    pub fn stats(&self) -> &EngineStats {
        &self.shared.stats
    }

    pub fn state(&self) -> EngineState {
        self.shared.state()
    }

    /// Whether the engine takes sequences.
    pub fn is_alive(&self) -> bool {
        self.state() == EngineState::Running
    }

    /// Returns once the device is lost, after everyone was told; the process should end.
    pub async fn lost(&self) {
        self.shared.lost.notified().await;
    }

    /// Takes no more sequences, finishes the admitted ones, then ends the thread. Waits
    /// at most until `deadline` and one step; what still runs then ends with
    /// [`EngineError::Stopped`].
    pub fn shutdown(&self, deadline: Instant) {
        self.shared.stop();
        // A thread that has ended needs no command.
        let _ = self.commands.send(Command::Shutdown { deadline });
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // The thread catches the panics of its runner.
            let _ = thread.join();
        }
    }

    fn check_state(&self) -> Result<(), SubmitError> {
        match self.state() {
            // A stuck step may still end; the probes say what an operator must know.
            EngineState::Running | EngineState::Stuck { .. } => Ok(()),
            EngineState::Restarting { retry_after } => Err(SubmitError::Restarting { retry_after }),
            EngineState::Stopped | EngineState::Lost => Err(SubmitError::Stopped),
        }
    }
}
