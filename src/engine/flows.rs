use super::sequence::{Class, FlowId, Sequence, SequenceId};
use std::collections::{BTreeMap, VecDeque};

/// Tokens that a flow of weight 1 is given in a round.
const QUANTUM: i64 = 16;

/// Tokens that a flow may have saved while it asked for less than its share, or owe for what
/// it took while nobody else wanted it; at least a round's. So whoever asks seldom is served
/// at once, and nobody waits long for what is past.
const MAX_SAVED: i64 = 512;

/// The flows, and whose turn it is: deficit round robin (Shreedhar and Varghese 1995) with
/// the tokens computed for a flow as the size of what it was served. Within a round the flow
/// with the largest deficit for its weight comes first.
#[derive(Debug, Default)]
pub(super) struct Flows {
    flows: BTreeMap<FlowId, Flow>,
    /// The one that was served last.
    last: FlowId,
}

#[derive(Debug)]
pub(super) struct Flow {
    pub weight: u32,
    pub num_running: usize,
    /// For each class, in the order of arrival; preempted ones are back in their old places.
    waiting: [VecDeque<Sequence>; 2],
    /// Tokens that it may be served before the next round; below 0 it has had more.
    deficit: i64,
}

impl Flow {
    fn new(weight: u32) -> Self {
        let weight = weight.max(1);
        Self {
            weight,
            num_running: 0,
            waiting: Default::default(),
            deficit: MAX_SAVED.max(QUANTUM * i64::from(weight)),
        }
    }

    pub fn waiting(&self, class: Class) -> &VecDeque<Sequence> {
        &self.waiting[class as usize]
    }

    pub fn waiting_mut(&mut self, class: Class) -> &mut VecDeque<Sequence> {
        &mut self.waiting[class as usize]
    }

    fn is_present(&self) -> bool {
        self.num_running > 0 || self.waiting.iter().any(|queue| !queue.is_empty())
    }

    fn max_saved(&self) -> i64 {
        MAX_SAVED.max(self.quantum())
    }

    fn quantum(&self) -> i64 {
        QUANTUM * i64::from(self.weight)
    }
}

impl Flows {
    pub fn get(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(&id)
    }

    pub fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.flows.get_mut(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (FlowId, &Flow)> {
        self.flows.iter().map(|(id, flow)| (*id, flow))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (FlowId, &mut Flow)> {
        self.flows.iter_mut().map(|(id, flow)| (*id, flow))
    }

    /// The weights of those that have a sequence, and of `one`.
    pub fn total_weight_with(&self, one: Option<FlowId>) -> u64 {
        let flows = self.flows.iter();
        flows
            .filter(|(id, flow)| one == Some(**id) || flow.is_present())
            .map(|(_, flow)| u64::from(flow.weight))
            .sum()
    }

    #[cfg(test)]
    pub fn num_waiting(&self) -> usize {
        let waiting = self.flows.values().flat_map(|flow| &flow.waiting);
        waiting.map(VecDeque::len).sum()
    }

    /// Puts a sequence in its place in the queue: among those of its flow and class, the
    /// earlier arrival first.
    pub fn enqueue(&mut self, sequence: Sequence) {
        let origin = sequence.request.origin;
        let flow = self
            .flows
            .entry(origin.flow)
            .or_insert_with(|| Flow::new(origin.weight));
        let queue = flow.waiting_mut(origin.class);
        let place = queue.partition_point(|other| other.id < sequence.id);
        queue.insert(place, sequence);
    }

    /// Takes a sequence out of its queue.
    pub fn remove(&mut self, flow: FlowId, class: Class, id: SequenceId) -> Option<Sequence> {
        let queue = self.flows.get_mut(&flow)?.waiting_mut(class);
        let place = queue
            .binary_search_by_key(&id, |sequence| sequence.id)
            .ok()?;
        queue.remove(place)
    }

    /// Forgets flows without sequences once there is nothing to remember of them.
    pub fn drop_empty(&mut self) {
        let is_idle = !self.flows.values().any(Flow::is_present);
        self.flows.retain(|_, flow| {
            let is_even = flow.deficit >= flow.max_saved();
            flow.is_present() || !is_even && !is_idle
        });
    }

    /// The next flow to serve among those that `has_work` accepts, and how many tokens it may
    /// have now.
    pub fn next(&mut self, has_work: impl Fn(FlowId, &Flow) -> bool) -> Option<(FlowId, usize)> {
        let with_work: Vec<FlowId> = self
            .flows
            .range(self.last..)
            .skip_while(|(id, _)| **id == self.last)
            .chain(self.flows.range(..=self.last))
            .filter(|(id, flow)| has_work(**id, flow))
            .map(|(id, _)| *id)
            .collect();
        let rounds = with_work
            .iter()
            .map(|id| {
                let flow = &self.flows[id];
                (flow.quantum() - flow.deficit).div_euclid(flow.quantum())
            })
            .min()?;
        if rounds > 0 {
            // As many rounds at once as it takes until somebody may be served.
            for flow in self.flows.values_mut() {
                let saved = flow.deficit + rounds * flow.quantum();
                flow.deficit = saved.min(flow.max_saved());
            }
        }
        let rank = |id: &FlowId| {
            let flow = &self.flows[id];
            flow.deficit * 1000 / i64::from(flow.weight)
        };
        // The first of equals in the order of the round.
        let next = with_work.into_iter().rev().max_by_key(rank)?;
        self.last = next;
        let flow = &self.flows[&next];
        let share = flow.deficit.min(flow.quantum());
        Some((next, usize::try_from(share).unwrap_or(0)))
    }

    /// Notes that tokens were computed for a flow.
    pub fn charge(&mut self, id: FlowId, num_tokens: usize) {
        if let Some(flow) = self.flows.get_mut(&id) {
            let floor = -flow.max_saved();
            flow.deficit = (flow.deficit - num_tokens as i64).max(floor);
        }
    }
}
