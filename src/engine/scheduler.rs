use super::EngineConfig;
use super::PrefixCache;
use super::block_manager::BlockManager;
use super::faults::{Bug, Faults};
use super::flows::{Flow, Flows};
use super::prefix::{BlockHash, BlockHasher, Scope};
use super::runner::{SampleRequest, ScoreRequest, StepItem};
use super::sequence::{Class, FlowId, Sequence, SequenceId, SequenceRequest};
use super::step::{Plan, PrefillLimits, ScheduledTokens, Step};
use std::collections::HashMap;

/// Tokens that a step computes for prefills in any case, so that streams cannot hold them up.
const MIN_PREFILL: usize = 16;

/// In every so manieth step the batch class is served first.
const BATCH_TURN: u64 = 16;

/// Decides who runs, which of their tokens, and in which blocks.
///
/// Pure: no tensors, no clock, no I/O. [`Scheduler::schedule`] decides,
/// [`Scheduler::commit`] applies what the step computed. `docs/scheduling.md` says what it
/// promises.
pub struct Scheduler {
    pub(super) config: EngineConfig,
    pub(super) blocks: BlockManager,
    hasher: BlockHasher,
    pub(super) flows: Flows,
    /// One for each that may run; a sequence keeps its slot while it runs.
    pub(super) slots: Vec<Option<Sequence>>,
    pub(super) num_running: usize,
    pub(super) places: HashMap<SequenceId, Place>,
    /// Blocks that a running prefill of this class is about to publish, by how many.
    pub(super) computing: HashMap<(Class, BlockHash), u32>,
    pub(super) num_steps: u64,
    pub(super) num_preemptions: u64,
    pub(super) num_cached_tokens: u64,
    pub(super) faults: Faults,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Waiting(FlowId, Class),
    Running(usize),
}

impl Scheduler {
    /// `key` is for hashing blocks; nobody else should know it.
    pub fn new(config: EngineConfig, key: [u8; 32]) -> Self {
        Self::with_faults(config, key, Faults::default())
    }

    pub(super) fn with_faults(config: EngineConfig, key: [u8; 32], faults: Faults) -> Self {
        let max_cached = match config.prefix_cache {
            // The choices of a request still share its prompt.
            PrefixCache::Off => config.num_blocks,
            PrefixCache::PerNamespace { max_blocks } => max_blocks,
        };
        let blocks = BlockManager::new(config.block_size, &[config.num_blocks], max_cached, faults);
        Self {
            blocks,
            hasher: BlockHasher::new(key, faults),
            flows: Flows::default(),
            slots: (0..config.max_num_seqs).map(|_| None).collect(),
            num_running: 0,
            places: HashMap::new(),
            computing: HashMap::new(),
            num_steps: 0,
            num_preemptions: 0,
            num_cached_tokens: 0,
            config,
            faults,
        }
    }

    /// Cuts hashes short, so that a test sees collisions.
    #[cfg(test)]
    pub(super) fn cut_hashes(&mut self, bits: u32) {
        self.hasher.bits = bits;
    }

    /// Queues a sequence, whose request [`EngineConfig::check`] accepted. Ids rise in the
    /// order of arrival; `submission` is equal for the sequences of one request. A suspect is
    /// computed in steps of its own.
    pub fn add(
        &mut self,
        id: SequenceId,
        submission: u64,
        request: SequenceRequest,
        is_suspect: bool,
    ) {
        let origin = request.origin;
        let scope = match self.config.prefix_cache {
            PrefixCache::Off => Scope::Request(submission),
            PrefixCache::PerNamespace { .. } => Scope::Namespace(origin.namespace),
        };
        let mut sequence = Sequence::new(id, scope, request, self.blocks.num_groups());
        sequence.is_suspect = is_suspect;
        self.hash_blocks(&mut sequence);
        self.places
            .insert(id, Place::Waiting(origin.flow, origin.class));
        self.flows.enqueue(sequence);
    }

