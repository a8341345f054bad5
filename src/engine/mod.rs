//! Continuous batching: tokens in, tokens out.
//!
//! Owns sequences, KV blocks, the schedule and sampling. Refuses to know text, JSON,
//! HTTP or who is asking. One thread a served model owns its state without locks and
//! repeats four calls: receive, schedule, execute, commit.

mod block_manager;
mod config;
mod constraint;
mod engine_thread;
mod load;
mod model_runner;
mod runner;
mod sampling;
mod scheduler;
mod sequence;
mod stats;

pub use block_manager::{BlockManager, BlockTable, OutOfBlocks};
pub use config::{EngineConfig, PrefixCache};
pub use constraint::{TokenConstraint, TokenMask};
pub use load::{Dtype, LoadError, LoadedModel, ModelOptions, load};
pub use model_runner::ModelRunner;
pub use runner::{
    ItemOutput, RunnerError, SampleRequest, ScoreRequest, StepItem, StepOutput, StepRunner,
    TokenOutput, TopToken,
};
pub use sampling::SamplingParams;
pub use scheduler::{Committed, End, Outcome, ScheduledTokens, Scheduler, Step};
pub use sequence::{
    Class, EngineError, FinishReason, FlowId, Namespace, Origin, PromptReport, SequenceEvent,
    SequenceId, SequenceRequest, SubmitError,
};
pub use stats::EngineStats;

use engine_thread::{Command, EngineThread, Submission};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The events of one sequence. Dropping it cancels the sequence.
///
/// Bounded by what the sequence may generate, so the engine never waits for a reader.
pub type SequenceStream = mpsc::UnboundedReceiver<SequenceEvent>;

/// A handle to an engine thread. Clones share the thread, which ends when the last handle
/// is gone and nothing runs.
#[derive(Clone)]
pub struct Engine {
    commands: Sender<Command>,
    config: Arc<EngineConfig>,
    stats: Arc<EngineStats>,
    alive: Arc<AtomicBool>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Engine {
    /// Starts the engine's thread, which owns `runner` until [`Engine::shutdown`].
    pub fn start(runner: Box<dyn StepRunner>, config: EngineConfig) -> std::io::Result<Self> {
        let (commands, receiver) = std::sync::mpsc::channel();
        let stats = Arc::new(EngineStats::default());
        let alive = Arc::new(AtomicBool::new(true));
        let thread = EngineThread::new(&config, runner, receiver, stats.clone(), alive.clone());
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || thread.run())?;
        Ok(Self {
            commands,
            config: Arc::new(config),
            stats,
            alive,
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    /// Submits the sequences of one request, all or none.
    pub fn submit(
        &self,
        requests: Vec<SequenceRequest>,
    ) -> Result<Vec<SequenceStream>, SubmitError> {
        requests
            .iter()
            .try_for_each(|request| self.config.check(request))?;
        if !self.is_alive() {
            return Err(SubmitError::Stopped);
        }
        let limit = self
            .config
            .max_num_seqs
            .saturating_add(self.config.max_num_waiting);
        if requests.len() > limit {
            return Err(SubmitError::TooMany {
                count: requests.len(),
                limit,
            });
        }
        self.reserve(requests.len() as u64, limit as u64)?;
        let (submissions, streams) = requests
            .into_iter()
            .map(|request| {
                let (events, stream) = mpsc::unbounded_channel();
                (Submission { request, events }, stream)
            })
            .unzip();
        self.commands
            .send(Command::Submit(submissions))
            .map_err(|_| SubmitError::Stopped)?;
        Ok(streams)
    }

    /// Takes places, which the engine's thread gives back when a sequence has ended.
    fn reserve(&self, count: u64, limit: u64) -> Result<(), SubmitError> {
        let open = &self.stats.num_open;
        if open.fetch_add(count, Ordering::SeqCst) + count > limit {
            open.fetch_sub(count, Ordering::SeqCst);
            return Err(SubmitError::Overloaded {
                retry_after: Duration::from_secs(1),
            });
        }
        Ok(())
    }

    /// The limits this engine was started with.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Gauges and counters, read without stopping the engine.
    pub fn stats(&self) -> &EngineStats {
        &self.stats
    }

    /// Whether the engine's thread still takes sequences.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    /// Takes no more sequences, finishes the admitted ones, then ends the thread. Waits
    /// at most until `deadline` and one step; what still runs then ends with
    /// [`EngineError::Stopped`].
    pub fn shutdown(&self, deadline: Instant) {
        self.alive.store(false, Ordering::SeqCst);
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
}
