use super::EngineConfig;
use super::block_manager::BlockManager;
use super::runner::{SampleRequest, StepItem, StepOutput, TokenOutput};
use super::sequence::{FinishReason, Sequence, SequenceId, SequenceRequest};
use std::collections::VecDeque;

/// Decides who runs, which of their tokens, and in which blocks.
///
/// Pure: no tensors, no clock, no I/O. [`Scheduler::schedule`] decides,
/// [`Scheduler::commit`] applies what the step computed.
pub struct Scheduler {
    config: EngineConfig,
    blocks: BlockManager,
    /// In order of arrival; a preempted sequence returns to the front.
    waiting: VecDeque<Sequence>,
    /// In order of arrival.
    running: Vec<Sequence>,
    num_preemptions: u64,
}

/// A decided step: for each item a running sequence and how many of its tokens to compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub items: Vec<ScheduledTokens>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduledTokens {
    pub sequence: SequenceId,
    /// Where it stands among the running.
    index: usize,
    /// Position of the first token.
    pub start: usize,
    pub num_tokens: usize,
    /// The range reaches the sequence's last token, so the next one is sampled.
    pub samples: bool,
}

/// What a step meant for one sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub sequence: SequenceId,
    pub token: Option<TokenOutput>,
    /// Set on the sequence's last outcome.
    pub end: Option<End>,
}

/// How a sequence ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Finished(FinishReason),
    /// Its logits held no number.
    Damaged,
}

/// Outcomes of a step, and the prompt tokens that it computed for the first time.
#[derive(Debug, Default, PartialEq)]
pub struct Committed {
    pub outcomes: Vec<Outcome>,
    pub num_prompt_tokens: usize,
}

impl Scheduler {
    pub fn new(config: EngineConfig) -> Self {
        let blocks = BlockManager::new(config.block_size, &[config.num_blocks]);
        Self {
            config,
            blocks,
            waiting: VecDeque::new(),
            running: Vec::new(),
            num_preemptions: 0,
        }
    }

    /// Queues a sequence, whose request [`EngineConfig::check`] accepted.
    pub fn add(&mut self, id: SequenceId, request: SequenceRequest) {
        self.waiting
            .push_back(Sequence::new(id, request, self.blocks.num_groups()));
    }

    /// Removes a sequence in any state; unknown ids are ignored.
    pub fn cancel(&mut self, id: SequenceId) {
        self.waiting.retain(|sequence| sequence.id != id);
        if let Some(index) = self.running.iter().position(|sequence| sequence.id == id) {
            self.release(index);
        }
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    pub fn num_waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn num_running(&self) -> usize {
        self.running.len()
    }

    pub fn num_blocks_used(&self) -> usize {
        self.blocks.num_used()
    }

    pub fn num_blocks(&self) -> usize {
        self.blocks.num_blocks()
    }

    pub fn num_preemptions(&self) -> u64 {
        self.num_preemptions
    }

    /// Decides the next step. Decodes come first, so that a long prefill never stalls a
    /// stream by more than one step; then prefills in order of arrival, cut to the budget;
    /// then new sequences. Out of blocks, the latest arrival gives way.
    pub fn schedule(&mut self) -> Step {
        let mut budget = self.config.max_num_batched_tokens;
        let mut items: Vec<ScheduledTokens> = Vec::new();
        let preempted_before = self.num_preemptions;
        for decodes in [true, false] {
            let mut index = 0;
            while index < self.running.len() && budget > 0 {
                let sequence = &self.running[index];
                let missing = sequence.num_missing();
                if (missing == 1) == decodes {
                    let num_tokens = missing.min(budget);
                    if self.make_room(index, num_tokens) {
                        items.push(self.item(index, num_tokens));
                        budget -= num_tokens;
                    }
                }
                index += 1;
            }
        }
        // Someone who had to give way in this step must not be replaced by a newcomer.
        while budget > 0
            && self.num_preemptions == preempted_before
            && self.running.len() < self.config.max_num_seqs
            && let Some(mut sequence) = self.waiting.pop_front()
        {
            let num_tokens = sequence.num_missing().min(budget);
            // Blocks for the whole prompt at once: half a prefill would only hold blocks
            // that nobody can use, and lose them again. A spare block for each that runs
            // keeps their next tokens from preempting the newcomer at once.
            let whole = sequence.tokens.len();
            if !self.blocks.could_hold(whole, self.running.len())
                || self.blocks.grow(&mut sequence.block_tables, whole).is_err()
            {
                self.waiting.push_front(sequence);
                break;
            }
            self.running.push(sequence);
            items.push(self.item(self.running.len() - 1, num_tokens));
            budget -= num_tokens;
        }
        Step { items }
    }

    /// The step's items as a runner takes them.
    pub fn step_items(&self, step: &Step) -> Vec<StepItem<'_>> {
        step.items
            .iter()
            .map(|item| {
                let sequence = &self.running[item.index];
                debug_assert_eq!(sequence.id, item.sequence);
                StepItem {
                    sequence: item.sequence.0,
                    tokens: &sequence.tokens[item.start..item.start + item.num_tokens],
                    start: item.start,
                    block_tables: &sequence.block_tables,
                    sample: item.samples.then(|| SampleRequest {
                        params: &sequence.request.sampling,
                        prompt: &sequence.request.prompt,
                        generated: sequence.generated(),
                        banned: &[],
                        constraint: sequence.request.constraint.as_deref(),
                    }),
                    score: None,
                }
            })
            .collect()
    }

