//! Starting sequences: from the queue into a slot, with blocks for all their tokens.

use super::PrefixCache;
use super::faults::Bug;
use super::scheduler::{Place, Scheduler};
use super::sequence::{Class, FlowId, Sequence};
use super::step::Plan;

/// How often the first in a queue is overtaken, at most, before everyone waits for it.
const MAX_OVERTAKEN: u32 = 16;
const MAX_OVERTAKEN_BATCH: u32 = 256;

/// How far into a queue to look past those that wait for a prefix which is being computed.
const LOOK_AHEAD: usize = 64;

impl Scheduler {
    /// Starts the first sequence in a queue that need not wait for a prefix which another one
    /// is computing; its slot. None: there is nobody, or no room.
    pub(super) fn start_next(
        &mut self,
        plan: &mut Plan,
        flow: FlowId,
        class: Class,
    ) -> Option<usize> {
        // A suspect's step is for nobody else.
        if plan.is_full || plan.alone.is_some() {
            return None;
        }
        let queue = self.flows.get(flow)?.waiting(class);
        let has_suspect = self.slots.iter().flatten().any(|s| s.is_suspect);
        let candidate = if self.faults.has(Bug::ResumeOutOfOrder) {
            queue.back()
        } else {
            queue
                .iter()
                // Suspects are computed one after another.
                .filter(|sequence| !(has_suspect && sequence.is_suspect))
                .take(LOOK_AHEAD)
                .find(|sequence| !self.is_computing(sequence))
        };
        let id = candidate.map(|sequence| sequence.id)?;
        let mut sequence = self.flows.remove(flow, class, id)?;
        let slot = self.free_slot(plan, &sequence);
        let Some(slot) = slot.filter(|_| self.allocate(plan, &mut sequence)) else {
            self.flows.enqueue(sequence);
            plan.refused.push((flow, class));
            return None;
        };
        let num_tokens = sequence.tokens.len();
        let num_cached = sequence.num_computed;
        if sequence.num_cached.is_none() {
            let num_cached = match self.config.prefix_cache {
                // What choices share is not what a request finds.
                PrefixCache::Off => 0,
                PrefixCache::PerNamespace { .. } => num_cached,
            };
            sequence.num_cached = Some(num_cached);
            self.num_cached_tokens += num_cached as u64;
            sequence.num_prompt_counted = num_cached;
            plan.started.push(id);
        }
        let protected = sequence.num_overtaken >= max_overtaken(class);
        sequence.protected |= protected;
        sequence.num_overtaken = 0;
        sequence.started_in = self.num_steps;
        plan.num_starts += 1;
        // Nobody waits for one that is slow: few rows of a step are scored, and suspects
        // are not in every one.
        sequence.num_announced = match sequence.is_suspect || sequence.num_unscored() > 0 {
            true => sequence.num_published,
            false => num_tokens / self.config.block_size,
        };
        for hash in &sequence.hashes[sequence.num_published..sequence.num_announced] {
            *self.computing.entry((class, *hash)).or_default() += 1;
        }
        if self.faults.has(Bug::PublishBeforeComputed) {
            for index in sequence.num_published..num_tokens / self.config.block_size {
                let mut blocks = std::mem::take(&mut sequence.blocks);
                self.blocks.publish(&mut blocks, sequence.prefix(), index);
                sequence.blocks = blocks;
            }
        }
        self.places.insert(id, Place::Running(slot));
        self.slots[slot] = Some(sequence);
        plan.prefilling.push(slot);
        self.num_running += 1;
        if let Some(flow) = self.flows.get_mut(flow) {
            flow.num_running += 1;
        }
        Some(slot)
    }

    /// Gives a sequence blocks for all its tokens: half a prefill would only hold blocks
    /// that nobody can use, and lose them again. Of a group with a window it is given none yet,
    /// but there must be as many as it will hold at once. What those that run may still take,
    /// a spare block for each at least, is left to them, so that their next tokens do not
    /// preempt the newcomer at once.
    fn allocate(&mut self, plan: &mut Plan, sequence: &mut Sequence) -> bool {
        let block_size = self.config.block_size;
        let mut max_found = sequence.max_cached_blocks(block_size);
        if self.faults.has(Bug::CacheWholePrompt) && sequence.num_unscored() == 0 {
            max_found = sequence.tokens.len() / block_size;
        }
        let num_tokens = sequence.tokens.len();
        loop {
            let found = self.blocks.find(sequence.prefix(), max_found);
            let spare = self.num_owed(|_, _| true);
            let started = self
                .blocks
                .start(&mut sequence.blocks, &found, num_tokens, &spare);
            if started.is_ok() {
                if !self.faults.has(Bug::KeepComputedOnPreemption) {
                    sequence.num_computed = 0;
                }
                let num_found = found.num_blocks;
                sequence.num_computed = sequence.num_computed.max(num_found * block_size);
                sequence.num_published = num_found;
                return true;
            }
            if !self.free_blocks(plan, sequence) {
                return false;
            }
        }
    }

    /// Blocks of each group that must become available before a sequence can be started.
    pub(super) fn num_blocks_needed(&self, sequence: &Sequence) -> Vec<usize> {
        let max_found = sequence.max_cached_blocks(self.config.block_size);
        let found = self.blocks.find(sequence.prefix(), max_found);
        self.blocks.needed(&found, sequence.tokens.len())
    }

    /// Whether another sequence is computing the first block that this one does not find, or
    /// the first that nobody knows yet: windows may have let go of what is before that, but
    /// will not have of what follows.
    pub(super) fn is_computing(&self, sequence: &Sequence) -> bool {
        if self.computing.is_empty() || sequence.num_unscored() > 0 {
            return false;
        }
        let max_found = sequence.max_cached_blocks(self.config.block_size);
        let found = self.blocks.find(sequence.prefix(), max_found);
        let class = sequence.request.origin.class;
        [found.num_blocks, found.num_known()].iter().any(|index| {
            let hash = sequence.hashes[..max_found].get(*index);
            hash.is_some_and(|hash| self.computing.contains_key(&(class, *hash)))
        })
    }

    /// The first in a queue that was overtaken so often that nobody else starts before it.
    pub(super) fn claimant(&self) -> Option<(FlowId, Class)> {
        if self.faults.has(Bug::OvertakeForEver) {
            return None;
        }
        let heads = self.flows.iter().flat_map(|(id, flow)| {
            [Class::Interactive, Class::Batch]
                .into_iter()
                .filter_map(move |class| Some((flow.waiting(class).front()?, id, class)))
        });
        heads
            .filter(|(head, _, class)| head.num_overtaken >= max_overtaken(*class))
            .min_by_key(|(head, ..)| head.id)
            .map(|(_, flow, class)| (flow, class))
    }

    /// Counts the starts of this step against those that had no room although nothing of
    /// their flow runs, and against every batch sequence that is first in its queue.
    pub(super) fn count_overtaken(&mut self, plan: &Plan) {
        if plan.num_starts == 0 {
            return;
        }
        for (id, flow) in self.flows.iter_mut() {
            for class in [Class::Interactive, Class::Batch] {
                let is_refused = flow.num_running == 0 && plan.refused.contains(&(id, class));
                let counts = class == Class::Batch || is_refused;
                if let Some(head) = flow.waiting_mut(class).front_mut().filter(|_| counts) {
                    head.num_overtaken += plan.num_starts;
                }
            }
        }
    }
}

fn max_overtaken(class: Class) -> u32 {
    match class {
        Class::Interactive => MAX_OVERTAKEN,
        Class::Batch => MAX_OVERTAKEN_BATCH,
    }
}