    /// Removes a sequence in any state; unknown ids are ignored. Not between `schedule` and
    /// `commit`.
    pub fn cancel(&mut self, id: SequenceId) {
        match self.places.remove(&id) {
            None => {}
            Some(Place::Waiting(flow, class)) => {
                let sequence = self.flows.remove(flow, class, id);
                if self.faults.has(Bug::DoubleFreeAfterPreemption)
                    && let Some(mut sequence) = sequence
                {
                    self.blocks.release(&mut sequence.block_tables);
                }
            }
            Some(Place::Running(slot)) => {
                if let Some(mut sequence) = self.vacate(slot) {
                    if self.faults.has(Bug::LeakBlockOnCancel) {
                        sequence.block_tables[0].pop();
                    }
                    self.blocks.release(&mut sequence.block_tables);
                }
            }
        }
        self.flows.drop_empty();
    }

    #[cfg(test)]
    pub(super) fn find_waiting(&self, id: SequenceId) -> Option<&Sequence> {
        let Some(Place::Waiting(flow, class)) = self.places.get(&id) else {
            return None;
        };
        let queue = self.flows.get(*flow)?.waiting(*class);
        queue.iter().find(|sequence| sequence.id == id)
    }

    pub fn is_idle(&self) -> bool {
        self.places.is_empty()
    }

    pub fn num_waiting(&self) -> usize {
        self.places.len() - self.num_running
    }

    pub fn num_running(&self) -> usize {
        self.num_running
    }

    /// Blocks that running sequences hold.
    pub fn num_blocks_used(&self) -> usize {
        self.blocks.num_used()
    }

    /// Blocks that only the prefix cache holds.
    pub fn num_blocks_cached(&self) -> usize {
        self.blocks.num_cached()
    }

    pub fn num_blocks(&self) -> usize {
        self.blocks.num_blocks()
    }

    pub fn num_preemptions(&self) -> u64 {
        self.num_preemptions
    }

    /// Prompt tokens that sequences found in the prefix cache when they first started.
    pub fn num_cached_tokens(&self) -> u64 {
        self.num_cached_tokens
    }

    /// Decides the next step. First every stream gets its next token. Then prefills share
    /// what is left, within `limits`: the interactive class before the batch class, and
    /// within a class flow by flow.
    pub fn schedule(&mut self, limits: PrefillLimits) -> Step {
        self.num_steps += 1;
        let mut plan = Plan::new(&self.config);
        plan.alone = self.suspect();
        plan.prefilling = self.prefilling(&plan);
        if !self.faults.has(Bug::StarveDecode) {
            self.plan_decodes(&mut plan);
        }
        plan.has_streams = !plan.is_empty();
        let limit = match plan.has_streams {
            true => limits.beside_streams,
            false => limits.alone,
        };
        plan.num_prefill = plan.num_tokens.min(limit.max(MIN_PREFILL));
        if plan.has_streams && self.faults.has(Bug::StarvePrefill) {
            plan.num_prefill = 0;
        }
        let claimant = self.claimant();
        let batch_first = match claimant {
            Some((_, class)) => class == Class::Batch,
            // Not a multiple: those are for suspects.
            None => self.num_steps % BATCH_TURN == 1 && !self.faults.has(Bug::StarveBatch),
        };
        let mut classes = [Class::Interactive, Class::Batch];
        if batch_first {
            classes.reverse();
        }
        for class in classes {
            self.plan_prefills(&mut plan, class, claimant);
        }
        if self.faults.has(Bug::StarveDecode) {
            self.plan_decodes(&mut plan);
        }
        self.count_overtaken(&plan);
        plan.finish()
    }

    /// The suspect for which this step is: in every second one, if others run, too.
    fn suspect(&self) -> Option<SequenceId> {
        let running = || self.slots.iter().flatten();
        let suspects = running().filter(|sequence| sequence.is_suspect);
        let first = suspects.map(|sequence| sequence.id).min()?;
        let is_turn = self.num_steps.is_multiple_of(2) || running().all(|s| s.is_suspect);
        is_turn.then_some(first)
    }

