//! Which engines hold which beginnings of prompts, as far as their router has seen.

use crate::engine::Namespace;
use crate::engine::prefix::BlockHash;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The full blocks of prompts that were given to engines, at most so many.
///
/// What an engine evicts meanwhile is not known here. Where there is no place left, the namespace
/// with the most blocks loses what it used least recently: whoever has no more than its equal part
/// of the places loses nothing for what others ask.
#[derive(Debug)]
pub(super) struct HeldPrefixes {
    max_blocks: usize,
    num_blocks: usize,
    namespaces: HashMap<Namespace, Blocks>,
    by_size: BTreeSet<(usize, Namespace)>,
    /// Counts uses.
    clock: u64,
}

#[derive(Debug, Default)]
struct Blocks {
    known: HashMap<BlockHash, Block>,
    /// Each block by its last use. A block is always used later than those that follow it, so the
    /// first here has none behind it.
    by_use: BTreeMap<u64, BlockHash>,
}

#[derive(Debug, Default)]
struct Block {
    /// One bit for each engine that was given it.
    engines: u64,
    /// The same of those that were given a prompt of which it is the last full block.
    ended: u64,
    last_use: u64,
}

/// What one engine holds of a prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Holding {
    pub num_blocks: usize,
    /// The prompt goes on where an earlier one ended. So it has that one's answer in it as a rule,
    /// which the engine holds, too.
    pub goes_on: bool,
}

impl HeldPrefixes {
    pub fn new(max_blocks: usize) -> Self {
        Self {
            max_blocks,
            num_blocks: 0,
            namespaces: HashMap::new(),
            by_size: BTreeSet::new(),
            clock: 0,
        }
    }

    /// What each of `num_engines` engines holds of a prompt with these blocks.
    pub fn find(
        &self,
        namespace: Namespace,
        hashes: &[BlockHash],
        num_engines: usize,
    ) -> Vec<Holding> {
        let mut found = vec![Holding::default(); num_engines];
        let Some(blocks) = self.namespaces.get(&namespace) else {
            return found;
        };
        let mut holding_all = u64::MAX;
        for (hash, num_blocks) in hashes.iter().zip(1..) {
            let Some(block) = blocks.known.get(hash) else {
                break;
            };
            holding_all &= block.engines;
            for (engine, found) in found.iter_mut().enumerate() {
                if holding_all & bit(engine) != 0 {
                    *found = Holding {
                        num_blocks,
                        goes_on: block.ended & bit(engine) != 0,
                    };
                }
            }
        }
        found
    }

    /// Notes that an engine was given a prompt with these blocks.
    pub fn note(&mut self, namespace: Namespace, hashes: &[BlockHash], engine: usize) {
        // What follows would push out what stands before it.
        let hashes = &hashes[..hashes.len().min(self.max_blocks)];
        if hashes.is_empty() {
            return;
        }
        let blocks = self.namespaces.entry(namespace).or_default();
        let num_before = blocks.known.len();
        for (index, hash) in hashes.iter().enumerate().rev() {
            self.clock += 1;
            let block = blocks.known.entry(*hash).or_default();
            blocks.by_use.remove(&block.last_use);
            block.last_use = self.clock;
            block.engines |= bit(engine);
            if index + 1 == hashes.len() {
                block.ended |= bit(engine);
            }
            blocks.by_use.insert(self.clock, *hash);
        }
        let num_after = blocks.known.len();
        self.num_blocks += num_after - num_before;
        self.by_size.remove(&(num_before, namespace));
        self.by_size.insert((num_after, namespace));
        while self.num_blocks > self.max_blocks {
            self.drop_one();
        }
    }

    /// Forgets what an engine held.
    pub fn forget(&mut self, engine: usize) {
        self.by_size.clear();
        self.num_blocks = 0;
        self.namespaces.retain(|namespace, blocks| {
            let Blocks { known, by_use } = blocks;
            known.retain(|_, block| {
                block.engines &= !bit(engine);
                block.ended &= !bit(engine);
                if block.engines == 0 {
                    by_use.remove(&block.last_use);
                }
                block.engines != 0
            });
            self.num_blocks += known.len();
            if !known.is_empty() {
                self.by_size.insert((known.len(), *namespace));
            }
            !known.is_empty()
        });
    }

    fn drop_one(&mut self) {
        let Some((size, namespace)) = self.by_size.pop_last() else {
            return;
        };
        self.num_blocks -= 1;
        if size == 1 {
            self.namespaces.remove(&namespace);
            return;
        }
        self.by_size.insert((size - 1, namespace));
        if let Some(blocks) = self.namespaces.get_mut(&namespace)
            && let Some((_, hash)) = blocks.by_use.pop_first()
        {
            blocks.known.remove(&hash);
        }
    }
}

