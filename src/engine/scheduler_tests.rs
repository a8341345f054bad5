use super::*;
use crate::engine::ItemOutput;
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
            ItemOutput {
                sampled: Some(TokenOutput {
                    id: hasher.finish() as u32 % 50,
                    logprob: -1.0,
                    top: Vec::new(),
                }),
                scored: Vec::new(),
            }
        };
        StepOutput {
            items: items
                .iter()
                .map(|item| match item.sample {
                    Some(_) => next(item),
                    None => ItemOutput::default(),
                })
                .collect(),
        }
    }
}

fn request(prompt: Vec<u32>, max_tokens: usize) -> SequenceRequest {
    SequenceRequest {
        stop_token_ids: [7u32].into(),
        ..SequenceRequest::new(prompt, max_tokens)
    }
}

fn config(max_num_batched_tokens: usize, max_num_seqs: usize, num_blocks: usize) -> EngineConfig {
    EngineConfig {
        max_num_batched_tokens,
        max_num_seqs,
        max_num_outputs: max_num_seqs,
        ..EngineConfig::new(1000, 64, 4, num_blocks)
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
