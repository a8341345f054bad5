use super::sequence::{Class, FlowId, Sequence, SequenceId};
use std::collections::{BTreeMap, VecDeque};

/// Tokens that a flow of weight 1 is given at a time.
const QUANTUM: i64 = 16;

/// A flow that had nothing to wait for is remembered to have had at most this much more than
/// the others, in quanta: what it took from nobody it need not give back.
const MAX_DEBT: i64 = 32;

/// The flows that have a sequence, and whose turn it is: deficit round robin (Shreedhar and
/// Varghese 1995) with the tokens computed for a flow as the size of what it was served.
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
    /// Tokens that it may still be served in this round; below 0 it has had more.
    deficit: i64,
}

impl Flow {
    fn new(weight: u32) -> Self {
        let weight = weight.max(1);
        Self {
            weight,
            num_running: 0,
            waiting: Default::default(),
            deficit: QUANTUM * i64::from(weight),
        }
    }

    pub fn waiting(&self, class: Class) -> &VecDeque<Sequence> {
        &self.waiting[class as usize]
    }

    pub fn waiting_mut(&mut self, class: Class) -> &mut VecDeque<Sequence> {
        &mut self.waiting[class as usize]
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

    pub fn total_weight(&self) -> u64 {
        self.flows.values().map(|flow| u64::from(flow.weight)).sum()
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

    /// Forgets flows without sequences, so that whoever comes back starts even.
    pub fn drop_empty(&mut self) {
        self.flows
            .retain(|_, flow| flow.num_running > 0 || flow.waiting.iter().any(|q| !q.is_empty()));
    }

    /// The next flow to serve among those that `has_work` accepts, and how many tokens it may
    /// have now.
    pub fn next(&mut self, has_work: impl Fn(FlowId, &Flow) -> bool) -> Option<(FlowId, usize)> {
        let mut found = self.find(&has_work);
        if found.is_none() {
            // As many rounds at once as it takes until somebody may be served.
            let rounds = self
                .flows
                .iter()
                .filter(|(id, flow)| has_work(**id, flow))
                .map(|(_, flow)| (1 - flow.deficit).div_euclid(flow.quantum()) + 1)
                .min()?;
            for flow in self.flows.values_mut() {
                let quantum = flow.quantum();
                flow.deficit = (flow.deficit + rounds * quantum).min(quantum);
            }
            found = self.find(&has_work);
        }
        let (id, deficit) = found?;
        self.last = id;
        Some((id, usize::try_from(deficit).unwrap_or(0)))
    }

    /// The first in the round that may be served: the one that was served last, while it may,
    /// then those after it.
    fn find(&self, has_work: impl Fn(FlowId, &Flow) -> bool) -> Option<(FlowId, i64)> {
        let from_last = self.flows.range(self.last..);
        let wrapped = self.flows.range(..self.last);
        from_last
            .chain(wrapped)
            .find(|(id, flow)| flow.deficit > 0 && has_work(**id, flow))
            .map(|(id, flow)| (*id, flow.deficit))
    }

    /// Notes that tokens were computed for a flow.
    pub fn charge(&mut self, id: FlowId, num_tokens: usize) {
        if let Some(flow) = self.flows.get_mut(&id) {
            let floor = -MAX_DEBT * flow.quantum();
            flow.deficit = (flow.deficit - num_tokens as i64).max(floor);
        }
    }
}
