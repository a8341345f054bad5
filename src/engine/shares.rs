//! Who gives way when slots or blocks run out.
//!
//! While several flows have sequences, each has a share of the slots and of the blocks of each
//! group in proportion to its weight. A flow may take more while nobody else wants it. What is over
//! the share is taken back, latest arrival first, for a flow that stays within its own; the
//! batch class gives way to the interactive one before that.

use super::faults::Bug;
use super::scheduler::Scheduler;
use super::sequence::{FlowId, Sequence};
use super::step::Plan;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// In so many parts all blocks of a group, and all slots, are divided to compare flows.
const PARTS: u64 = 1_000_000;

/// What each flow has of things there are too few of, at one moment: slots, or the blocks of
/// each group.
struct Usage {
    /// Of each thing, in thousandths.
    of_flow: BTreeMap<FlowId, Vec<u64>>,
    /// How many there are of each.
    capacity: Vec<u64>,
    /// Of all that want some.
    total_weight: u64,
}

impl Scheduler {
    /// A slot for the next sequence of a flow: a free one, or one of somebody who has more
    /// than their share, if that also leaves blocks enough.
    pub(super) fn free_slot(&mut self, plan: &mut Plan, sequence: &Sequence) -> Option<usize> {
        if self.num_running < self.slots.len() {
            return self.slots.iter().position(Option::is_none);
        }
        let flow = sequence.request.origin.flow;
        let usage = self.slot_usage(flow);
        if !self.is_within_share(&usage, flow, &[1]) {
            return None;
        }
        let slot = self.over_share(&usage, sequence)?;
        if !self.could_free(&self.block_usage(Some(flow)), sequence, Some(slot)) {
            return None;
        }
        self.preempt(plan, slot);
        Some(slot)
    }

    /// Preempts one of those who have more blocks than their share, if all of them together
    /// have enough for `sequence`. False: they have not, or there is none.
    pub(super) fn free_blocks(&mut self, plan: &mut Plan, sequence: &Sequence) -> bool {
        let usage = self.block_usage(Some(sequence.request.origin.flow));
        if !self.could_free(&usage, sequence, None) {
            return false;
        }
        let slot = self.over_share(&usage, sequence);
        if let Some(slot) = slot {
            self.preempt(plan, slot);
        }
        slot.is_some()
    }

    /// Whether the share of its flow lets `sequence` claim blocks and there would be enough,
    /// with a spare one for each that then runs as everywhere, if all gave way who must, and
    /// the one in `slot`.
    fn could_free(&self, usage: &Usage, sequence: &Sequence, slot: Option<usize>) -> bool {
        let needed = self.num_blocks_needed(sequence);
        if !self.is_within_share(usage, sequence.request.origin.flow, &needed) {
            return false;
        }
        let goes = |other: usize, victim: &Sequence| {
            slot == Some(other) || self.gives_way(usage, victim, sequence)
        };
        let mut available: Vec<usize> = self.blocks.available().collect();
        for (_, victim) in self
            .running()
            .filter(|(other, victim)| goes(*other, victim))
        {
            add(&mut available, self.blocks.private(&victim.blocks));
        }
        let owed = self.num_owed(|other, victim| !goes(other, victim));
        let mut room = available.iter().zip(needed).zip(owed);
        room.all(|((available, needed), owed)| needed + owed <= *available)
    }

