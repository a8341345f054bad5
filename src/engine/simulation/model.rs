//! A model whose next token is a hash of everything that the sequence can see in the KV
//! cache: a wrong, stale or foreign block changes the answer.

use super::random::mix;
use crate::engine::{
    ItemOutput, SampleRequest, SequenceRequest, StepItem, StepOutput, TokenOutput,
};

pub const VOCAB: u32 = 40;

/// What a slot holds that was never written.
const UNWRITTEN: u64 = 0xBAD0_BAD0_BAD0_BAD0;

pub struct HashModel {
    block_size: usize,
    slots: Vec<u64>,
}

impl HashModel {
    pub fn new(block_size: usize, num_blocks: usize) -> Self {
        Self {
            block_size,
            slots: vec![UNWRITTEN; block_size * num_blocks],
        }
    }

    /// Computes a step as hardware would: everything is written, then everything is read.
    pub fn execute(&mut self, step: &[StepItem<'_>]) -> StepOutput {
        for item in step {
            for (index, token) in item.tokens.iter().enumerate() {
                let position = item.start + index;
                let before = match position {
                    0 => 0,
                    _ => self.slots[self.slot(item, position - 1)],
                };
                let slot = self.slot(item, position);
                self.slots[slot] = entry(before, *token, position);
            }
        }
        let items = step.iter().map(|item| self.output(item)).collect();
        StepOutput { items }
    }

    fn output(&self, item: &StepItem<'_>) -> ItemOutput {
        let mut seen = 0;
        for position in 0..item.start {
            seen = see(seen, self.slots[self.slot(item, position)]);
        }
        let mut output = ItemOutput::default();
        for (index, _) in item.tokens.iter().enumerate() {
            seen = see(seen, self.slots[self.slot(item, item.start + index)]);
            if let Some(target) = item.score.and_then(|score| score.targets.get(index)) {
                output.scored.push(scored(seen, *target));
            }
        }
        output.sampled = item.sample.map(|request| Ok(sampled(seen, &request)));
        output
    }

    fn slot(&self, item: &StepItem<'_>, position: usize) -> usize {
        let block = item.block_tables[0][position / self.block_size] as usize;
        block * self.block_size + position % self.block_size
    }
}

/// What a request must report when nothing is beside it: scored prompt tokens, then
/// generated ones, computed without blocks, steps or caches.
pub fn reference(request: &SequenceRequest) -> (Vec<TokenOutput>, Vec<TokenOutput>) {
    let mut tokens = request.prompt.to_vec();
    let (mut before, mut seen) = (0, 0);
    let mut scores = Vec::new();
    let mut generated = Vec::new();
    let mut position = 0;
    loop {
        while position < tokens.len() {
            before = entry(before, tokens[position], position);
            seen = see(seen, before);
            if position + 1 < request.prompt.len() && request.prompt_logprobs.is_some() {
                scores.push(scored(seen, tokens[position + 1]));
            }
            position += 1;
        }
        if generated.len() == request.max_tokens {
            return (scores, generated);
        }
        let banned = generated.len() < request.min_tokens;
        let output = sampled(
            seen,
            &SampleRequest {
                params: &request.sampling,
                prompt: &request.prompt,
                generated: &tokens[request.prompt.len()..],
                banned: if banned { &request.stop_token_ids } else { &[] },
                constraint: None,
            },
        );
        if request.stop_token_ids.contains(&output.id) {
            return (scores, generated);
        }
        tokens.push(output.id);
        generated.push(output);
    }
}

fn entry(before: u64, token: u32, position: usize) -> u64 {
    mix(before ^ mix(u64::from(token) << 32 | position as u64))
}

fn see(seen: u64, entry: u64) -> u64 {
    mix(seen.rotate_left(7) ^ entry)
}

fn scored(seen: u64, target: u32) -> TokenOutput {
    let bits = mix(seen ^ u64::from(target)) >> 44;
    TokenOutput {
        id: target,
        logprob: -(bits as f32) / 1024.0,
        top: Vec::new(),
    }
}

fn sampled(seen: u64, request: &SampleRequest<'_>) -> TokenOutput {
    let params = request.params;
    let draw = mix(params.seed ^ u64::from(params.choice) << 48 ^ request.generated.len() as u64);
    let mut id = (mix(seen ^ draw) % u64::from(VOCAB)) as u32;
    while request.banned.contains(&id) {
        id = (id + 1) % VOCAB;
    }
    scored(seen, id)
}
