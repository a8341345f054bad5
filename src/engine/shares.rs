//! Who gives way when slots or blocks run out.
//!
//! While several flows have sequences, each has a share of the slots and of the blocks in
//! proportion to its weight. A flow may take more while nobody else wants it. What is over
//! the share is taken back, latest arrival first, for a flow that stays within its own; the
//! batch class gives way to the interactive one before that.

use super::faults::Bug;
use super::scheduler::Scheduler;
use super::sequence::{Class, FlowId, Sequence};
use super::step::Plan;
use std::cmp::Reverse;

/// What there is too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Slots,
    Blocks,
}

impl Scheduler {
    /// A slot for the next sequence of `flow`: a free one, or one of somebody who has more
    /// than their share.
    pub(super) fn free_slot(
        &mut self,
        plan: &mut Plan,
        flow: FlowId,
        class: Class,
    ) -> Option<usize> {
        if self.num_running < self.slots.len() {
            return self.slots.iter().position(Option::is_none);
        }
        if !self.is_within_share(Resource::Slots, flow, 1) {
            return None;
        }
        let slot = self.over_share(Resource::Slots, flow, class)?;
        self.preempt(plan, slot);
        Some(slot)
    }

    /// Preempts one of those who have more blocks than their share so that, in the end,
    /// `needed` become available for `sequence`. False: they would not.
    pub(super) fn free_blocks(
        &mut self,
        plan: &mut Plan,
        sequence: &Sequence,
        needed: usize,
    ) -> bool {
        let origin = sequence.request.origin;
        if !self.is_within_share(Resource::Blocks, origin.flow, needed) {
            return false;
        }
        let held = self.running().filter(|(_, victim)| {
            self.gives_way(Resource::Blocks, victim, origin.flow, origin.class)
        });
        let reclaimable: usize = held.map(|(_, victim)| num_blocks(victim)).sum();
        if self.blocks.num_available() + reclaimable < needed {
            return false;
        }
        match self.over_share(Resource::Blocks, origin.flow, origin.class) {
            Some(slot) => {
                self.preempt(plan, slot);
                true
            }
            None => false,
        }
    }

    /// Grows the tables of a running sequence by one token, preempting others if need be.
    /// False: the sequence itself had to give way.
    ///
    /// The earliest arrival of the interactive class never does, so that there is always one
    /// that gets on.
    pub(super) fn make_room(&mut self, plan: &mut Plan, slot: usize) -> bool {
        loop {
            let Some(sequence) = &mut self.slots[slot] else {
                return false;
            };
            let needed = sequence.num_computed + 1;
            if self.blocks.grow(&mut sequence.block_tables, needed).is_ok() {
                return true;
            }
            plan.is_full = true;
            let Some(victim) = self.latest() else {
                return false;
            };
            self.preempt(plan, victim);
            if victim == slot {
                return false;
            }
        }
    }

    /// Who gives way to one that runs: the batch class; then the flow that is most over its
    /// share, if it keeps another; then the latest arrival of all.
    fn latest(&self) -> Option<usize> {
        let key = |sequence: &Sequence| {
            let origin = sequence.request.origin;
            let is_over = self.is_over_share(Resource::Blocks, origin.flow);
            let excess = is_over.then(|| self.usage_per_weight(Resource::Blocks, origin.flow));
            (origin.class, excess, sequence.id)
        };
        let latest = self.running().max_by_key(|(_, sequence)| key(sequence));
        latest.map(|(slot, _)| slot)
    }

    /// The running sequence that gives way to a newcomer of `flow` first.
    fn over_share(&self, resource: Resource, flow: FlowId, class: Class) -> Option<usize> {
        let victims = self
            .running()
            .filter(|(_, victim)| self.gives_way(resource, victim, flow, class));
        let first = victims.min_by_key(|(_, victim)| {
            let origin = victim.request.origin;
            let excess = self.usage_per_weight(resource, origin.flow);
            Reverse((origin.class, excess, victim.id))
        });
        first.map(|(slot, _)| slot)
    }

    /// Whether a running sequence gives way to a newcomer of `flow` and `class`.
    fn gives_way(&self, resource: Resource, victim: &Sequence, flow: FlowId, class: Class) -> bool {
        let origin = victim.request.origin;
        let is_new = victim.started_in == self.num_steps;
        if victim.protected || is_new || self.faults.has(Bug::KeepOverShare) {
            return false;
        }
        origin.class > class
            || origin.class == class
                && origin.flow != flow
                && self.is_over_share(resource, origin.flow)
    }

    /// Whether a flow has more than its share, and more than one sequence: the only one of a
    /// flow is left alone, so that a flow that asks for one thing gets it.
    fn is_over_share(&self, resource: Resource, flow: FlowId) -> bool {
        self.flows
            .get(flow)
            .is_some_and(|state| state.num_running > 1 && !self.fits_share(resource, flow, 0))
    }

    /// Whether a flow may claim `more`: it stays within its share, or has nothing yet.
    fn is_within_share(&self, resource: Resource, flow: FlowId, more: usize) -> bool {
        let Some(state) = self.flows.get(flow) else {
            return false;
        };
        state.num_running == 0 || self.fits_share(resource, flow, more)
    }

    fn fits_share(&self, resource: Resource, flow: FlowId, more: usize) -> bool {
        let weight = self.flows.get(flow).map_or(0, |state| state.weight);
        let capacity = match resource {
            Resource::Slots => self.slots.len(),
            Resource::Blocks => self.config.num_blocks,
        };
        let wanted = (self.usage(resource, flow) + more) as u64;
        wanted * self.flows.total_weight() <= capacity as u64 * u64::from(weight)
    }

    /// What a flow has for each unit of weight, in thousandths.
    fn usage_per_weight(&self, resource: Resource, flow: FlowId) -> u64 {
        let weight = self.flows.get(flow).map_or(1, |state| state.weight.max(1));
        self.usage(resource, flow) as u64 * 1000 / u64::from(weight)
    }

    fn usage(&self, resource: Resource, flow: FlowId) -> usize {
        match resource {
            Resource::Slots => self.flows.get(flow).map_or(0, |state| state.num_running),
            Resource::Blocks => self
                .running()
                .filter(|(_, sequence)| sequence.request.origin.flow == flow)
                .map(|(_, sequence)| num_blocks(sequence))
                .sum(),
        }
    }

    fn running(&self) -> impl Iterator<Item = (usize, &Sequence)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(slot, sequence)| Some((slot, sequence.as_ref()?)))
    }
}

/// Blocks that a sequence holds in the group where it holds most.
fn num_blocks(sequence: &Sequence) -> usize {
    let tables = sequence.block_tables.iter();
    tables.map(Vec::len).max().unwrap_or(0)
}
