use super::runner::StepRunner;
use super::scheduler::{Committed, End, Scheduler, Step};
use super::sequence::{EngineError, SequenceEvent, SequenceId, SequenceRequest};
use super::stats::EngineStats;
use super::{EngineConfig, StepOutput};
use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;
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
        let end = catch_unwind(AssertUnwindSafe(|| self.run_steps()))
            .unwrap_or_else(|panic| Err(EngineError::Step(panic_message(&*panic))));
        self.alive.store(false, Ordering::SeqCst);
        let error = match end {
            Ok(()) => EngineError::Stopped,
            Err(error) => {
                tracing::error!(%error, "the engine has stopped: {error}");
                error
            }
        };
        for (id, events) in std::mem::take(&mut self.events) {
            // The client may have left; then nobody misses the event.
            self.close(1);
            let _ = events.send(SequenceEvent::Failed(error.clone()));
            self.scheduler.cancel(id);
        }
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Submit(submissions) = command {
                self.close(submissions.len());
                for submission in submissions {
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
                match self.commands.recv() {
                    Ok(command) => command,
                    // The last handle is gone.
                    Err(_) => return false,
                }
            } else {
                match self.commands.try_recv() {
                    Ok(command) => command,
                    // Streams that still run are finished although no handle may be left.
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => return true,
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
        }
        self.publish_gauges();
    }

    /// A dropped stream is the cancellation.
    fn drop_cancelled(&mut self) {
        let before = self.events.len();
        let scheduler = &mut self.scheduler;
        self.events.retain(|id, events| {
            // Asked once: a client may leave at any moment.
            let left = events.is_closed();
            if left {
                scheduler.cancel(*id);
            }
            !left
        });
        self.close(before - self.events.len());
    }

    fn execute(&mut self, step: &Step) -> Result<StepOutput, EngineError> {
        let items = self.scheduler.step_items(step);
        let output = self
            .runner
            .execute(&items)
            .map_err(|e| EngineError::Step(e.to_string()))?;
        let complete = output.items.len() == items.len()
            && items
                .iter()
                .zip(&output.items)
                .all(|(item, output)| item.sample.is_some() == output.sampled.is_some());
        if complete {
            Ok(output)
        } else {
            Err(EngineError::Step(
                "the runner left out a token, or sampled one too many".into(),
            ))
        }
    }

    /// Gives back places that [`super::Engine::submit`] took.
    fn close(&self, count: usize) {
        self.stats
            .num_open
            .fetch_sub(count as u64, Ordering::SeqCst);
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
                let _ = events.send(SequenceEvent::Token(token));
            }
            let last = match outcome.end {
                None => continue,
                Some(End::Finished(reason)) => SequenceEvent::Finished(reason),
                Some(End::Damaged) => SequenceEvent::Failed(EngineError::NotANumber),
            };
            // The place is free before the client knows, so that it may ask again at once.
            self.stats.num_open.fetch_sub(1, Ordering::SeqCst);
            let _ = events.send(last);
            self.events.remove(&outcome.sequence);
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

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}
