use super::EngineConfig;
use super::block_manager::BlockManager;
use super::runner::{StepItem, StepOutput, TokenOutput};
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
    /// Position of the first token.
    pub start: usize,
    pub num_tokens: usize,
    /// The range reaches the sequence's last token, so the next one is sampled.
    pub samples: bool,
}

/// What a step meant for one sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    pub sequence: SequenceId,
    pub token: Option<TokenOutput>,
    pub finished: Option<FinishReason>,
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
                    if self.make_room(index, num_tokens, &mut items, &mut budget) {
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
            // that nobody can use, and lose them again.
            let whole = sequence.tokens.len();
            if self.blocks.grow(&mut sequence.block_tables, whole).is_err() {
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
            .filter_map(|item| {
                let sequence = self
                    .running
                    .iter()
                    .find(|sequence| sequence.id == item.sequence)?;
                Some(StepItem {
                    sequence: item.sequence.0,
                    tokens: &sequence.tokens[item.start..item.start + item.num_tokens],
                    start: item.start,
                    block_tables: &sequence.block_tables,
                    sample: item.samples.then_some(&sequence.sampling),
                })
            })
            .collect()
    }

    /// Applies a computed step: advances ranges, accepts tokens, frees what is finished.
    pub fn commit(&mut self, step: &Step, output: &StepOutput) -> Committed {
        let mut committed = Committed::default();
        for (item, token) in step.items.iter().zip(&output.tokens) {
            let Some(index) = self
                .running
                .iter()
                .position(|sequence| sequence.id == item.sequence)
            else {
                continue;
            };
            let sequence = &mut self.running[index];
            sequence.num_computed += item.num_tokens;
            let counted = sequence.num_computed.min(sequence.num_prompt);
            committed.num_prompt_tokens += counted.saturating_sub(sequence.num_prompt_counted);
            sequence.num_prompt_counted = sequence.num_prompt_counted.max(counted);
            let Some(token) = token.filter(|_| item.samples) else {
                continue;
            };
            if sequence.stop_token_ids.contains(&token.id) {
                committed.outcomes.push(Outcome {
                    sequence: item.sequence,
                    token: None,
                    finished: Some(FinishReason::Stop),
                });
                self.release(index);
                continue;
            }
            sequence.tokens.push(token.id);
            let finished =
                (sequence.num_generated() >= sequence.max_tokens).then_some(FinishReason::Length);
            committed.outcomes.push(Outcome {
                sequence: item.sequence,
                token: Some(token),
                finished,
            });
            if finished.is_some() {
                self.release(index);
            }
        }
        committed
    }

    fn item(&self, index: usize, num_tokens: usize) -> ScheduledTokens {
        let sequence = &self.running[index];
        ScheduledTokens {
            sequence: sequence.id,
            start: sequence.num_computed,
            num_tokens,
            samples: num_tokens == sequence.num_missing(),
        }
    }

    /// Grows the tables of `running[index]` by `num_tokens`, preempting later arrivals if
    /// need be. False: the sequence itself was the latest and had to give way.
    fn make_room(
        &mut self,
        index: usize,
        num_tokens: usize,
        items: &mut Vec<ScheduledTokens>,
        budget: &mut usize,
    ) -> bool {
        loop {
            let sequence = &mut self.running[index];
            let needed = sequence.num_computed + num_tokens;
            if self.blocks.grow(&mut sequence.block_tables, needed).is_ok() {
                return true;
            }
            let latest = self.running.len() - 1;
            let victim = self.running[latest].id;
            if let Some(scheduled) = items.iter().position(|item| item.sequence == victim) {
                *budget += items.remove(scheduled).num_tokens;
            }
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
mod tests {
    use super::*;
    use crate::engine::SamplingParams;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, HashMap};
    use std::hash::{DefaultHasher, Hash, Hasher};

    /// A model whose next token is a hash of everything that the sequence can see in its
    /// blocks: a wrong, stale or foreign block changes the answer.
    #[derive(Default)]
    struct HashRunner {
        slots: HashMap<(u32, usize), u32>,
    }

    impl HashRunner {
        fn execute(&mut self, items: &[StepItem<'_>], block_size: usize) -> StepOutput {
            for item in items {
                for (i, token) in item.tokens.iter().enumerate() {
                    let position = item.start + i;
                    self.slots.insert(
                        (
                            item.block_tables[0][position / block_size],
                            position % block_size,
                        ),
                        *token,
                    );
                }
            }
            let next = |item: &StepItem<'_>| {
                let mut hasher = DefaultHasher::new();
                for position in 0..item.start + item.tokens.len() {
                    self.slots[&(
                        item.block_tables[0][position / block_size],
                        position % block_size,
                    )]
                        .hash(&mut hasher);
                }
                TokenOutput {
                    id: hasher.finish() as u32 % 50,
                    logprob: -1.0,
                }
            };
            StepOutput {
                tokens: items
                    .iter()
                    .map(|item| item.sample.map(|_| next(item)))
                    .collect(),
            }
        }
    }

    fn request(prompt: Vec<u32>, max_tokens: usize) -> SequenceRequest {
        let sampling = SamplingParams {
            temperature: 0.0,
            top_p: 1.0,
            top_k: None,
            seed: 0,
            choice: 0,
        };
        SequenceRequest {
            prompt,
            max_tokens,
            stop_token_ids: [7u32].into(),
            sampling,
        }
    }

    fn config(
        max_num_batched_tokens: usize,
        max_num_seqs: usize,
        num_blocks: usize,
    ) -> EngineConfig {
        EngineConfig {
            max_num_batched_tokens,
            max_num_seqs,
            max_num_waiting: 100,
            max_model_len: 64,
            vocab_size: 1000,
            block_size: 4,
            num_blocks,
        }
    }

    /// Runs to the end; `cancelled` leave after their first step or before it.
    fn run(
        config: &EngineConfig,
        requests: &[SequenceRequest],
        cancelled: &[usize],
    ) -> (BTreeMap<u64, Vec<u32>>, u64) {
        let mut scheduler = Scheduler::new(config.clone());
        let mut runner = HashRunner::default();
        let mut outputs: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for (id, request) in requests.iter().enumerate() {
            config.check(request).unwrap();
            scheduler.add(SequenceId(id as u64), request.clone());
        }
        let mut num_steps = 0;
        while !scheduler.is_idle() {
            let step = scheduler.schedule();
            assert!(
                step.items.iter().map(|item| item.num_tokens).sum::<usize>()
                    <= config.max_num_batched_tokens
            );
            assert!(scheduler.num_running() <= config.max_num_seqs);
            assert!(
                !step.items.is_empty(),
                "nothing can run although {} wait",
                scheduler.num_waiting()
            );
            let output = runner.execute(&scheduler.step_items(&step), config.block_size);
            for outcome in scheduler.commit(&step, &output).outcomes {
                let tokens = outputs.entry(outcome.sequence.0).or_default();
                tokens.extend(outcome.token.map(|token| token.id));
            }
            for id in cancelled.iter().filter(|id| **id % 3 == num_steps % 3) {
                scheduler.cancel(SequenceId(*id as u64));
            }
            num_steps += 1;
            assert!(num_steps < 10_000, "no end");
        }
        assert_eq!(scheduler.num_blocks_used(), 0);
        (outputs, scheduler.num_preemptions())
    }

    proptest! {
        #[test]
        fn chunks_batches_preemption_and_cancelled_neighbours_do_not_change_tokens(
            prompts in prop::collection::vec((prop::collection::vec(0u32..1000, 1..40), 1usize..24), 1..12),
            budget in 1usize..40,
            max_num_seqs in 1usize..8,
            num_blocks in 16usize..40,
            cancelled in prop::collection::vec(0usize..12, 0..3),
        ) {
            let requests: Vec<_> = prompts.into_iter().map(|(prompt, max_tokens)| request(prompt, max_tokens)).collect();
            let (outputs, _) = run(&config(budget, max_num_seqs, num_blocks), &requests, &cancelled);
            for (id, request) in requests.iter().enumerate().filter(|(id, _)| !cancelled.contains(id)) {
                let (alone, _) = run(&config(1000, 1, 100), std::slice::from_ref(request), &[]);
                prop_assert_eq!(outputs.get(&(id as u64)), alone.get(&0));
            }
        }
    }

    #[test]
    fn preemption_happens_when_blocks_run_out_and_nobody_is_lost() {
        let requests: Vec<_> = (0..6).map(|i| request(vec![i + 100; 20], 20)).collect();
        let (outputs, num_preemptions) = run(&config(1000, 6, 20), &requests, &[]);
        assert!(num_preemptions > 0);
        assert_eq!(outputs.len(), 6);
    }

    #[test]
    fn a_decode_is_scheduled_in_every_step_of_a_long_prefill() {
        let mut scheduler = Scheduler::new(config(8, 4, 40));
        let mut runner = HashRunner::default();
        scheduler.add(SequenceId(0), request(vec![1, 2, 3], 30));
        let step = scheduler.schedule();
        let output = runner.execute(&scheduler.step_items(&step), 4);
        scheduler.commit(&step, &output);
        scheduler.add(SequenceId(1), request(vec![5; 40], 4));
        for _ in 0..5 {
            let step = scheduler.schedule();
            let sequences: Vec<_> = step
                .items
                .iter()
                .map(|item| (item.sequence.0, item.num_tokens))
                .collect();
            assert_eq!(sequences, [(0, 1), (1, 7)]);
            let output = runner.execute(&scheduler.step_items(&step), 4);
            scheduler.commit(&step, &output);
        }
    }

    #[test]
    fn a_request_that_can_never_fit_is_refused_with_its_counts() {
        let error = config(8, 4, 10)
            .check(&request(vec![1; 30], 11))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "30 prompt tokens and 11 to generate exceed 40 tokens"
        );
        assert!(
            config(8, 4, 10)
                .check(&request(vec![1; 30], usize::MAX))
                .is_err()
        );
        assert!(config(8, 4, 10).check(&request(vec![1; 30], 10)).is_ok());
        assert!(config(8, 4, 10).check(&request(vec![1000], 1)).is_err());
    }
}
