use super::EngineConfig;
use super::admission::Ticket;
use super::faults::{Bug, Faults};
use super::pace::Pace;
use super::quarantine::Fingerprint;
use super::runner::{StepItem, StepOutput};
use super::scheduler::Scheduler;
use super::sequence::{EngineError, SequenceEvent, SequenceId, SequenceRequest};
use super::step::{Committed, End, PrefillLimits, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Everything that an engine decides and remembers between two steps: the schedule, who
/// waits for which sequence, deadlines, how long steps take.
///
/// Without threads and clocks of its own, so that a simulation runs the same code: times are
/// given as durations since some moment.
pub(super) struct Core {
    scheduler: Scheduler,
    pace: Pace,
    clients: BTreeMap<SequenceId, Client>,
    deadlines: BTreeSet<(Duration, SequenceId)>,
    next_id: u64,
    next_submission: u64,
}

/// Someone who waits for a sequence. A closed channel is a client that left.
struct Client {
    events: UnboundedSender<SequenceEvent>,
    ticket: Ticket,
    fingerprint: Fingerprint,
    timeout: Option<Duration>,
    deadline: Option<Duration>,
}

/// A sequence on its way to the engine.
pub(super) struct Submission {
    pub request: SequenceRequest,
    pub ticket: Ticket,
    pub events: UnboundedSender<SequenceEvent>,
    pub fingerprint: Fingerprint,
    /// It was there when the engine died, so it is computed by itself.
    pub is_suspect: bool,
    pub submitted_at: Duration,
}

/// What a committed step came to.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub num_prompt_tokens: usize,
    pub num_generated_tokens: usize,
    /// Those that ended as they should, and suspects that ran long enough.
    pub cleared: Vec<Fingerprint>,
}

impl Core {
    pub fn new(config: &EngineConfig, key: [u8; 32]) -> Self {
        Self::with_faults(config, key, Faults::default())
    }

    pub fn with_faults(config: &EngineConfig, key: [u8; 32], faults: Faults) -> Self {
        Self::around(Scheduler::with_faults(config.clone(), key, faults))
    }

    fn around(scheduler: Scheduler) -> Self {
        let config = &scheduler.config;
        Self {
            pace: Pace::new(
                config.max_step,
                config.first_prefill,
                config.max_num_batched_tokens,
            ),
            clients: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            next_id: 0,
            next_submission: 0,
            scheduler,
        }
    }

    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    #[cfg(test)]
    pub fn scheduler_mut(&mut self) -> &mut Scheduler {
        &mut self.scheduler
    }

    /// Takes the sequences of one request; their ids.
    pub fn admit(&mut self, submissions: Vec<Submission>) -> Vec<SequenceId> {
        let submission = self.next_submission;
        self.next_submission += 1;
        let mut ids = Vec::with_capacity(submissions.len());
        for submitted in submissions {
            let id = SequenceId(self.next_id);
            self.next_id += 1;
            ids.push(id);
            let timeout = submitted.request.timeout;
            // A deadline beyond what a clock can show is none.
            let deadline = timeout.and_then(|timeout| submitted.submitted_at.checked_add(timeout));
            self.deadlines
                .extend(deadline.map(|deadline| (deadline, id)));
            let is_suspect = submitted.is_suspect;
            self.scheduler
                .add(id, submission, submitted.request, is_suspect);
            let client = Client {
                events: submitted.events,
                ticket: submitted.ticket,
                fingerprint: submitted.fingerprint,
                timeout,
                deadline,
            };
            self.clients.insert(id, client);
        }
        ids
    }

    /// The next step, after whoever left or ran out of time is gone. May be empty.
    pub fn schedule(&mut self, now: Duration) -> Step {
        self.drop_left();
        self.drop_expired(now);
        let step = self.scheduler.schedule(PrefillLimits {
            beside_streams: self.pace.max_prefill(true),
            alone: self.pace.max_prefill(false),
        });
        for id in &step.started {
            if let Some(client) = self.clients.get_mut(id) {
                client.ticket.started(now);
            }
        }
        step
    }

