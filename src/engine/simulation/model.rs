//! A model whose next token is a hash of everything that the sequence can see in the KV
//! cache: a wrong, stale or foreign block changes the answer.

use super::random::mix;
use crate::engine::{
    ItemOutput, KvGroup, SampleRequest, SequenceRequest, StepItem, StepOutput, TokenOutput,
};
use std::ops::RangeInclusive;

pub const VOCAB: u32 = 40;

/// What a slot holds that was never written.
const UNWRITTEN: u64 = 0xBAD0_BAD0_BAD0_BAD0;

pub struct HashModel {
    block_size: usize,
    groups: Vec<KvGroup>,
    /// Of each group.
    slots: Vec<Vec<u64>>,
}

impl HashModel {
    pub fn new(block_size: usize, groups: &[KvGroup]) -> Self {
        let slots = |group: &KvGroup| vec![UNWRITTEN; block_size * group.num_blocks];
        Self {
            block_size,
            groups: groups.to_vec(),
            slots: groups.iter().map(slots).collect(),
        }
    }

    /// Computes a step as hardware would: everything is written, then everything is read.
    pub fn execute(&mut self, step: &[StepItem<'_>]) -> StepOutput {
        for item in step {
            for (index, token) in item.tokens.iter().enumerate() {
                let position = item.start + index;
                for (group, KvGroup { window, .. }) in self.groups.iter().enumerate() {
                    let before = match *seen_from(position, *window).start() {
                        start if start == position => 0,
                        _ => self.slots[group][self.slot(item, group, position - 1)],
                    };
                    let slot = self.slot(item, group, position);
                    self.slots[group][slot] = entry(before, *token, position);
                }
            }
        }
        let items = step.iter().map(|item| self.output(item)).collect();
        StepOutput { items }
    }

    fn output(&self, item: &StepItem<'_>) -> ItemOutput {
        let slot =
            |group: usize, position: usize| self.slots[group][self.slot(item, group, position)];
        let mut sight = Sight::new(&self.groups);
        for position in 0..item.start {
            sight.pass(position, slot);
        }
        let mut output = ItemOutput::default();
        let mut seen = 0;
        for (index, _) in item.tokens.iter().enumerate() {
            seen = sight.see(item.start + index, slot);
            if let Some(target) = item.score.and_then(|score| score.targets.get(index)) {
                output.scored.push(scored(seen, *target));
            }
        }
        output.sampled = item.sample.map(|request| Ok(sampled(seen, &request)));
        output
    }

    fn slot(&self, item: &StepItem<'_>, group: usize, position: usize) -> usize {
        let block = item.block_tables[group][position / self.block_size] as usize;
        block * self.block_size + position % self.block_size
    }
}

/// What a request must report when nothing is beside it: scored prompt tokens, then
/// generated ones, computed without blocks, steps or caches.
pub fn reference(
    request: &SequenceRequest,
    groups: &[KvGroup],
) -> (Vec<TokenOutput>, Vec<TokenOutput>) {
    let mut tokens = request.prompt.to_vec();
    let mut entries: Vec<Vec<u64>> = vec![Vec::new(); groups.len()];
    let mut sight = Sight::new(groups);
    let mut seen = 0;
    let mut scores = Vec::new();
    let mut generated = Vec::new();
    let mut position = 0;
    loop {
        while position < tokens.len() {
            for (entries, KvGroup { window, .. }) in entries.iter_mut().zip(groups) {
                let sees_itself_alone = *seen_from(position, *window).start() == position;
                let before = entries.last().filter(|_| !sees_itself_alone);
                let entry = entry(before.copied().unwrap_or(0), tokens[position], position);
                entries.push(entry);
            }
            seen = sight.see(position, |group, position| entries[group][position]);
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

/// The positions that the token at `position` sees.
pub fn seen_from(position: usize, window: Option<usize>) -> RangeInclusive<usize> {
    let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
    first..=position
}

/// What the tokens of one sequence see, one after another.
struct Sight<'a> {
    groups: &'a [KvGroup],
    /// Of each group without window, a hash of all entries up to here.
    passed: Vec<u64>,
}

impl<'a> Sight<'a> {
    fn new(groups: &'a [KvGroup]) -> Self {
        Self {
            groups,
            passed: vec![0; groups.len()],
        }
    }

    /// Goes past a token that was computed before.
    fn pass(&mut self, position: usize, slot: impl Fn(usize, usize) -> u64) {
        let groups = self.groups.iter().zip(&mut self.passed).enumerate();
        for (group, (_, passed)) in groups.filter(|(_, (group, _))| group.window.is_none()) {
            *passed = fold(*passed, slot(group, position));
        }
    }

    /// A hash of all entries that the next token sees, which is at `position`.
    fn see(&mut self, position: usize, slot: impl Fn(usize, usize) -> u64) -> u64 {
        self.pass(position, &slot);
        let groups = self.groups.iter().zip(&self.passed).enumerate();
        groups.fold(0, |seen, (index, (group, passed))| match group.window {
            None => fold(seen, *passed),
            window => seen_from(position, window)
                .fold(seen, |seen, position| fold(seen, slot(index, position))),
        })
    }
}

fn fold(seen: u64, entry: u64) -> u64 {
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
