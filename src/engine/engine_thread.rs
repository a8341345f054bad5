use super::runner::StepRunner;
use super::scheduler::{Committed, Scheduler, Step};
use super::sequence::{EngineError, SequenceEvent, SequenceId, SequenceRequest};
use super::stats::EngineStats;
use super::{EngineConfig, StepOutput};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// What a handle says to the engine's thread.
pub(super) enum Command {
    Submit(Vec<Submission>),
    /// Finish what is admitted, at most until the deadline, then end.
    Shutdown {
        deadline: Instant,
    },
}

pub(super) struct Submission {
    pub request: SequenceRequest,
    pub events: UnboundedSender<SequenceEvent>,
}

/// The state that one engine's thread owns without locks.
pub(super) struct EngineThread {
    scheduler: Scheduler,
    runner: Box<dyn StepRunner>,
    commands: Receiver<Command>,
    /// Where each admitted sequence reports. A closed one is a client that left.
    events: HashMap<SequenceId, UnboundedSender<SequenceEvent>>,
    next_id: u64,
    stats: Arc<EngineStats>,
    alive: Arc<AtomicBool>,
    shutdown: Option<Instant>,
}

/// How often an idle engine looks whether a waiting deadline has passed.
const IDLE: Duration = Duration::from_secs(1);

impl EngineThread {
    pub fn new(
        config: &EngineConfig,
        runner: Box<dyn StepRunner>,
        commands: Receiver<Command>,
        stats: Arc<EngineStats>,
        alive: Arc<AtomicBool>,
    ) -> Self {
        let scheduler = Scheduler::new(config.clone());
        stats
            .num_blocks_total
            .store(scheduler.num_blocks() as u64, Ordering::Relaxed);
        Self {
            scheduler,
            runner,
            commands,
            events: HashMap::new(),
            next_id: 0,
            stats,
            alive,
            shutdown: None,
        }
    }

    /// Runs until every handle is gone, a shutdown is complete, or a step fails.
    pub fn run(mut self) {
        let end = self.run_steps();
        self.alive.store(false, Ordering::SeqCst);
        let error = match end {
            Ok(()) => EngineError::Stopped,
            Err(error) => {
                tracing::error!(%error, "the engine has stopped: {error}");
                error
            }
        };
        for (id, events) in self.events.drain() {
            // The client may have left; then nobody misses the event.
            let _ = events.send(SequenceEvent::Failed(error.clone()));
            self.scheduler.cancel(id);
        }
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Submit(submissions) = command {
                for submission in submissions {
                    self.stats.num_submitted.fetch_sub(1, Ordering::SeqCst);
                    let _ = submission.events.send(SequenceEvent::Failed(error.clone()));
                }
            }
        }
        self.publish_gauges();
    }

    fn run_steps(&mut self) -> Result<(), EngineError> {
        while self.receive() {
            self.drop_cancelled();
            let step = self.scheduler.schedule();
            if !step.items.is_empty() {
                let output = self.execute(&step)?;
                let committed = self.scheduler.commit(&step, &output);
                self.publish(committed);
            }
            self.publish_gauges();
        }
        Ok(())
    }

    /// Takes what handles sent, waiting while there is nothing to compute. False: it is
    /// time to end.
    fn receive(&mut self) -> bool {
        loop {
            if let Some(deadline) = self.shutdown
                && (self.scheduler.is_idle() || Instant::now() >= deadline)
            {
                return false;
            }
            let command = if self.scheduler.is_idle() {
                match self.commands.recv_timeout(IDLE) {
                    Ok(command) => command,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return false,
                }
            } else {
                match self.commands.try_recv() {
                    Ok(command) => command,
                    Err(TryRecvError::Empty) => return true,
                    // Streams that still run are finished although no handle is left.
                    Err(TryRecvError::Disconnected) => return true,
                }
            };
            match command {
                Command::Submit(submissions) => self.admit(submissions),
                Command::Shutdown { deadline } => self.shutdown = Some(deadline),
            }
        }
    }

    fn admit(&mut self, submissions: Vec<Submission>) {
        for Submission { request, events } in submissions {
            let id = SequenceId(self.next_id);
            self.next_id += 1;
            self.scheduler.add(id, request);
            self.events.insert(id, events);
            self.stats.num_submitted.fetch_sub(1, Ordering::SeqCst);
        }
        self.publish_gauges();
    }

    /// A dropped stream is the cancellation.
    fn drop_cancelled(&mut self) {
        let scheduler = &mut self.scheduler;
        self.events.retain(|id, events| {
            if events.is_closed() {
                scheduler.cancel(*id);
            }
            !events.is_closed()
        });
    }

    fn execute(&mut self, step: &Step) -> Result<StepOutput, EngineError> {
        let items = self.scheduler.step_items(step);
        let runner = &mut self.runner;
        match catch_unwind(AssertUnwindSafe(|| runner.execute(&items))) {
            Ok(Ok(output)) if output.tokens.len() == items.len() => Ok(output),
            Ok(Ok(_)) => Err(EngineError::Step(
                "the runner answered for another number of sequences".into(),
            )),
            Ok(Err(error)) => Err(EngineError::Step(error.to_string())),
            Err(panic) => {
                let message = panic.downcast_ref::<String>().cloned();
                let message =
                    message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Err(EngineError::Step(
                    message.unwrap_or_else(|| "a panic without a message".to_owned()),
                ))
            }
        }
    }

    fn publish(&mut self, committed: Committed) {
        let mut num_generated = 0;
        for outcome in committed.outcomes {
            let Some(events) = self.events.get(&outcome.sequence) else {
                continue;
            };
            if let Some(token) = outcome.token {
                num_generated += 1;
                // A closed stream is noticed before the next step.
                let _ = events.send(SequenceEvent::Token {
                    id: token.id,
                    logprob: token.logprob,
                });
            }
            if let Some(reason) = outcome.finished {
                let _ = events.send(SequenceEvent::Finished(reason));
                self.events.remove(&outcome.sequence);
            }
        }
        self.stats
            .num_generated_tokens
            .fetch_add(num_generated, Ordering::Relaxed);
        self.stats
            .num_prompt_tokens
            .fetch_add(committed.num_prompt_tokens as u64, Ordering::Relaxed);
        self.stats.num_steps.fetch_add(1, Ordering::Relaxed);
    }

    fn publish_gauges(&self) {
        let stats = &self.stats;
        stats
            .num_running
            .store(self.scheduler.num_running() as u64, Ordering::SeqCst);
        stats
            .num_waiting
            .store(self.scheduler.num_waiting() as u64, Ordering::SeqCst);
        stats
            .num_blocks_used
            .store(self.scheduler.num_blocks_used() as u64, Ordering::SeqCst);
        stats
            .num_preemptions
            .store(self.scheduler.num_preemptions(), Ordering::Relaxed);
    }
}
