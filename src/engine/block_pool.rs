//! The blocks of one KV group: who reads them, what they hold, which may be taken.

use super::block_manager::{BlockTable, Prefix};
use super::faults::{Bug, Faults};
use super::prefix::{BlockHash, Scope};
use std::collections::{BTreeMap, HashMap};

#[derive(Debug)]
pub(super) struct BlockPool {
    pub blocks: Vec<Block>,
    /// Blocks without contents.
    pub free: Vec<u32>,
    /// Blocks that nobody reads, by the time since when: the least recently used first.
    pub cached: BTreeMap<u64, u32>,
    pub max_cached: usize,
    pub index: HashMap<BlockHash, u32>,
    /// Counts releases and contents: gives each a number of its own.
    pub clock: u64,
    pub faults: Faults,
}

#[derive(Debug, Default)]
pub(super) struct Block {
    pub num_readers: u32,
    pub contents: Option<Contents>,
    /// Its key in `cached`, while it is there.
    pub released_at: u64,
}

/// What a published block holds.
#[derive(Debug)]
pub(super) struct Contents {
    /// Names these contents; never used twice.
    pub id: u64,
    pub hash: BlockHash,
    pub scope: Scope,
    /// The contents before these.
    pub parent: Option<u64>,
    pub tokens: Box<[u32]>,
}

impl BlockPool {
    pub fn new(num_blocks: usize, max_cached: usize, faults: Faults) -> Self {
        Self {
            blocks: (0..num_blocks).map(|_| Block::default()).collect(),
            // Popped from the end, so that the first blocks are used first.
            free: (0..num_blocks as u32).rev().collect(),
            cached: BTreeMap::new(),
            max_cached,
            index: HashMap::new(),
            clock: 0,
            faults,
        }
    }

    pub fn num_available(&self) -> usize {
        self.free.len() + self.cached.len()
    }

    pub fn is_cached(&self, id: u32) -> bool {
        self.blocks[id as usize].num_readers == 0
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// The blocks that hold the beginning of `prefix`.
    pub fn find(&self, prefix: Prefix<'_>, block_size: usize, max_blocks: usize) -> Vec<u32> {
        let mut found = Vec::new();
        let mut parent = None;
        let blocks = prefix.hashes.iter().zip(prefix.tokens.chunks(block_size));
        for (hash, tokens) in blocks.take(max_blocks) {
            let Some(&id) = self.index.get(hash) else {
                break;
            };
            let Some(contents) = &self.blocks[id as usize].contents else {
                break;
            };
            if !self.holds(contents, prefix.scope, parent, tokens) {
                break;
            }
            parent = Some(contents.id);
            found.push(id);
        }
        found
    }

    /// Hashes only find candidates: what counts is the same scope, tokens and contents before.
    fn holds(
        &self,
        contents: &Contents,
        scope: Scope,
        parent: Option<u64>,
        tokens: &[u32],
    ) -> bool {
        self.faults.has(Bug::TrustHash)
            || (contents.scope == scope || self.faults.has(Bug::IgnoreNamespace))
                && (contents.parent == parent || self.faults.has(Bug::IgnoreParent))
                && (*contents.tokens == *tokens)
    }

    pub fn publish(
        &mut self,
        table: &mut BlockTable,
        prefix: Prefix<'_>,
        index: usize,
        tokens: &[u32],
    ) {
        let id = table[index];
        if self.blocks[id as usize].contents.is_some() {
            return;
        }
        let before = index.checked_sub(1).map(|index| table[index]);
        let parent = match before {
            None => None,
            Some(before) => match &self.blocks[before as usize].contents {
                Some(contents) => Some(contents.id),
                // What comes before is not to be found, so neither could this be.
                None => return,
            },
        };
        let hash = prefix.hashes[index];
        if let Some(&other) = self.index.get(&hash) {
            let contents = self.blocks[other as usize].contents.as_ref();
            let same = |contents: &Contents| self.holds(contents, prefix.scope, parent, tokens);
            // After a collision the first stays.
            if contents.is_some_and(same) {
                self.adopt(other);
                table[index] = other;
                self.release(id);
            }
            return;
        }
        self.index.insert(hash, id);
        let contents = Contents {
            id: self.tick(),
            hash,
            scope: prefix.scope,
            parent,
            tokens: tokens.into(),
        };
        self.blocks[id as usize].contents = Some(contents);
    }

    pub fn adopt(&mut self, id: u32) {
        let block = &mut self.blocks[id as usize];
        if block.num_readers == 0 && !self.faults.has(Bug::EvictReferenced) {
            self.cached.remove(&block.released_at);
        }
        if !self.faults.has(Bug::ForgetReader) || block.num_readers == 0 {
            block.num_readers += 1;
        }
    }

    pub fn release(&mut self, id: u32) {
        let now = self.tick();
        let block = &mut self.blocks[id as usize];
        debug_assert!(block.num_readers > 0, "block {id} was freed twice");
        block.num_readers = block.num_readers.saturating_sub(1);
        if block.num_readers > 0 {
            return;
        }
        if block.contents.is_none() {
            self.free.push(id);
            return;
        }
        block.released_at = now;
        self.cached.insert(now, id);
        while self.cached.len() > self.max_cached
            && let Some(id) = self.evict()
        {
            self.free.push(id);
        }
    }

    /// A block for new contents: a free one, or the cached one that was used least recently.
    pub fn take(&mut self) -> Option<u32> {
        let id = self.free.pop().or_else(|| self.evict())?;
        self.blocks[id as usize].num_readers = 1;
        Some(id)
    }

    fn evict(&mut self) -> Option<u32> {
        let (_, id) = self.cached.pop_first()?;
        let contents = self.blocks[id as usize].contents.take();
        if let Some(contents) = contents
            && !self.faults.has(Bug::KeepEvictedInIndex)
        {
            self.index.remove(&contents.hash);
        }
        Some(id)
    }
}
