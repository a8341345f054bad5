//! Drives an engine through a scenario on a clock of its own, and looks at everything after
//! every step.

use super::client::Client;
use super::model::HashModel;
use super::scenario::{Arrival, Reader, Scenario};
use crate::engine::admission::Admission;
use crate::engine::core::{Core, Submission};
use crate::engine::faults::{Bug, Faults};
use crate::engine::quarantine::Fingerprint;
use crate::engine::sequence::Sequence;
use crate::engine::{Class, EngineError, NO_BLOCK, SequenceId, Step, SubmitError};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// More steps than any scenario takes: something never ends.
const MAX_STEPS: u64 = 20_000;

/// As in the engine's loop.
const MAX_EMPTY_STEPS: u32 = 4;

/// What one run was like.
#[derive(Debug, Default)]
pub struct Report {
    /// Every decision and every answer, in order.
    pub trace: String,
    pub num_steps: u64,
    pub num_preemptions: u64,
    pub num_cached_tokens: u64,
    /// Of those, in groups with windows.
    pub num_windowed_cached_tokens: u64,
    /// Times that a sequence ran with blocks fallen out of its windows.
    pub num_slides: u64,
    pub num_refused: u64,
    pub num_timeouts: u64,
    pub num_left: u64,
    pub num_deaths: u64,
}

pub struct Simulator {
    pub(super) scenario: Scenario,
    pub(super) faults: Faults,
    pub(super) core: Core,
    pub(super) model: HashModel,
    pub(super) admission: Arc<Admission>,
    pub(super) arrivals: VecDeque<Arrival>,
    pub(super) clients: Vec<Client>,
    pub(super) now: Duration,
    pub(super) step: u64,
    pub(super) died_in: Vec<u64>,
    pub(super) num_empty: u32,
    pub(super) has_suspects: bool,
    pub(super) report: Report,
}

/// Runs the scenario of `seed`; what was wrong, if anything.
pub fn simulate(seed: u64, bug: Option<Bug>) -> Result<Report, String> {
    let mut scenario = Scenario::new(seed);
    let faults = Faults(bug);
    let mut simulator = Simulator {
        core: new_core(&scenario, faults),
        model: HashModel::new(scenario.config.block_size, &scenario.config.kv_groups),
        admission: Arc::new(Admission::new(&scenario.config, faults)),
        has_suspects: scenario.arrivals.iter().any(|arrival| arrival.is_suspect),
        arrivals: std::mem::take(&mut scenario.arrivals).into(),
        scenario,
        faults,
        clients: Vec::new(),
        now: Duration::ZERO,
        step: 0,
        died_in: Vec::new(),
        num_empty: 0,
        report: Report::default(),
    };
    match simulator.run() {
        Ok(()) => Ok(simulator.report),
        Err(violation) => Err(format!(
            "seed {seed}, step {}: {violation}\n{:?}\n{}",
            simulator.step, simulator.scenario, simulator.report.trace
        )),
    }
}

fn new_core(scenario: &Scenario, faults: Faults) -> Core {
    let mut core = Core::with_faults(&scenario.config, [7; 32], faults);
    core.scheduler_mut().cut_hashes(scenario.hash_bits);
    core
}

impl Simulator {
    fn run(&mut self) -> Result<(), String> {
        while !self.arrivals.is_empty() || !self.core.scheduler().is_idle() {
            self.step += 1;
            if self.step > MAX_STEPS {
                return Err("it never ends".into());
            }
            let jumps = self.scenario.jumps.iter();
            let jump: Duration = jumps
                .filter(|(step, _)| *step == self.step)
                .map(|(_, by)| *by)
                .sum();
            self.now += jump;
            self.arrive()?;
            self.leave();
            self.advance()?;
            self.read()?;
            self.check_blocks()?;
            self.count_slides();
        }
        self.finish()
    }

    fn arrive(&mut self) -> Result<(), String> {
        if self.core.scheduler().is_idle()
            && let Some(next) = self.arrivals.front()
        {
            self.now = self.now.max(next.at);
        }
        while self
            .arrivals
            .front()
            .is_some_and(|arrival| arrival.at <= self.now)
        {
            let Some(arrival) = self.arrivals.pop_front() else {
                break;
            };
            self.submit(arrival)?;
        }
        Ok(())
    }

    /// What [`crate::engine::Engine::submit`] does.
    fn submit(&mut self, arrival: Arrival) -> Result<(), String> {
        let Arrival {
            requests,
            reader,
            is_suspect,
            ..
        } = arrival;
        let config = &self.scenario.config;
        let checked = requests
            .iter()
            .try_for_each(|request| config.check(request));
        if checked.is_err() && !self.faults.has(Bug::AdmitNeverFitting) {
            self.report.num_refused += 1;
            return Ok(());
        }
        let flow = requests[0].origin.flow;
        let is_first = self.clients.iter().all(|client| {
            client.end.is_some() || client.is_gone() || client.request.origin.flow != flow
        });
        let tickets = match self.admission.admit(self.now, &requests) {
            Ok(tickets) => tickets,
            Err(SubmitError::Overloaded { .. }) if is_first => {
                return Err(format!(
                    "flow {flow:?} is refused although it has nothing here"
                ));
            }
            Err(_) => {
                self.report.num_refused += 1;
                return Ok(());
            }
        };
        let mut streams = Vec::new();
        let mut submissions = Vec::new();
        for (request, ticket) in requests.iter().zip(tickets) {
            let (events, stream) = tokio::sync::mpsc::unbounded_channel();
            streams.push(stream);
            submissions.push(Submission {
                request: request.clone(),
                ticket,
                events,
                fingerprint: Fingerprint::of(request),
                is_suspect,
                submitted_at: self.now,
            });
        }
        let ids = self.core.admit(submissions);
        for ((id, request), stream) in ids.into_iter().zip(requests).zip(streams) {
            let groups = &self.scenario.config.kv_groups;
            let client = Client::new(id, request, groups, reader, stream, self.step, self.now);
            self.clients.push(client);
        }
        Ok(())
    }

