use super::core::Core;
use super::engine_thread::{Command, Death, EngineThread};
use super::runner::StepRunner;
use super::sequence::EngineError;
use super::shared::{Phase, Shared};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

const MAX_DELAY: Duration = Duration::from_secs(60);

/// An engine that ran so long died of something new.
const SETTLED: Duration = Duration::from_secs(60);

/// Keeps an engine alive: a step that fails ends its thread and everything that was admitted;
/// a new thread starts on the same weights after a while.
pub(super) struct Supervisor {
    thread: EngineThread,
}

impl Supervisor {
    pub fn new(
        runner: Box<dyn StepRunner>,
        commands: Receiver<Command>,
        shared: Arc<Shared>,
        key: [u8; 32],
    ) -> Self {
        let thread = EngineThread {
            core: Core::new(&shared.config, key),
            runner,
            commands,
            shared,
            shutdown: None,
            in_step: Vec::new(),
        };
        Self { thread }
    }

    pub fn run(mut self) {
        let shared = Arc::clone(&self.thread.shared);
        let mut delay = shared.config.restart_delay;
        loop {
            let started = Instant::now();
            let Err(death) = self.run_thread() else {
                shared.set_phase(Phase::Stopped);
                self.thread.fail_all(&EngineError::Stopped);
                return;
            };
            if started.elapsed() > SETTLED {
                delay = shared.config.restart_delay;
            }
            self.record(&death, delay);
            if death.is_device_lost || self.wait(&death, delay).is_break() {
                return;
            }
            delay = (delay * 2).min(MAX_DELAY);
            shared.set_phase(Phase::Running);
            let replica = shared.replica;
            tracing::info!(replica, "engine {replica} runs again");
        }
    }

    /// Runs the engine in a thread of its own until it ends or dies.
    fn run_thread(&mut self) -> Result<(), Death> {
        std::thread::scope(|scope| {
            let thread = &mut self.thread;
            let spawned = std::thread::Builder::new()
                .name("engine".into())
                .spawn_scoped(scope, || thread.run());
            match spawned {
                Ok(handle) => handle.join().unwrap_or_else(|_| {
                    Err(Death {
                        error: EngineError::Step("the engine's thread panicked".into()),
                        is_device_lost: false,
                    })
                }),
                Err(error) => Err(Death {
                    error: EngineError::Step(format!("no thread can be started: {error}")),
                    is_device_lost: false,
                }),
            }
        })
    }

    /// Says what happened, to everyone in the right order: the probes turn red before the
    /// clients, who may ask again at once, get their errors.
    fn record(&mut self, death: &Death, delay: Duration) {
        let shared = Arc::clone(&self.thread.shared);
        shared.stats.num_deaths.fetch_add(1, Ordering::SeqCst);
        let (replica, error) = (shared.replica, &death.error);
        if death.is_device_lost {
            tracing::error!(replica, %error, "the device of engine {replica} is lost: {error}");
            shared.set_phase(Phase::Lost);
        } else {
            let delay_ms = delay.as_millis();
            tracing::error!(replica, %error, delay_ms, "engine {replica} died and starts again in {delay_ms} ms: {error}");
            shared.set_restarting(delay);
        }
        let in_step = std::mem::take(&mut self.thread.in_step);
        shared.quarantine.record_death(in_step);
        self.thread.fail_all(error);
        if death.is_device_lost {
            shared.lost.notify_one();
        }
    }

    /// Waits before the next start. Break: it was told to end meanwhile.
    fn wait(&mut self, death: &Death, delay: Duration) -> std::ops::ControlFlow<()> {
        let shared = Arc::clone(&self.thread.shared);
        let until = Instant::now() + delay;
        loop {
            if self.thread.shutdown.is_some() {
                shared.set_phase(Phase::Stopped);
                return std::ops::ControlFlow::Break(());
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.thread.commands.recv_timeout(left) {
                Ok(command) => self.thread.refuse(command, &death.error),
                Err(RecvTimeoutError::Timeout) => return std::ops::ControlFlow::Continue(()),
                Err(RecvTimeoutError::Disconnected) => {
                    return std::ops::ControlFlow::Break(());
                }
            }
        }
    }
}