    /// Blocks of each group that are left to those running sequences that `stays` accepts.
    pub(super) fn num_owed(&self, stays: impl Fn(usize, &Sequence) -> bool) -> Vec<usize> {
        let mut owed = vec![0; self.blocks.num_groups()];
        for (slot, sequence) in self.running() {
            if stays(slot, sequence) {
                let of_sequence = self.blocks.owed(&sequence.blocks, sequence.tokens.len());
                add(&mut owed, of_sequence);
            }
        }
        owed
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
            if self.blocks.grow(&mut sequence.blocks, needed).is_ok() {
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
        let usage = self.block_usage(None);
        let key = |sequence: &Sequence| {
            let origin = sequence.request.origin;
            let is_over = self.is_over_share(&usage, origin.flow);
            let excess = is_over.then(|| self.usage_per_weight(&usage, origin.flow));
            (origin.class, excess, sequence.id)
        };
        let latest = self.running().max_by_key(|(_, sequence)| key(sequence));
        latest.map(|(slot, _)| slot)
    }

    /// The running sequence that gives way to a newcomer first.
    fn over_share(&self, usage: &Usage, newcomer: &Sequence) -> Option<usize> {
        let victims = self
            .running()
            .filter(|(_, victim)| self.gives_way(usage, victim, newcomer));
        let first = victims.min_by_key(|(_, victim)| {
            let origin = victim.request.origin;
            let excess = self.usage_per_weight(usage, origin.flow);
            Reverse((origin.class, excess, victim.id))
        });
        first.map(|(slot, _)| slot)
    }

    /// Whether a running sequence gives way to a newcomer.
    fn gives_way(&self, usage: &Usage, victim: &Sequence, newcomer: &Sequence) -> bool {
        let is_new = victim.started_in == self.num_steps;
        if victim.protected || is_new || self.faults.has(Bug::KeepOverShare) {
            return false;
        }
        let (theirs, ours) = (victim.request.origin, newcomer.request.origin);
        theirs.class > ours.class
            || theirs.class == ours.class
                && theirs.flow != ours.flow
                && self.is_over_share(usage, theirs.flow)
    }

    /// Whether a flow has more than its share, and more than one sequence: the only one of a
    /// flow is left alone, so that a flow that asks for one thing gets it.
    fn is_over_share(&self, usage: &Usage, flow: FlowId) -> bool {
        self.flows
            .get(flow)
            .is_some_and(|state| state.num_running > 1 && !self.fits_share(usage, flow, &[]))
    }

    /// Whether a flow may claim `more` of each thing: it stays within its share, or has nothing
    /// yet.
    fn is_within_share(&self, usage: &Usage, flow: FlowId, more: &[usize]) -> bool {
        let Some(state) = self.flows.get(flow) else {
            return false;
        };
        state.num_running == 0 || self.fits_share(usage, flow, more)
    }

    fn fits_share(&self, usage: &Usage, flow: FlowId, more: &[usize]) -> bool {
        let weight = self.flows.get(flow).map_or(0, |state| state.weight);
        usage.capacity.iter().enumerate().all(|(thing, capacity)| {
            let more = more.get(thing).copied().unwrap_or(0);
            let wanted = usage.of(flow, thing) + more as u64 * 1000;
            wanted * usage.total_weight <= capacity * 1000 * u64::from(weight)
        })
    }

    /// What a flow has for each unit of weight, in parts of all there is: of the thing of which
    /// it has most.
    fn usage_per_weight(&self, usage: &Usage, flow: FlowId) -> u64 {
        let weight = self.flows.get(flow).map_or(1, |state| state.weight.max(1));
        let parts = usage.capacity.iter().enumerate().map(|(thing, capacity)| {
            usage.of(flow, thing) * PARTS / (capacity * u64::from(weight)).max(1)
        });
        parts.max().unwrap_or(0)
    }

    /// The newcomer is out of its queue, and may be all that its flow has.
    fn slot_usage(&self, newcomer: FlowId) -> Usage {
        let flows = self.flows.iter();
        Usage {
            of_flow: flows
                .map(|(id, flow)| (id, vec![flow.num_running as u64 * 1000]))
                .collect(),
            capacity: vec![self.slots.len() as u64],
            total_weight: self.flows.total_weight_with(Some(newcomer)),
        }
    }

    fn block_usage(&self, newcomer: Option<FlowId>) -> Usage {
        let groups = &self.config.kv_groups;
        let mut of_flow = BTreeMap::new();
        for (_, sequence) in self.running() {
            let flow = sequence.request.origin.flow;
            let held = of_flow.entry(flow).or_insert_with(|| vec![0; groups.len()]);
            add(held, self.blocks.held(&sequence.blocks));
        }
        Usage {
            of_flow,
            capacity: groups.iter().map(|group| group.num_blocks as u64).collect(),
            total_weight: self.flows.total_weight_with(newcomer),
        }
    }

    pub(super) fn running(&self) -> impl Iterator<Item = (usize, &Sequence)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(slot, sequence)| Some((slot, sequence.as_ref()?)))
    }
}

impl Usage {
    fn of(&self, flow: FlowId, thing: usize) -> u64 {
        self.of_flow.get(&flow).map_or(0, |things| things[thing])
    }
}

fn add<T: AddAssign>(sums: &mut [T], more: impl Iterator<Item = T>) {
    sums.iter_mut()
        .zip(more)
        .for_each(|(sum, more)| *sum += more);
}