    fn leave(&mut self) {
        for client in &mut self.clients {
            if let Reader::Leaves(after) = client.reader
                && self.step >= client.arrived_in + after
                && client.end.is_none()
                && client.stream.take().is_some()
            {
                self.report.num_left += 1;
            }
        }
    }

    /// One turn of the engine's loop.
    fn advance(&mut self) -> Result<(), String> {
        let decoding = self.running(|sequence| sequence.num_missing() == 1);
        let had_suspects = !self.running(|sequence| sequence.is_suspect).is_empty();
        let waiting = self.first_in_line();
        let step = self.core.schedule(self.now);
        self.note_step(&step);
        self.check_deadlines()?;
        self.check_step(&step, &decoding, had_suspects)?;
        self.check_order(&step, &waiting)?;
        if step.items.is_empty() {
            self.num_empty += 1;
            self.now += Duration::from_millis(1);
            return match self.num_empty > MAX_EMPTY_STEPS {
                true if !self.core.scheduler().is_idle() => Err("nothing can be scheduled".into()),
                _ => Ok(()),
            };
        }
        self.num_empty = 0;
        let items = self.core.step_items(&step);
        if items.len() != step.items.len() {
            return Err("an item has no sequence".into());
        }
        let output = self.model.execute(&items);
        drop(items);
        if self.scenario.deaths.contains(&self.step) {
            self.die();
            return Ok(());
        }
        let took = Duration::from_micros(1_000 + 100 * step.num_tokens() as u64);
        self.now += took;
        for (item, output) in step.items.iter().zip(&output.items) {
            let sampled = output
                .sampled
                .as_ref()
                .map(|sampled| sampled.as_ref().map_or(u32::MAX, |token| token.id));
            let _ = write!(self.report.trace, " {}={sampled:?}", item.sequence.0);
        }
        self.core.commit(&step, output, took);
        Ok(())
    }

    /// The step fails after it wrote into blocks; a new engine starts on the same memory.
    fn die(&mut self) {
        self.died_in.push(self.step);
        self.report.num_deaths += 1;
        self.core.fail_all(&EngineError::Step("it died".into()));
        self.core = self.core.successor();
        self.now += Duration::from_secs(1);
    }

    fn read(&mut self) -> Result<(), String> {
        for client in &mut self.clients {
            if client.reader != Reader::Slow {
                let id = client.id;
                client.read(self.step).map_err(|e| format!("{id:?}: {e}"))?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), String> {
        for client in &mut self.clients {
            client.read(self.step)?;
        }
        for client in &self.clients {
            let id = client.id;
            let died = self.died_in.iter().any(|step| *step >= client.arrived_in);
            client.check(died).map_err(|e| format!("{id:?}: {e}"))?;
            self.check_cached(client)?;
            if matches!(client.end, Some(Err(EngineError::Timeout(_)))) {
                self.report.num_timeouts += 1;
            }
        }
        self.check_bounds()?;
        let scheduler = self.core.scheduler();
        let left = (
            scheduler.num_blocks_used(),
            self.admission.load().0,
            scheduler.num_running(),
            scheduler.flows.num_waiting(),
            scheduler.computing.len(),
        );
        if left != (0, 0, 0, 0, 0) {
            return Err(format!(
                "left over (blocks, places, running, waiting, computing): {left:?}"
            ));
        }
        self.report.num_steps = self.step;
        self.report.num_preemptions = scheduler.num_preemptions();
        self.report.num_cached_tokens = scheduler.num_cached_tokens();
        if self.has_windows() {
            self.report.num_windowed_cached_tokens = scheduler.num_cached_tokens();
        }
        Ok(())
    }

    fn has_windows(&self) -> bool {
        let mut groups = self.scenario.config.kv_groups.iter();
        groups.any(|group| group.window.is_some())
    }

    fn count_slides(&mut self) {
        let slots = self.core.scheduler().slots.iter().flatten();
        let tables = slots.flat_map(|sequence| &sequence.blocks.tables);
        let slid = tables.filter(|table| table.first() == Some(&NO_BLOCK));
        self.report.num_slides += slid.count() as u64;
    }

    pub(super) fn running(&self, which: impl Fn(&Sequence) -> bool) -> Vec<SequenceId> {
        let slots = self.core.scheduler().slots.iter().flatten();
        slots.filter(|s| which(s)).map(|s| s.id).collect()
    }

    /// In each queue, the first that waits for no prefix.
    fn first_in_line(&self) -> Vec<SequenceId> {
        let scheduler = self.core.scheduler();
        let classes = [Class::Interactive, Class::Batch];
        let queues = scheduler
            .flows
            .iter()
            .flat_map(|(_, flow)| classes.map(|class| flow.waiting(class)));
        queues
            .filter_map(|queue| queue.iter().find(|s| !scheduler.is_computing(s)))
            .filter(|s| s.num_cached.is_none())
            .map(|s| s.id)
            .collect()
    }

    fn note_step(&mut self, step: &Step) {
        let trace = &mut self.report.trace;
        let _ = write!(trace, "\n{} {}us:", self.step, self.now.as_micros());
        for item in &step.items {
            let id = item.sequence.0;
            let _ = write!(trace, " {id}[{}+{}]", item.start, item.num_tokens);
        }
    }
}
