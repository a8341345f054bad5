use super::faults::{Bug, Faults};
use super::sequence::{FlowId, SequenceRequest};
use super::{EngineConfig, KvGroup, SubmitError};
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
    block_size: usize,
    kv_groups: Vec<KvGroup>,
    /// In tokens of each group.
    max_kv_tokens: Vec<usize>,
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
#[derive(Debug, Default, Clone)]
struct Load {
    weight: u32,
    num_open: usize,
    num_waiting: usize,
    waiting_tokens: usize,
    /// Tokens for which the open sequences may need KV slots of each group at once.
    kv_tokens: Vec<usize>,
}

/// What admitting a sequence adds to the load of its flow.
#[derive(Debug, Default, Clone)]
struct Cost {
    /// Until it starts.
    waiting_tokens: usize,
    /// Of each group, until it ends.
    kv_tokens: Vec<usize>,
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
            block_size: config.block_size,
            max_kv_tokens: config
                .kv_groups
                .iter()
                .map(|group| {
                    (group.num_blocks * config.block_size).saturating_mul(config.max_kv_overcommit)
                })
                .collect(),
            kv_groups: config.kv_groups.clone(),
            max_queue: config.max_queue,
            faults,
            state: Mutex::default(),
        }
    }

    /// Whether a request of `flow` would be admitted now, however small.
    pub fn check(&self, now: Duration, flow: FlowId, weight: u32) -> Result<(), SubmitError> {
        self.lock()
            .room(self, now, flow, weight, 1, &Cost::default())
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
                    kv_tokens: self.kv_tokens(request),
                }
            })
            .collect();
        let mut total = Cost {
            waiting_tokens: costs.iter().map(|cost| cost.waiting_tokens).sum(),
            kv_tokens: vec![0; self.kv_groups.len()],
        };
        for cost in &costs {
            add(&mut total.kv_tokens, &cost.kv_tokens);
        }
        let mut state = self.lock();
        let weight = first.origin.weight;
        state.room(self, now, flow, weight, costs.len(), &total)?;
        let load = state.flows.entry(flow).or_default();
        load.weight = weight.max(1);
        load.num_open += costs.len();
        load.num_waiting += costs.len();
        load.waiting_tokens += total.waiting_tokens;
        load.kv_tokens.resize(self.kv_groups.len(), 0);
        add(&mut load.kv_tokens, &total.kv_tokens);
        drop(state);
        let tickets = costs.into_iter().map(|cost| Ticket {
            admission: Arc::clone(self),
            flow,
            cost,
            is_waiting: true,
        });
        Ok(tickets.collect())
    }

    /// Admitted sequences that have not ended, and prompt tokens that wait to be started.
    pub fn load(&self) -> (usize, usize) {
        let state = self.lock();
        let flows = state.flows.values();
        flows.fold((0, 0), |(num_open, tokens), load| {
            (num_open + load.num_open, tokens + load.waiting_tokens)
        })
    }

    /// Tokens for which a request needs slots of each group at once: with a window, at most
    /// those of the blocks that it reaches into.
    fn kv_tokens(&self, request: &SequenceRequest) -> Vec<usize> {
        let num_tokens = request.prompt.len() + request.max_tokens;
        let groups = self.kv_groups.iter();
        groups
            .map(|group| group.max_tokens_held(num_tokens, self.block_size))
            .collect()
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
        cost: &Cost,
    ) -> Result<(), SubmitError> {
        let is_waiting = self.flows.values().any(|load| load.num_waiting > 0);
        self.drain.advance(now, is_waiting);
        let load = self.flows.get(&flow).cloned().unwrap_or_default();
        let mut kv_tokens = limits.max_kv_tokens.iter().enumerate();
        let fits_kv = kv_tokens.all(|(group, max)| {
            let of = |tokens: &[usize]| tokens.get(group).copied().unwrap_or(0);
            of(&load.kv_tokens) + of(&cost.kv_tokens) <= *max
        });
        // Whoever has nothing waiting is let in: what cannot ever be computed was refused
        // before, and everything else is only a matter of its turn.
        let fits = load.num_open + count <= limits.max_open
            && (load.num_waiting == 0
                || load.waiting_tokens + cost.waiting_tokens <= limits.max_waiting_tokens
                    && fits_kv);
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
        for (sum, tokens) in load.kv_tokens.iter_mut().zip(&self.cost.kv_tokens) {
            *sum -= tokens;
        }
        if load.num_open == 0 {
            state.flows.remove(&self.flow);
        }
    }
}

fn add(sums: &mut [usize], more: &[usize]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_held_to_its_overcommit_in_the_group_of_which_it_needs_most() {
        let admits = |num_blocks: usize, num_windowed: usize, lens: &[usize]| {
            let config = EngineConfig {
                kv_groups: vec![
                    KvGroup::without_window(num_blocks),
                    KvGroup {
                        num_blocks: num_windowed,
                        window: Some(10),
                    },
                ],
                max_kv_overcommit: 2,
                ..EngineConfig::new(100, 1000, 4, 1)
            };
            let admission = Arc::new(Admission::new(&config, Faults::default()));
            let requests = lens
                .iter()
                .map(|len| SequenceRequest::new(vec![0; *len], 10));
            let mut tickets = Vec::new();
            for request in requests {
                match admission.admit(Duration::ZERO, &[request]) {
                    Ok(admitted) => tickets.extend(admitted),
                    Err(_) => break,
                }
            }
            tickets.len()
        };
        // However long, a sequence reaches into four blocks of the window.
        assert_eq!(admits(1000, 4, &[500, 500, 500]), 2);
        assert_eq!(admits(1000, 6, &[500, 500, 500, 500]), 3);
        // Twelve tokens in all need no more than themselves.
        assert_eq!(admits(1000, 3, &[2, 2, 2]), 2);
        // 2 × 4 × 255 tokens of the other group are four times 510.
        assert_eq!(admits(255, 100, &[500; 6]), 4);
    }
}
