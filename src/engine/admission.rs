use super::faults::{Bug, Faults};
use super::sequence::{FlowId, SequenceRequest};
use super::{EngineConfig, SubmitError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The drain rate is that of about so much time in which somebody waited.
const MEMORY: Duration = Duration::from_secs(10);

/// The part of `max_queue` that estimates may fill; the rest is for what they miss.
const CONFIDENCE: f64 = 0.75;

const MIN_RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(120);

/// Decides who is admitted, before anything is computed for them.
///
/// Shared by the handles, which ask, and the engine's thread, which says what became of the
/// admitted; its lock is held for microseconds. Each flow has bounds of its own, so that
/// nobody is refused for what another has queued.
#[derive(Debug)]
pub(super) struct Admission {
    max_open: usize,
    max_waiting_tokens: usize,
    max_kv_tokens: usize,
    max_queue: Duration,
    faults: Faults,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    flows: HashMap<FlowId, Load>,
    drain: Drain,
}

/// What is admitted of one flow.
#[derive(Debug, Default, Clone, Copy)]
struct Load {
    weight: u32,
    num_open: usize,
    num_waiting: usize,
    waiting_tokens: usize,
    /// Tokens for which the open sequences may need KV slots in the end.
    kv_tokens: usize,
}

/// What admitting a sequence adds to the load of its flow.
#[derive(Debug, Default, Clone, Copy)]
struct Cost {
    /// Until it starts.
    waiting_tokens: usize,
    /// Until it ends.
    kv_tokens: usize,
}

/// How fast waiting prompts are started.
#[derive(Debug, Default)]
struct Drain {
    at: Duration,
    /// Seconds in which somebody waited, and tokens started, both fading.
    seconds: f64,
    tokens: f64,
}

/// The place of one admitted sequence; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Ticket {
    admission: Arc<Admission>,
    flow: FlowId,
    cost: Cost,
    is_waiting: bool,
}

impl Admission {
    pub fn new(config: &EngineConfig, faults: Faults) -> Self {
        Self {
            max_open: config.max_num_seqs.saturating_add(config.max_num_waiting),
            max_waiting_tokens: config.max_waiting_tokens,
            max_kv_tokens: (config.num_blocks * config.block_size)
                .saturating_mul(config.max_kv_overcommit),
            max_queue: config.max_queue,
            faults,
            state: Mutex::default(),
        }
    }

    /// Whether a request of `flow` would be admitted now, however small.
    pub fn check(&self, now: Duration, flow: FlowId, weight: u32) -> Result<(), SubmitError> {
        self.lock()
            .room(self, now, flow, weight, 1, Cost::default())
    }

    /// Places for the sequences of one request, which come from one flow: all or none.
    pub fn admit(
        self: &Arc<Self>,
        now: Duration,
        requests: &[SequenceRequest],
    ) -> Result<Vec<Ticket>, SubmitError> {
        let Some(first) = requests.first() else {
            return Ok(Vec::new());
        };
        if requests.len() > self.max_open {
            return Err(SubmitError::TooMany {
                count: requests.len(),
                limit: self.max_open,
            });
        }
        let flow = match self.faults.has(Bug::SharedQueue) {
            true => FlowId::default(),
            false => first.origin.flow,
        };
        let mut before: Option<&SequenceRequest> = None;
        let costs: Vec<Cost> = requests
            .iter()
            .map(|request| {
                // Choices of one prompt share its prefill.
                let shared = before.is_some_and(|b| Arc::ptr_eq(&b.prompt, &request.prompt));
                before = Some(request);
                Cost {
                    waiting_tokens: if shared { 0 } else { request.prompt.len() },
                    kv_tokens: request.prompt.len() + request.max_tokens,
                }
            })
            .collect();
        let total = Cost {
            waiting_tokens: costs.iter().map(|cost| cost.waiting_tokens).sum(),
            kv_tokens: costs.iter().map(|cost| cost.kv_tokens).sum(),
        };
        let mut state = self.lock();
        let weight = first.origin.weight;
        state.room(self, now, flow, weight, costs.len(), total)?;
        let load = state.flows.entry(flow).or_default();
        load.weight = weight.max(1);
        load.num_open += costs.len();
        load.num_waiting += costs.len();
        load.waiting_tokens += total.waiting_tokens;
        load.kv_tokens += total.kv_tokens;
        drop(state);
        let tickets = costs.into_iter().map(|cost| Ticket {
            admission: Arc::clone(self),
            flow,
            cost,
            is_waiting: true,
        });
        Ok(tickets.collect())
    }

