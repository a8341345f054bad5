//! Sequences in small pools of groups with windows.

use crate::engine::{
    End, EngineConfig, FinishReason, FlowId, ItemOutput, KvGroup, PrefillLimits, Scheduler,
    SequenceId, SequenceRequest, Step, StepOutput, TokenOutput,
};
use std::collections::BTreeMap;

const BLOCK_SIZE: usize = 4;

/// A sequence holds four blocks at most.
const WINDOW: usize = 10;
const MAX_HELD: usize = 4;

struct Run {
    scheduler: Scheduler,
    ends: BTreeMap<SequenceId, FinishReason>,
    num_generated: BTreeMap<SequenceId, usize>,
}

impl Run {
    fn new(kv_groups: Vec<KvGroup>) -> Self {
        let config = EngineConfig {
            kv_groups,
            max_num_batched_tokens: 64,
            max_num_seqs: 4,
            max_num_outputs: 4,
            ..EngineConfig::new(10_000, 1000, BLOCK_SIZE, 1)
        };
        Self {
            scheduler: Scheduler::new(config, [3; 32]),
            ends: BTreeMap::new(),
            num_generated: BTreeMap::new(),
        }
    }

    /// Of a flow of its own, with tokens that no other has.
    fn add(&mut self, id: u64, num_prompt: usize, max_tokens: usize) {
        let prompt: Vec<u32> = (0..num_prompt as u32)
            .map(|i| id as u32 * 300 + i)
            .collect();
        let mut request = SequenceRequest::new(prompt, max_tokens);
        request.origin.flow = FlowId(id as u32);
        assert_eq!(self.scheduler.config.check(&request), Ok(()));
        self.scheduler.add(SequenceId(id), id, request, false);
    }

    fn step(&mut self) -> Step {
        let step = self.scheduler.schedule(PrefillLimits::NONE);
        let items = self.scheduler.step_items(&step).into_iter();
        let items = items.map(|item| ItemOutput {
            sampled: item.sample.map(|_| Ok(TokenOutput::default())),
            scored: Vec::new(),
        });
        let output = StepOutput {
            items: items.collect(),
        };
        for outcome in self.scheduler.commit(&step, output).outcomes {
            let generated = self.num_generated.entry(outcome.sequence).or_default();
            *generated += usize::from(outcome.token.is_some());
            if let Some(End::Finished(reason)) = outcome.end {
                self.ends.insert(outcome.sequence, reason);
            }
        }
        self.check();
        step
    }

    fn check(&self) {
        let running = self.scheduler.running();
        let blocks: Vec<_> = running.map(|(_, sequence)| &sequence.blocks).collect();
        self.scheduler.blocks.check(&blocks);
    }

    /// Runs to the end, within so many steps.
    fn finish(&mut self, max_steps: usize) {
        for _ in 0..max_steps {
            if self.scheduler.is_idle() {
                assert_eq!(self.scheduler.num_blocks_used(), 0);
                return;
            }
            self.step();
        }
        panic!("something runs after {max_steps} steps");
    }
}

fn windowed(num_blocks: usize) -> KvGroup {
    KvGroup {
        num_blocks,
        window: Some(WINDOW),
    }
}

#[test]
fn a_long_sequence_ends_in_a_pool_that_holds_one_window() {
    for beside in [vec![], vec![KvGroup::without_window(100)]] {
        let groups = [beside, vec![windowed(MAX_HELD)]].concat();
        let mut run = Run::new(groups);
        run.add(0, 300, 60);
        run.finish(500);
        assert_eq!(run.num_generated[&SequenceId(0)], 60);
        assert_eq!(run.scheduler.num_preemptions(), 0);
    }
}

#[test]
fn a_range_of_a_prompt_is_as_long_as_there_are_blocks_for_it() {
    let mut run = Run::new(vec![windowed(8)]);
    run.add(0, 300, 1);
    let lens: Vec<usize> = (0..3).map(|_| run.step().num_tokens()).collect();
    // All eight blocks; then those that the window leaves: it reaches into three.
    assert_eq!(lens, [32, 20, 20]);
    run.finish(20);
}

#[test]
fn nobody_starts_in_a_windowed_pool_that_those_who_run_will_fill() {
    let mut run = Run::new(vec![
        KvGroup::without_window(200),
        windowed(2 * MAX_HELD - 1),
    ]);
    run.add(0, 200, 20);
    run.add(1, 200, 20);
    run.step();
    assert_eq!(run.scheduler.num_running(), 1);
    run.finish(200);
    assert_eq!(run.ends.len(), 2);
    assert_eq!(run.scheduler.num_preemptions(), 0);
}

#[test]
fn sequences_fill_a_windowed_pool_side_by_side() {
    let mut run = Run::new(vec![KvGroup::without_window(250), windowed(4 * MAX_HELD)]);
    (0..4).for_each(|id| run.add(id, 200, 20));
    let mut most = 0;
    while !run.scheduler.is_idle() {
        run.step();
        most = most.max(run.scheduler.num_running());
    }
    assert_eq!(most, 4);
    assert_eq!(run.scheduler.num_preemptions(), 0);
}

#[test]
fn whoever_leaves_or_gives_way_leaves_no_block_of_any_group() {
    // What is generated does not fit beside each other.
    let mut run = Run::new(vec![KvGroup::without_window(40), windowed(3 * MAX_HELD)]);
    (0..3).for_each(|id| run.add(id, 30, 60));
    for _ in 0..20 {
        run.step();
    }
    run.scheduler.cancel(SequenceId(1));
    run.check();
    run.finish(500);
    assert!(run.scheduler.num_preemptions() > 0, "nobody gave way");
    assert_eq!(run.num_generated[&SequenceId(0)], 60);
    assert_eq!(run.num_generated[&SequenceId(2)], 60);
}

#[test]
fn a_prefill_without_blocks_waits_for_those_of_the_same_step() {
    let mut run = Run::new(vec![windowed(2 * MAX_HELD + 2)]);
    run.add(0, 250, 5);
    run.add(1, 250, 5);
    while !run.scheduler.is_idle() {
        assert!(run.step().num_tokens() > 0);
    }
    assert_eq!(run.ends.len(), 2);
    assert_eq!(run.scheduler.num_preemptions(), 0);
}
