use super::EngineConfig;
use super::PrefixCache;
use super::block_manager::BlockManager;
use super::faults::{Bug, Faults};
use super::flows::Flows;
use super::prefix::{BlockHash, BlockHasher, Scope};
use super::runner::{SampleRequest, ScoreRequest, StepItem};
use super::sequence::{Class, FlowId, Sequence, SequenceId, SequenceRequest};
use super::step::{Plan, PrefillLimits, ScheduledTokens, Step};
use std::collections::HashMap;

#[cfg(test)]
mod tests;

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
            PrefixCache::Off => usize::MAX,
            PrefixCache::PerNamespace { max_blocks } => max_blocks,
        };
        let blocks = BlockManager::new(config.block_size, &config.kv_groups, max_cached, faults);
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

    /// A scheduler with nothing in it that takes over from this one, and counts on from it.
    pub(super) fn successor(&self) -> Self {
        let mut next = Self::with_faults(self.config.clone(), [0; 32], self.faults);
        next.hasher = self.hasher.clone();
        next.num_preemptions = self.num_preemptions;
        next.num_cached_tokens = self.num_cached_tokens;
        next
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
                    self.blocks.release(&mut sequence.blocks);
                }
            }
            Some(Place::Running(slot)) => {
                if let Some(mut sequence) = self.vacate(slot) {
                    if self.faults.has(Bug::LeakBlockOnCancel) {
                        sequence.blocks.tables[0].pop();
                    }
                    self.blocks.release(&mut sequence.blocks);
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
            self.blocks.release(&mut sequence.blocks.clone());
        } else {
            self.blocks.release(&mut sequence.blocks);
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

fn step_item(sequence: &Sequence, item: ScheduledTokens) -> StepItem<'_> {
    let request = &sequence.request;
    let end = item.start + item.num_tokens;
    let generated = sequence.generated();
    let scored = sequence.scored_rows(item.start, item.num_tokens);
    StepItem {
        sequence: sequence.id.0,
        tokens: &sequence.tokens[item.start..end],
        start: item.start,
        block_tables: &sequence.blocks.tables,
        sample: sequence.samples(end).then(|| SampleRequest {
            params: &request.sampling,
            prompt: &request.prompt,
            generated,
            banned: if generated.len() < request.min_tokens {
                &request.stop_token_ids
            } else {
                &[]
            },
            constraint: request.constraint.as_ref(),
        }),
        score: (scored > 0).then(|| ScoreRequest {
            targets: &sequence.tokens[item.start + 1..][..scored],
            num_top: request.prompt_logprobs.unwrap_or(0),
        }),
    }
}