    /// Admitted sequences that have not ended.
    #[cfg(test)]
    pub fn num_open(&self) -> usize {
        self.lock().flows.values().map(|load| load.num_open).sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether so much more of a flow may wait.
    fn room(
        &mut self,
        limits: &Admission,
        now: Duration,
        flow: FlowId,
        weight: u32,
        count: usize,
        cost: Cost,
    ) -> Result<(), SubmitError> {
        let is_waiting = self.flows.values().any(|load| load.num_waiting > 0);
        self.drain.advance(now, is_waiting);
        let load = self.flows.get(&flow).copied().unwrap_or_default();
        // Whoever has nothing waiting is let in: what cannot ever be computed was refused
        // before, and everything else is only a matter of its turn.
        let fits = load.num_open + count <= limits.max_open
            && (load.num_waiting == 0
                || load.waiting_tokens + cost.waiting_tokens <= limits.max_waiting_tokens
                    && load.kv_tokens + cost.kv_tokens <= limits.max_kv_tokens);
        let wait = self.wait(flow, weight, load.waiting_tokens);
        let bound = limits.max_queue.mul_f64(CONFIDENCE);
        if fits && wait.is_none_or(|wait| wait <= bound) {
            return Ok(());
        }
        // When the queue will be short enough; where it is only full, when it has moved on by
        // this request.
        let excess = wait.map(|wait| wait.saturating_sub(bound));
        let moved = self.wait(flow, weight, cost.waiting_tokens.max(1));
        let retry_after = excess.max(moved).unwrap_or(MIN_RETRY);
        Err(SubmitError::Overloaded {
            retry_after: retry_after.clamp(MIN_RETRY, MAX_RETRY),
        })
    }

    /// How long `tokens` of a flow take to be started, as far as is known.
    fn wait(&self, flow: FlowId, weight: u32, tokens: usize) -> Option<Duration> {
        let others = self
            .flows
            .iter()
            .filter(|(id, load)| **id != flow && load.num_waiting > 0);
        let others: f64 = others.map(|(_, load)| f64::from(load.weight)).sum();
        let weight = f64::from(weight.max(1));
        let rate = self.drain.tokens_per_second()? * weight / (weight + others);
        Some(Duration::try_from_secs_f64(tokens as f64 / rate).unwrap_or(Duration::MAX))
    }
}

impl Drain {
    fn advance(&mut self, now: Duration, is_waiting: bool) {
        // A clock that jumps back says nothing.
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        if is_waiting {
            let fade = (-passed / MEMORY.as_secs_f64()).exp();
            self.seconds = self.seconds * fade + passed;
            self.tokens *= fade;
        }
    }

    fn tokens_per_second(&self) -> Option<f64> {
        // Less than a second of waiting says little.
        (self.seconds >= 1.0 && self.tokens > 0.0).then(|| self.tokens / self.seconds)
    }
}

impl Ticket {
    pub fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// The sequence left the queue.
    pub fn started(&mut self, now: Duration) {
        if !self.is_waiting {
            return;
        }
        self.is_waiting = false;
        let mut state = self.admission.lock();
        state.drain.advance(now, true);
        state.drain.tokens += self.cost.waiting_tokens as f64;
        if let Some(load) = state.flows.get_mut(&self.flow) {
            load.num_waiting -= 1;
            load.waiting_tokens -= self.cost.waiting_tokens;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.admission.faults.has(Bug::LeakPlaceOnCancel) && self.is_waiting {
            return;
        }
        let mut state = self.admission.lock();
        let Some(load) = state.flows.get_mut(&self.flow) else {
            return;
        };
        if self.is_waiting {
            load.num_waiting -= 1;
            load.waiting_tokens -= self.cost.waiting_tokens;
        }
        load.num_open -= 1;
        load.kv_tokens -= self.cost.kv_tokens;
        if load.num_open == 0 {
            state.flows.remove(&self.flow);
        }
    }
}