    /// The step's items as a runner takes them.
    pub fn step_items(&self, step: &Step) -> Vec<StepItem<'_>> {
        step.items
            .iter()
            .filter_map(|item| {
                let sequence = self.slots[item.slot].as_ref()?;
                debug_assert_eq!(sequence.id, item.sequence);
                Some(step_item(sequence, *item))
            })
            .collect()
    }

    /// Adds the tokens that are missing of every running sequence that misses one.
    fn plan_decodes(&mut self, plan: &mut Plan) {
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
    fn plan_prefills(&mut self, plan: &mut Plan, class: Class, claimant: Option<(FlowId, Class)>) {
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
            if plan.victims.len() > num_victims {
                // What they gave back may be what others lacked.
                done.clear();
                plan.prefilling = self.prefilling(plan);
            }
            let Some(slot) = slot else {
                done.push(flow);
                continue;
            };
            let num_tokens = self.plan_tokens(plan, slot, deficit.min(plan.num_prefill));
            if num_tokens == 0 {
                // It lacks rows of logits; others of its flow may not.
                plan.prefilling.retain(|other| *other != slot);
            }
            plan.num_prefill -= num_tokens;
            self.flows.charge(flow, num_tokens);
        }
    }

    /// Plans up to `max` more tokens of a running sequence; how many it became.
    fn plan_tokens(&self, plan: &mut Plan, slot: usize, max: usize) -> usize {
        let Some(sequence) = &self.slots[slot] else {
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
        if added == 0 {
            return 0;
        }
        plan.num_tokens -= added;
        plan.num_outputs -= outputs(added);
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
    fn prefilling(&self, plan: &Plan) -> Vec<usize> {
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

    pub(super) fn hash_blocks(&self, sequence: &mut Sequence) {
        let hashes = &mut sequence.hashes;
        self.hasher.extend(
            hashes,
            sequence.scope,
            &sequence.tokens,
            self.config.block_size,
        );
    }

    /// Takes a sequence out of its slot, with its blocks.
    pub(super) fn vacate(&mut self, slot: usize) -> Option<Sequence> {
        let sequence = self.slots[slot].take()?;
        self.num_running -= 1;
        if let Some(flow) = self.flows.get_mut(sequence.request.origin.flow) {
            flow.num_running -= 1;
        }
        if !self.faults.has(Bug::WaitForCancelledLeader) {
            self.withdraw(&sequence, sequence.num_published..sequence.num_announced);
        }
        Some(sequence)
    }

    /// Frees a running sequence's blocks and queues it again; it starts from its first token,
    /// or from what the cache still has then.
    pub(super) fn preempt(&mut self, plan: &mut Plan, slot: usize) {
        if let Some(item) = plan.remove(slot) {
            plan.num_tokens += item.num_tokens;
            if let Some(sequence) = &self.slots[slot] {
                plan.num_outputs += sequence.num_outputs(item.start, item.num_tokens);
                if sequence.num_missing() > 1 || plan.num_tokens == item.num_tokens {
                    plan.num_prefill += item.num_tokens;
                }
            }
        }
        let Some(mut sequence) = self.vacate(slot) else {
            return;
        };
        if self.faults.has(Bug::DoubleFreeAfterPreemption) {
            self.blocks.release(&mut sequence.block_tables.clone());
        } else {
            self.blocks.release(&mut sequence.block_tables);
        }
        if !self.faults.has(Bug::KeepComputedOnPreemption) {
            sequence.num_computed = 0;
        }
        sequence.num_published = 0;
        // What it generated may be found again, too.
        self.hash_blocks(&mut sequence);
        if self.faults.has(Bug::RestartCountOnPreemption) {
            let generated = sequence.generated().len();
            sequence.request.max_tokens += generated;
        }
        let origin = sequence.request.origin;
        self.places
            .insert(sequence.id, Place::Waiting(origin.flow, origin.class));
        plan.victims.push(origin.flow);
        self.flows.enqueue(sequence);
        self.num_preemptions += 1;
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

fn step_item(sequence: &Sequence, item: ScheduledTokens) -> StepItem<'_> {
    let request = &sequence.request;
    let end = item.start + item.num_tokens;
    let generated = sequence.generated();
    let scored = sequence.scored_rows(item.start, item.num_tokens);
    StepItem {
        sequence: sequence.id.0,
        tokens: &sequence.tokens[item.start..end],
        start: item.start,
        block_tables: &sequence.block_tables,
        sample: sequence.samples(end).then(|| SampleRequest {
            params: &request.sampling,
            prompt: &request.prompt,
            generated,
            banned: if generated.len() < request.min_tokens {
                &request.stop_token_ids
            } else {
                &[]
            },
            constraint: request.constraint.as_deref(),
        }),
        score: (scored > 0).then(|| ScoreRequest {
            targets: &sequence.tokens[item.start + 1..][..scored],
            num_top: request.prompt_logprobs.unwrap_or(0),
        }),
    }
}
