//! Blocks that more than one sequence reads: finding, offering and forgetting them.

use super::{BlockManager, SequenceBlocks};
use crate::engine::faults::Bug;
use crate::engine::kv_group::NO_BLOCK;
use crate::engine::prefix::{BlockHash, Scope};
use crate::engine::prefix_tree::NodeId;

/// The full blocks of a sequence, as a cache knows them.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Prefix<'a> {
    pub scope: Scope,
    /// One for each full block of `tokens`.
    pub hashes: &'a [BlockHash],
    pub tokens: &'a [u32],
}

/// As far as others may find the blocks of a sequence.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    #[default]
    Nothing,
    UpTo(NodeId),
    /// One of its blocks cannot be found, because the hash is that of other contents, and so
    /// none can that follows.
    NoMore,
}

/// What the cache has of the beginning of a sequence.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Found {
    /// Of each block that it knows, in some group or in none any more.
    pub(super) nodes: Vec<NodeId>,
    /// So many of the first blocks need not be computed: each group has all of them that a
    /// token behind them sees.
    pub num_blocks: usize,
}

impl Found {
    /// Blocks whose tokens are known, though a group may have lost what is needed of them.
    pub fn num_known(&self) -> usize {
        self.nodes.len()
    }
}

impl BlockManager {
    /// What the cache has of the first blocks of `prefix`, at most `max_blocks`.
    pub(in crate::engine) fn find(&self, prefix: Prefix<'_>, max_blocks: usize) -> Found {
        let nodes = self.tree.find(prefix, self.block_size, max_blocks);
        let mut num_blocks = 0;
        // For each group, how many blocks in a row it has up to here.
        let mut in_a_row = vec![0; self.groups.len()];
        for (node, num_known) in nodes.iter().zip(1..) {
            let position = num_known * self.block_size;
            let mut fits = true;
            for (index, pool) in self.groups.iter().enumerate() {
                in_a_row[index] = match self.tree.block(*node, index) {
                    Some(_) => in_a_row[index] + 1,
                    None => 0,
                };
                let needed = num_known - pool.group.first_seen(position, self.block_size);
                fits &= in_a_row[index] >= needed
                    || pool.group.window.is_some() && self.faults.has(Bug::HitWithoutWindow);
            }
            if fits {
                num_blocks = num_known;
            }
        }
        Found { nodes, num_blocks }
    }

    /// Offers the computed block `index` of a sequence, the first that it has not offered yet,
    /// to others. Where a group has a block with the same contents already, the table takes
    /// that one, so that in a group without window whoever reads a block also reads all before
    /// it.
    pub(in crate::engine) fn publish(
        &mut self,
        blocks: &mut SequenceBlocks,
        prefix: Prefix<'_>,
        index: usize,
    ) {
        let before = match blocks.published {
            Published::Nothing => None,
            Published::UpTo(node) => Some(node),
            Published::NoMore => return,
        };
        let range = index * self.block_size..(index + 1) * self.block_size;
        // A planted bug publishes what is not there yet.
        let end = range.end.min(prefix.tokens.len());
        let tokens = &prefix.tokens[range.start..end];
        let node = self
            .tree
            .insert(before, prefix.hashes[index], prefix.scope, tokens);
        blocks.published = node.map_or(Published::NoMore, Published::UpTo);
        if let Some(node) = node {
            self.tree.retain(node);
            for (group, table) in blocks.tables.iter_mut().enumerate() {
                self.offer(group, table, index, node);
            }
        }
        if let Some(before) = before {
            self.tree.let_go(before);
        }
    }

    fn offer(&mut self, group: usize, table: &mut [u32], index: usize, node: NodeId) {
        let entry = table.get_mut(index).filter(|id| **id != NO_BLOCK);
        // What was computed just now is there.
        let Some(entry) = entry else { return };
        match self.tree.block(node, group) {
            None => {
                self.tree.set_block(node, group, Some(*entry));
                self.groups[group].set_node(*entry, node);
            }
            Some(other) if other == *entry => {}
            Some(other) => {
                self.groups[group].adopt(other);
                let own = std::mem::replace(entry, other);
                self.release_block(group, own);
            }
        }
    }

    /// Takes a cached block from those who might have found it. What other groups have of a
    /// node is of no use without the blocks of groups that have no window.
    pub(super) fn evict(&mut self, group: usize) -> Option<u32> {
        let (id, node) = self.groups[group].evict()?;
        if let Some(node) = node
            && !self.faults.has(Bug::KeepEvictedInIndex)
        {
            self.tree.set_block(node, group, None);
            if self.groups[group].group.window.is_none() {
                for (index, pool) in self.groups.iter_mut().enumerate() {
                    if let Some(id) = self.tree.block(node, index) {
                        self.tree.set_block(node, index, None);
                        pool.forget(id);
                    }
                }
            }
            self.tree.prune(node);
        }
        Some(id)
    }
}
