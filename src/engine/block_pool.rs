//! The blocks of one KV group: who reads them, and which may be taken.

use super::faults::{Bug, Faults};
use super::kv_group::KvGroup;
use super::prefix_tree::NodeId;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct BlockPool {
    pub group: KvGroup,
    pub blocks: Vec<Block>,
    /// Blocks without known contents.
    pub free: Vec<u32>,
    /// Blocks that nobody reads, by the time since when: the least recently used first.
    pub cached: BTreeMap<u64, u32>,
    max_cached: usize,
    num_releases: u64,
    faults: Faults,
}

#[derive(Debug, Default)]
pub(super) struct Block {
    pub num_readers: u32,
    /// What it holds, if others may find it.
    pub node: Option<NodeId>,
    /// Its key in `cached`, while it is there.
    released_at: u64,
}

impl BlockPool {
    pub fn new(group: KvGroup, max_cached: usize, faults: Faults) -> Self {
        Self {
            group,
            blocks: (0..group.num_blocks).map(|_| Block::default()).collect(),
            // Popped from the end, so that the first blocks are used first.
            free: (0..group.num_blocks as u32).rev().collect(),
            cached: BTreeMap::new(),
            max_cached,
            num_releases: 0,
            faults,
        }
    }

    pub fn block(&self, id: u32) -> &Block {
        &self.blocks[id as usize]
    }

    pub fn num_available(&self) -> usize {
        self.free.len() + self.cached.len()
    }

    /// Whether nobody reads a block.
    pub fn is_idle(&self, id: u32) -> bool {
        self.block(id).num_readers == 0
    }

    /// Whether more blocks are kept for nobody than should be.
    pub fn is_overfull(&self) -> bool {
        self.cached.len() > self.max_cached
    }

    pub fn set_node(&mut self, id: u32, node: NodeId) {
        self.blocks[id as usize].node = Some(node);
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
        let block = &mut self.blocks[id as usize];
        debug_assert!(block.num_readers > 0, "block {id} was freed twice");
        block.num_readers = block.num_readers.saturating_sub(1);
        if block.num_readers > 0 {
            return;
        }
        if block.node.is_none() {
            self.free.push(id);
            return;
        }
        self.num_releases += 1;
        block.released_at = self.num_releases;
        self.cached.insert(block.released_at, id);
    }

    /// Hands out a block that nobody has.
    pub fn give(&mut self, id: u32) -> u32 {
        self.blocks[id as usize].num_readers = 1;
        id
    }

    /// Takes the cached block that was used least recently, and what it held.
    pub fn evict(&mut self) -> Option<(u32, Option<NodeId>)> {
        let (_, id) = self.cached.pop_first()?;
        Some((id, self.blocks[id as usize].node.take()))
    }

    /// Forgets what a block holds; a cached one is free then.
    pub fn forget(&mut self, id: u32) {
        let block = &mut self.blocks[id as usize];
        block.node = None;
        if block.num_readers == 0 {
            self.cached.remove(&block.released_at);
            self.free.push(id);
        }
    }
}