fn bit(engine: usize) -> u64 {
    1 << engine
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::faults::Faults;
    use crate::engine::prefix::{BlockHasher, Scope};

    const A: Namespace = Namespace(1);
    const B: Namespace = Namespace(2);

    /// The blocks of four tokens of the prompt `first`, `first` + 1, …
    fn prompt(namespace: Namespace, first: u32, num_blocks: u32) -> Vec<BlockHash> {
        let tokens: Vec<u32> = (first..first + 4 * num_blocks).collect();
        let mut hashes = Vec::new();
        let scope = Scope::Namespace(namespace);
        BlockHasher::new([3; 32], Faults::default()).extend(&mut hashes, scope, &tokens, 4);
        hashes
    }

    fn blocks(held: &HeldPrefixes, namespace: Namespace, hashes: &[BlockHash]) -> [usize; 2] {
        let found = held.find(namespace, hashes, 2);
        [found[0].num_blocks, found[1].num_blocks]
    }

    fn check(held: &HeldPrefixes) {
        assert!(held.num_blocks <= held.max_blocks);
        let sizes = held.namespaces.iter().map(|(n, b)| (b.known.len(), *n));
        assert_eq!(held.by_size, sizes.collect());
        let sizes = held.by_size.iter().map(|(size, _)| size);
        assert_eq!(held.num_blocks, sizes.sum::<usize>());
        for blocks in held.namespaces.values() {
            assert_eq!(blocks.known.len(), blocks.by_use.len());
            for (used, hash) in &blocks.by_use {
                assert_eq!(blocks.known[hash].last_use, *used);
            }
        }
    }

    #[test]
    fn each_engine_holds_the_beginning_that_it_was_given() {
        let mut held = HeldPrefixes::new(100);
        let long = prompt(A, 0, 5);
        held.note(A, &long[..2], 0);
        held.note(A, &long[..4], 1);
        assert_eq!(blocks(&held, A, &long), [2, 4]);
        assert_eq!(blocks(&held, A, &prompt(A, 1, 5)), [0, 0]);
        check(&held);
    }

    #[test]
    fn the_same_tokens_of_another_namespace_are_no_match() {
        let mut held = HeldPrefixes::new(100);
        held.note(A, &prompt(A, 0, 3), 0);
        assert_eq!(blocks(&held, B, &prompt(B, 0, 3)), [0, 0]);
        assert_eq!(blocks(&held, B, &prompt(A, 0, 3)), [0, 0]);
    }

    #[test]
    fn a_prompt_goes_on_only_where_one_of_the_same_engine_ended() {
        let mut held = HeldPrefixes::new(100);
        let long = prompt(A, 0, 6);
        held.note(A, &long[..3], 0);
        held.note(A, &long[..2], 1);
        held.note(A, &[&long[..2], &prompt(A, 50, 1)].concat(), 1);
        let goes_on = |hashes: &[BlockHash]| {
            let found = held.find(A, hashes, 2);
            [found[0].goes_on, found[1].goes_on]
        };
        assert_eq!(goes_on(&long), [true, true]);
        let other = [&long[..2], &prompt(A, 70, 2)].concat();
        assert_eq!(goes_on(&other), [false, true]);
        assert_eq!(goes_on(&long[..1]), [false, false]);
    }

    #[test]
    fn what_was_used_least_recently_goes_first_and_its_end_before_its_beginning() {
        let mut held = HeldPrefixes::new(6);
        let (old, new) = (prompt(A, 0, 3), prompt(A, 100, 3));
        held.note(A, &old, 0);
        held.note(A, &new, 0);
        held.note(A, &prompt(A, 200, 2), 1);
        assert_eq!(blocks(&held, A, &old), [1, 0]);
        held.note(A, &old[..1], 0);
        held.note(A, &prompt(A, 300, 2), 1);
        assert_eq!(blocks(&held, A, &old), [1, 0], "it was used again");
        assert_eq!(blocks(&held, A, &new), [1, 0]);
        check(&held);
    }

    #[test]
    fn a_flood_of_one_namespace_takes_no_more_than_its_part_from_another() {
        let mut held = HeldPrefixes::new(10);
        let mine = prompt(A, 0, 5);
        held.note(A, &mine, 1);
        for first in 0..100 {
            held.note(B, &prompt(B, 1000 * first, 1 + first % 7), 0);
            check(&held);
            assert_eq!(blocks(&held, A, &mine), [0, 5]);
        }
        // Alone it may have all.
        let mut held = HeldPrefixes::new(10);
        let all = prompt(B, 0, 10);
        held.note(B, &all, 0);
        assert_eq!(blocks(&held, B, &all), [10, 0]);
        held.note(A, &mine, 1);
        assert_eq!(blocks(&held, B, &all), [5, 0]);
    }

    #[test]
    fn a_prompt_that_is_longer_than_the_memory_is_known_by_its_beginning() {
        let mut held = HeldPrefixes::new(4);
        let long = prompt(A, 0, 9);
        held.note(A, &long, 1);
        assert_eq!(blocks(&held, A, &long), [0, 4]);
        check(&held);
    }

    #[test]
    fn of_an_engine_that_is_forgotten_nothing_is_left() {
        let mut held = HeldPrefixes::new(100);
        let (long, other) = (prompt(A, 0, 4), prompt(B, 0, 2));
        held.note(A, &long, 0);
        held.note(A, &long[..2], 1);
        held.note(B, &other, 0);
        held.forget(0);
        assert_eq!(blocks(&held, A, &long), [0, 2]);
        assert_eq!(blocks(&held, B, &other), [0, 0]);
        assert_eq!(held.num_blocks, 2);
        check(&held);
    }
}
