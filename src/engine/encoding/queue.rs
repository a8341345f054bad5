use super::TokenizedText;
use crate::engine::sequence::{EngineError, FlowId, Origin};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;
use tokio::sync::mpsc::UnboundedSender;

/// A text that waits, and who waits for it.
pub struct Item {
    pub text: TokenizedText,
    pub index: usize,
    pub results: UnboundedSender<(usize, Result<Vec<f32>, EngineError>)>,
}

/// Texts by caller. The next is of the caller that has had fewest tokens for its weight (Goyal et
/// al. 1996: start-time fair queueing).
#[derive(Default)]
pub struct Queue {
    flows: BTreeMap<FlowId, Flow>,
    /// Where the caller stood that was served last.
    clock: f64,
    num_waiting: usize,
    pub is_stopped: bool,
    /// When to give up what waits.
    pub deadline: Option<Instant>,
}

struct Flow {
    items: VecDeque<Item>,
    num_tokens: usize,
    weight: u32,
    /// Tokens that it has had for its weight; who comes new or back starts at the clock.
    had: f64,
}

impl Item {
    fn num_tokens(&self) -> usize {
        self.text.token_ids.len()
    }
}

impl Queue {
    pub fn push(&mut self, origin: Origin, items: impl Iterator<Item = Item>) {
        let clock = self.clock;
        let flow = self.flows.entry(origin.flow).or_insert_with(|| Flow {
            items: VecDeque::new(),
            num_tokens: 0,
            weight: 1,
            had: clock,
        });
        flow.weight = origin.weight.max(1);
        for item in items {
            flow.num_tokens += item.num_tokens();
            flow.items.push_back(item);
            self.num_waiting += 1;
        }
        if flow.items.is_empty() {
            self.flows.remove(&origin.flow);
        }
    }

    pub fn num_waiting(&self) -> usize {
        self.num_waiting
    }

    pub fn num_waiting_tokens(&self, flow: FlowId) -> usize {
        self.flows.get(&flow).map_or(0, |flow| flow.num_tokens)
    }

    /// As many texts as fit, at least one if any waits. Those that nobody waits for any more are
    /// dropped.
    pub fn next_batch(&mut self, max_tokens: usize, max_texts: usize) -> Vec<Item> {
        let mut batch = Vec::new();
        let mut num_tokens = 0;
        while batch.len() < max_texts {
            let turns = self.flows.iter().map(|(id, flow)| (*id, flow.had));
            let Some((id, had)) = turns.min_by(|a, b| a.1.total_cmp(&b.1)) else {
                break;
            };
            let Some(flow) = self.flows.get_mut(&id) else {
                break;
            };
            let len = flow.items.front().map_or(0, Item::num_tokens);
            let is_wanted = flow
                .items
                .front()
                .is_some_and(|item| !item.results.is_closed());
            if is_wanted && !batch.is_empty() && num_tokens + len > max_tokens {
                break;
            }
            let item = flow.items.pop_front();
            flow.num_tokens -= len;
            if is_wanted {
                self.clock = had;
                flow.had += len as f64 / f64::from(flow.weight);
                num_tokens += len;
            }
            if flow.items.is_empty() {
                self.flows.remove(&id);
            }
            self.num_waiting -= usize::from(item.is_some());
            batch.extend(item.filter(|_| is_wanted));
        }
        batch
    }

    /// Everything that waits.
    pub fn drain(&mut self) -> Vec<Item> {
        self.num_waiting = 0;
        std::mem::take(&mut self.flows)
            .into_values()
            .flat_map(|flow| flow.items)
            .collect()
    }
}
