//! Filling a step: streams first, then prefills, flow by flow.

use super::faults::Bug;
use super::flows::Flow;
use super::scheduler::Scheduler;
use super::sequence::{Class, FlowId, Sequence, SequenceId};
use super::step::{Plan, ScheduledTokens};

impl Scheduler {
    /// Adds the tokens that are missing of every running sequence that misses one.
    pub(super) fn plan_decodes(&mut self, plan: &mut Plan) {
        for slot in 0..self.slots.len() {
            let Some(sequence) = &self.slots[slot] else {
                continue;
            };
            if sequence.num_missing() != 1 || plan.num_tokens == 0 || !plan.admits(sequence) {
                continue;
            }
            let flow = sequence.request.origin.flow;
            if self.make_room(plan, slot) && self.plan_tokens(plan, slot, 1) > 0 {
                self.flows.charge(flow, 1);
            }
        }
    }

    /// Shares the plan's prefill tokens among those of one class, which may be new ones.
    pub(super) fn plan_prefills(
        &mut self,
        plan: &mut Plan,
        class: Class,
        claimant: Option<(FlowId, Class)>,
    ) {
        let mut done: Vec<FlowId> = Vec::new();
        // Where streams take every token, a newcomer may still take the place of one.
        let mut may_displace = plan.num_tokens == 0;
        while plan.num_prefill > 0 || std::mem::take(&mut may_displace) {
            let slots = &self.slots;
            let has_work = |id: FlowId, flow: &Flow| {
                !done.contains(&id)
                    && (!flow.waiting(class).is_empty()
                        || prefill_of(slots, plan, id, class).is_some())
            };
            let next = if self.faults.has(Bug::FirstComeFirstServed) {
                let first = |(_, flow): &(FlowId, &Flow)| {
                    flow.waiting(class)
                        .front()
                        .map_or(0, |sequence| sequence.id.0)
                };
                let flows = self.flows.iter().filter(|(id, flow)| has_work(*id, flow));
                flows
                    .min_by_key(first)
                    .map(|(id, _)| (id, plan.num_prefill))
            } else {
                self.flows.next(has_work)
            };
            let Some((flow, deficit)) = next else { return };
            let num_victims = plan.victims.len();
            let may_start = claimant.is_none_or(|claimant| claimant == (flow, class))
                && !plan.victims.contains(&flow);
            let slot = prefill_of(&self.slots, plan, flow, class).or_else(|| {
                may_start
                    .then(|| self.start_next(plan, flow, class))
                    .flatten()
            });
            let slot = slot.filter(|slot| self.gets_on(plan, *slot));
            if plan.victims.len() > num_victims {
                // What they gave back may be what others lacked.
                done.clear();
                plan.prefilling = self.prefilling(plan);
            }
            let Some(slot) = slot else {
                // Or this flow itself.
                if plan.victims.len() == num_victims {
                    done.push(flow);
                }
                continue;
            };
            let num_tokens = self.plan_tokens(plan, slot, deficit.min(plan.num_prefill));
            if num_tokens == 0 {
                // It lacks rows of logits or blocks; others of its flow may not.
                plan.prefilling.retain(|other| *other != slot);
            }
            plan.num_prefill -= num_tokens;
            self.flows.charge(flow, num_tokens);
        }
    }

    /// Sees to it that some prefill gets on. Where a group with a window has no block for the
    /// next token of this one, blocks that others of the step take for theirs will be back
    /// after it; if there are no such others, the latest arrivals give way. False: this one
    /// had to.
    fn gets_on(&mut self, plan: &mut Plan, slot: usize) -> bool {
        let Some(sequence) = &self.slots[slot] else {
            return false;
        };
        let has_block = self.blocks.room(&sequence.blocks) > sequence.num_computed;
        let is_planned_prefill = |(slot, other): (usize, &Sequence)| {
            other.num_missing() > 1 && plan.item(slot).is_some()
        };
        if has_block || plan.num_prefill == 0 || self.running().any(is_planned_prefill) {
            return true;
        }
        self.make_room(plan, slot)
    }

    /// Plans up to `max` more tokens of a running sequence, with blocks for them; how many it
    /// became.
    pub(super) fn plan_tokens(&mut self, plan: &mut Plan, slot: usize, max: usize) -> usize {
        let Some(sequence) = &mut self.slots[slot] else {
            return 0;
        };
        if !plan.admits(sequence) {
            return 0;
        }
        let planned = plan.item(slot);
        let start = planned.map_or(sequence.num_computed, |item| item.start);
        let before = planned.map_or(0, |item| item.num_tokens);
        let end = start + before;
        let mut added = max.min(plan.num_tokens).min(sequence.tokens.len() - end);
        // Nobody is preempted so that a range may be longer.
        added = added.min(self.blocks.room(&sequence.blocks).saturating_sub(end));
        if sequence.num_unscored() > 0 && start < sequence.scored.len() {
            // What is scored already ends a range, so that targets begin with one.
            added = added.min(sequence.scored.len().saturating_sub(end));
        }
        let outputs_before = sequence.num_outputs(start, before);
        let outputs = |added: usize| sequence.num_outputs(start, before + added) - outputs_before;
        // Rows that are not scored need none, so that all but the last may go.
        while added > 0 && outputs(added) > plan.num_outputs {
            added -= 1;
        }
        let num_outputs = outputs(added);
        if added == 0 || self.blocks.grow(&mut sequence.blocks, end + added).is_err() {
            return 0;
        }
        if self.faults.has(Bug::FreeByLastToken) {
            self.blocks.slide(&mut sequence.blocks, end + added - 1);
        }
        plan.num_tokens -= added;
        plan.num_outputs -= num_outputs;
        plan.set(ScheduledTokens {
            sequence: sequence.id,
            slot,
            start,
            num_tokens: before + added,
        });
        added
    }

    /// The slots whose sequences miss more than one token and may be in this step, in the
    /// order of arrival.
    pub(super) fn prefilling(&self, plan: &Plan) -> Vec<usize> {
        let mut slots: Vec<_> = (0..self.slots.len())
            .filter_map(|slot| {
                let sequence = self.slots[slot].as_ref()?;
                let is_one = sequence.num_missing() > 1 && plan.admits(sequence);
                is_one.then_some((sequence.id, slot))
            })
            .collect();
        slots.sort_unstable();
        slots.into_iter().map(|(_, slot)| slot).collect()
    }

    /// The suspect for which this step is: in every second one, if others run, too.
    pub(super) fn suspect(&self) -> Option<SequenceId> {
        let running = || self.slots.iter().flatten();
        let suspects = running().filter(|sequence| sequence.is_suspect);
        let first = suspects.map(|sequence| sequence.id).min()?;
        let is_turn = self.num_steps.is_multiple_of(2) || running().all(|s| s.is_suspect);
        is_turn.then_some(first)
    }
}

/// The first of a flow's prefills that has tokens left to plan.
fn prefill_of(
    slots: &[Option<Sequence>],
    plan: &Plan,
    flow: FlowId,
    class: Class,
) -> Option<usize> {
    plan.prefilling.iter().copied().find(|slot| {
        slots[*slot].as_ref().is_some_and(|sequence| {
            let origin = sequence.request.origin;
            let planned = plan.item(*slot).map_or(0, |item| item.num_tokens);
            (origin.flow, origin.class) == (flow, class) && planned < sequence.num_missing()
        })
    })
}