    /// Applies a computed step: advances ranges, accepts tokens, frees what is finished.
    /// Nothing may be added or cancelled between `schedule` and `commit`.
    pub fn commit(&mut self, step: &Step, output: &StepOutput) -> Committed {
        let mut committed = Committed::default();
        let mut ended = Vec::new();
        for (item, computed) in step.items.iter().zip(&output.items) {
            let sequence = &mut self.running[item.index];
            debug_assert_eq!(sequence.id, item.sequence);
            sequence.num_computed += item.num_tokens;
            let counted = sequence.num_computed.min(sequence.num_prompt());
            committed.num_prompt_tokens += counted.saturating_sub(sequence.num_prompt_counted);
            sequence.num_prompt_counted = sequence.num_prompt_counted.max(counted);
            let Some(token) = computed.sampled.clone().filter(|_| item.samples) else {
                continue;
            };
            let (token, end) = sequence.accept(token);
            if end.is_some() {
                ended.push(item.index);
            }
            committed.outcomes.push(Outcome {
                sequence: item.sequence,
                token,
                end,
            });
        }
        ended.sort_unstable();
        for index in ended.into_iter().rev() {
            self.release(index);
        }
        committed
    }

    fn item(&self, index: usize, num_tokens: usize) -> ScheduledTokens {
        let sequence = &self.running[index];
        ScheduledTokens {
            sequence: sequence.id,
            index,
            start: sequence.num_computed,
            num_tokens,
            samples: num_tokens == sequence.num_missing(),
        }
    }

    /// Grows the tables of `running[index]` by `num_tokens`, preempting later arrivals if
    /// need be. False: the sequence itself was the latest and had to give way.
    ///
    /// Later arrivals are not in the step yet: decodes are taken in order, and prefills have
    /// their blocks since they were admitted.
    fn make_room(&mut self, index: usize, num_tokens: usize) -> bool {
        loop {
            let sequence = &mut self.running[index];
            let needed = sequence.num_computed + num_tokens;
            if self.blocks.grow(&mut sequence.block_tables, needed).is_ok() {
                return true;
            }
            let latest = self.running.len() - 1;
            self.preempt(latest);
            if latest == index {
                return false;
            }
        }
    }

    /// Frees a running sequence's blocks; it starts again from its first token.
    fn preempt(&mut self, index: usize) {
        let mut sequence = self.running.remove(index);
        self.blocks.release(&mut sequence.block_tables);
        sequence.num_computed = 0;
        self.num_preemptions += 1;
        self.waiting.push_front(sequence);
    }

    fn release(&mut self, index: usize) {
        let mut sequence = self.running.remove(index);
        self.blocks.release(&mut sequence.block_tables);
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
