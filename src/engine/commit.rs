//! What becomes of a computed step, and of blocks that became full.

use super::faults::Bug;
use super::runner::StepOutput;
use super::scheduler::Scheduler;
use super::sequence::{FinishReason, PromptReport, Sequence};
use super::step::{Committed, End, Outcome, Step};
use std::ops::Range;

/// A suspect that has not ended the engine in so many steps of its own joins the others.
const MAX_STEPS_ALONE: u32 = 32;

impl Scheduler {
    /// Applies a computed step: advances ranges, offers full blocks to others, accepts tokens,
    /// frees what is finished or fell out of a window. Nothing may be added or cancelled since `schedule`.
    pub fn commit(&mut self, step: &Step, output: StepOutput) -> Committed {
        let mut committed = Committed::default();
        for (item, computed) in step.items.iter().zip(output.items) {
            let Some(mut sequence) = self.slots[item.slot].take() else {
                continue;
            };
            debug_assert_eq!(sequence.id, item.sequence);
            if sequence.is_suspect {
                sequence.num_steps_alone += 1;
                if sequence.num_steps_alone >= MAX_STEPS_ALONE {
                    sequence.is_suspect = false;
                    committed.cleared.push(sequence.id);
                }
            }
            sequence.num_computed += item.num_tokens;
            sequence.scored.extend(computed.scored);
            self.publish_computed(&mut sequence);
            self.blocks
                .slide(&mut sequence.blocks, sequence.num_computed);

            let counted = sequence.num_computed.min(sequence.num_prompt());
            committed.num_prompt_tokens += counted.saturating_sub(sequence.num_prompt_counted);
            sequence.num_prompt_counted = sequence.num_prompt_counted.max(counted);

            let mut outcome = Outcome {
                sequence: sequence.id,
                prompt: report_prompt(&mut sequence),
                token: None,
                end: None,
            };
            if let Some(sampled) = computed.sampled {
                (outcome.token, outcome.end) = sequence.accept(sampled);
            } else if sequence.num_missing() == 0 {
                // There was only a prompt to score.
                outcome.end = Some(End::Finished(FinishReason::Length));
            }
            let ended = outcome.end.is_some();
            if ended || outcome.prompt.is_some() || outcome.token.is_some() {
                committed.outcomes.push(outcome);
            }
            self.slots[item.slot] = Some(sequence);
            if ended && let Some(mut sequence) = self.vacate(item.slot) {
                self.places.remove(&sequence.id);
                self.blocks.release(&mut sequence.blocks);
            }
        }
        self.flows.drop_empty();
        committed
    }

    /// Offers the blocks that became full to others.
    fn publish_computed(&mut self, sequence: &mut Sequence) {
        let block_size = self.config.block_size;
        let mut num_full = sequence.num_computed / block_size;
        if self.faults.has(Bug::PublishPartialBlock) {
            num_full = (sequence.num_computed + 1) / block_size;
            num_full = num_full.min(sequence.tokens.len() / block_size);
        }
        if num_full == sequence.num_published {
            return;
        }
        self.hash_blocks(sequence);
        let mut blocks = std::mem::take(&mut sequence.blocks);
        for index in sequence.num_published..num_full {
            self.blocks.publish(&mut blocks, sequence.prefix(), index);
        }
        sequence.blocks = blocks;
        let published = sequence.num_published..num_full;
        self.withdraw(sequence, published);
        sequence.num_published = num_full;
    }

    /// Says that blocks are not being computed any more: they are there, or will not be.
    pub(super) fn withdraw(&mut self, sequence: &Sequence, blocks: Range<usize>) {
        let class = sequence.request.origin.class;
        let end = blocks.end.min(sequence.num_announced);
        for hash in &sequence.hashes[blocks.start.min(end)..end] {
            let key = (class, *hash);
            if let Some(count) = self.computing.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.computing.remove(&key);
                }
            }
        }
    }
}

/// What is said of a prompt when it is computed for the first time.
fn report_prompt(sequence: &mut Sequence) -> Option<PromptReport> {
    if sequence.prompt_reported || sequence.num_computed < sequence.num_prompt() {
        return None;
    }
    sequence.prompt_reported = true;
    Some(PromptReport {
        num_cached_tokens: sequence.num_cached.unwrap_or(0),
        logprobs: sequence.scored.clone(),
    })
}
