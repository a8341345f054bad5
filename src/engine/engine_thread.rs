use super::core::{Core, Submission};
use super::quarantine::Fingerprint;
use super::runner::{RunnerError, StepItem, StepOutput, StepRunner};
use super::sequence::{EngineError, SequenceEvent};
use super::shared::Shared;
use super::step::Step;
use crate::kernels::panic_message;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

/// An empty step although there is work is right when the only sequence had to give way. So
/// many in a row are a mistake in the schedule, and better an error than a hang.
const MAX_EMPTY_STEPS: u32 = 4;

/// What a handle says to the engine's thread.
pub(super) enum Command {
    /// The sequences of one request.
    Submit(Vec<Submission>),
    /// Finish what is admitted, at most until the deadline, then end.
    Shutdown { deadline: Instant },
}

/// The state that one engine's thread owns without locks.
pub(super) struct EngineThread {
    pub core: Core,
    pub runner: Box<dyn StepRunner>,
    pub commands: Receiver<Command>,
    pub shared: Arc<Shared>,
    pub shutdown: Option<Instant>,
    /// The requests in the step that is being computed.
    pub in_step: Vec<Fingerprint>,
}

/// Why an engine cannot go on.
pub(super) struct Death {
    pub error: EngineError,
    /// Only a new process can use the device again.
    pub is_device_lost: bool,
}

impl EngineThread {
    /// Runs until every handle is gone, a shutdown is complete, or a step fails.
    pub fn run(&mut self) -> Result<(), Death> {
        let end = catch_unwind(AssertUnwindSafe(|| self.run_steps()));
        self.shared.stats.end_step();
        end.unwrap_or_else(|panic| {
            Err(Death {
                error: EngineError::Step(panic_message(&*panic)),
                is_device_lost: false,
            })
        })
    }

    /// Ends everything that is admitted or on its way here, and leaves an empty core behind.
    pub fn fail_all(&mut self, error: &EngineError) {
        self.core.fail_all(error);
        self.core = self.core.successor();
        while let Ok(command) = self.commands.try_recv() {
            self.refuse(command, error);
        }
        self.publish_gauges();
    }

    /// Answers a command while there is nobody to carry it out.
    pub fn refuse(&mut self, command: Command, error: &EngineError) {
        match command {
            Command::Shutdown { deadline } => self.shutdown = Some(deadline),
            Command::Submit(submissions) => {
                for Submission { events, ticket, .. } in submissions {
                    drop(ticket);
                    // The client may have left; then nobody misses the event.
                    let _ = events.send(SequenceEvent::Failed(error.clone()));
                }
            }
        }
    }

    fn run_steps(&mut self) -> Result<(), Death> {
        let mut num_empty = 0;
        self.runner.begin();
        self.publish_gauges();
        while self.receive() {
            let now = self.shared.now();
            let step = self.core.schedule(now);
            if step.items.is_empty() {
                num_empty += 1;
                if num_empty > MAX_EMPTY_STEPS && !self.core.scheduler().is_idle() {
                    return Err(step_failed(
                        "nothing can be scheduled although there is work",
                    ));
                }
            } else {
                num_empty = 0;
                self.compute(&step)?;
            }
            self.publish_gauges();
        }
        Ok(())
    }

    fn compute(&mut self, step: &Step) -> Result<(), Death> {
        self.in_step = self.core.fingerprints(step);
        let began = self.shared.now();
        self.shared.stats.begin_step(began);
        let items = self.core.step_items(step);
        let output = self.runner.execute(&items).map_err(|error| Death {
            is_device_lost: matches!(error, RunnerError::Device(_)),
            error: EngineError::Step(error.to_string()),
        })?;
        if !is_complete(&items, &output) {
            return Err(step_failed(
                "the runner left out a token, or gave one too many",
            ));
        }
        drop(items);
        self.shared.stats.end_step();

        let took = self.shared.now().saturating_sub(began);
        let progress = self.core.commit(step, output, took);
        // What is applied is not what the engine may die of next.
        self.in_step.clear();
        for fingerprint in &progress.cleared {
            self.shared.quarantine.clear(fingerprint);
        }
        let stats = &self.shared.stats;
        let add = |counter: &AtomicU64, count: usize| {
            counter.fetch_add(count as u64, Ordering::Relaxed);
        };
        add(&stats.num_prompt_tokens, progress.num_prompt_tokens);
        add(&stats.num_generated_tokens, progress.num_generated_tokens);
        add(&stats.num_steps, 1);
        Ok(())
    }

    /// Takes what handles sent, waiting while there is nothing to compute. False: it is
    /// time to end.
    fn receive(&mut self) -> bool {
        loop {
            let is_idle = self.core.scheduler().is_idle();
            if let Some(deadline) = self.shutdown
                && (is_idle || Instant::now() >= deadline)
            {
                return false;
            }
            let command = if is_idle {
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
                Command::Submit(submissions) => {
                    self.core.admit(submissions);
                    self.publish_gauges();
                }
                Command::Shutdown { deadline } => self.shutdown = Some(deadline),
            }
        }
    }

    fn publish_gauges(&self) {
        let (stats, scheduler) = (&self.shared.stats, self.core.scheduler());
        let set = |gauge: &AtomicU64, value: usize| {
            gauge.store(value as u64, Ordering::SeqCst);
        };
        set(&stats.num_running, scheduler.num_running());
        set(&stats.num_waiting, scheduler.num_waiting());
        set(&stats.num_blocks_used, scheduler.num_blocks_used());
        set(&stats.num_blocks_cached, scheduler.num_blocks_cached());
        set(&stats.num_blocks_total, scheduler.num_blocks());
        let count = |counter: &AtomicU64, value| counter.store(value, Ordering::Relaxed);
        count(&stats.num_preemptions, scheduler.num_preemptions());
        count(&stats.num_cached_tokens, scheduler.num_cached_tokens());
    }
}

/// Whether every item has what it asked for, and nothing else.
fn is_complete(items: &[StepItem<'_>], output: &StepOutput) -> bool {
    output.items.len() == items.len()
        && items.iter().zip(&output.items).all(|(item, output)| {
            item.sample.is_some() == output.sampled.is_some()
                && item.score.map_or(0, |score| score.targets.len()) == output.scored.len()
        })
}

fn step_failed(message: &str) -> Death {
    Death {
        error: EngineError::Step(message.to_owned()),
        is_device_lost: false,
    }
}