    pub fn step_items(&self, step: &Step) -> Vec<StepItem<'_>> {
        self.scheduler.step_items(step)
    }

    /// The requests that a step computes.
    pub fn fingerprints(&self, step: &Step) -> Vec<Fingerprint> {
        let clients = step
            .items
            .iter()
            .map(|item| self.clients.get(&item.sequence));
        clients.flatten().map(|client| client.fingerprint).collect()
    }

    /// Applies a computed step and tells the clients.
    pub fn commit(&mut self, step: &Step, output: StepOutput, took: Duration) -> Progress {
        self.pace
            .observe(step.has_streams, step.num_prefill_tokens(), took);
        let Committed {
            outcomes,
            cleared,
            num_prompt_tokens,
        } = self.scheduler.commit(step, output);
        let mut progress = Progress {
            num_prompt_tokens,
            ..Progress::default()
        };
        let cleared = cleared.iter().filter_map(|id| self.clients.get(id));
        progress
            .cleared
            .extend(cleared.map(|client| client.fingerprint));
        for outcome in outcomes {
            let Some(client) = self.clients.get(&outcome.sequence) else {
                continue;
            };
            // A closed channel is noticed before the next step.
            if let Some(report) = outcome.prompt {
                let _ = client.events.send(SequenceEvent::Prompt(report));
            }
            if let Some(token) = outcome.token {
                progress.num_generated_tokens += 1;
                let _ = client.events.send(SequenceEvent::Token(token));
            }
            match outcome.end {
                None => {}
                Some(End::Finished(reason)) => {
                    progress.cleared.push(client.fingerprint);
                    self.end(outcome.sequence, SequenceEvent::Finished(reason));
                }
                Some(End::Damaged) => self.fail(outcome.sequence, EngineError::NotANumber),
                Some(End::Stuck(error)) => {
                    self.fail(outcome.sequence, EngineError::Constraint(error));
                }
            }
        }
        progress
    }

    /// Ends everything with an error. The schedule may be what failed, so it is left as it
    /// is, and not to be used any more.
    pub fn fail_all(&mut self, error: &EngineError) {
        for id in self.clients.keys().copied().collect::<Vec<_>>() {
            self.fail(id, error.clone());
        }
    }

    /// A core with nothing in it that takes over from this one.
    pub fn successor(&self) -> Self {
        Self {
            // Ids are never used twice.
            next_id: self.next_id,
            next_submission: self.next_submission,
            ..Self::around(self.scheduler.successor())
        }
    }

    fn fail(&mut self, id: SequenceId, error: EngineError) {
        self.end(id, SequenceEvent::Failed(error));
    }

    fn end(&mut self, id: SequenceId, last: SequenceEvent) {
        let Some(client) = self.clients.remove(&id) else {
            return;
        };
        if let Some(deadline) = client.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        // The place is free before the client knows, so that it may ask again at once.
        drop(client.ticket);
        let _ = client.events.send(last);
    }

    /// A dropped stream is the cancellation.
    fn drop_left(&mut self) {
        let (scheduler, deadlines) = (&mut self.scheduler, &mut self.deadlines);
        self.clients.retain(|id, client| {
            // Asked once: a client may leave at any moment.
            let left = client.events.is_closed();
            if left {
                scheduler.cancel(*id);
                if let Some(deadline) = client.deadline {
                    deadlines.remove(&(deadline, *id));
                }
            }
            !left
        });
    }

    fn drop_expired(&mut self, now: Duration) {
        let mut waiting = Vec::new();
        while let Some((deadline, id)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.deadlines.pop_first();
            let Some(client) = self.clients.get(&id) else {
                continue;
            };
            let ignores_waiting = self.scheduler.faults.has(Bug::IgnoreDeadlineWhileWaiting);
            if ignores_waiting && client.ticket.is_waiting() {
                waiting.push((deadline, id));
                continue;
            }
            let timeout = client.timeout.unwrap_or_default();
            self.scheduler.cancel(id);
            self.fail(id, EngineError::Timeout(timeout));
        }
        self.deadlines.extend(waiting);
    }
}
