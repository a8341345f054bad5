//! How many blocks there are, and how many a sequence needs, of each group.

use super::{BlockManager, Found, SequenceBlocks, num_fallen};
use crate::engine::block_pool::BlockPool;
use crate::engine::faults::Bug;
use crate::engine::kv_group::NO_BLOCK;

impl BlockManager {
    /// Blocks of all groups.
    pub fn num_blocks(&self) -> usize {
        self.groups.iter().map(|pool| pool.blocks.len()).sum()
    }

    /// Blocks that a sequence reads, in all groups.
    pub fn num_used(&self) -> usize {
        self.num_blocks() - self.available().sum::<usize>()
    }

    /// Blocks that nobody reads and whose contents may be found again, in all groups.
    pub fn num_cached(&self) -> usize {
        self.groups.iter().map(|pool| pool.cached.len()).sum()
    }

    /// Blocks that could be had at once, for each group.
    pub(in crate::engine) fn available(&self) -> impl Iterator<Item = usize> {
        self.groups.iter().map(BlockPool::num_available)
    }

    /// Blocks that must be available in each group for a sequence of `num_tokens` to start and
    /// to get through all of them: those it takes, and those it finds that nobody reads.
    pub(in crate::engine) fn needed(&self, found: &Found, num_tokens: usize) -> Vec<usize> {
        let num_found = found.num_blocks;
        let num_new = num_tokens.div_ceil(self.block_size) - num_found;
        let of_group = |(index, pool): (usize, &BlockPool)| {
            let seen = self.first_seen(pool, num_found)..num_found;
            let ids = found.nodes[seen]
                .iter()
                .filter_map(|node| self.tree.block(*node, index));
            let num_idle = ids.filter(|id| pool.is_idle(*id)).count();
            match self.faults.has(Bug::CountPastWindow) {
                true => num_new + num_idle,
                false => (num_new + num_idle).min(pool.group.max_held(num_tokens, self.block_size)),
            }
        };
        self.groups.iter().enumerate().map(of_group).collect()
    }

    /// Blocks that a running sequence of `num_tokens` may still take in each group before it
    /// gives others back: those for its tokens, and a spare one.
    pub(in crate::engine) fn owed(
        &self,
        blocks: &SequenceBlocks,
        num_tokens: usize,
    ) -> impl Iterator<Item = usize> {
        let all = num_tokens.div_ceil(self.block_size) + 1;
        self.groups
            .iter()
            .zip(&blocks.tables)
            .map(move |(pool, table)| {
                let fallen = num_fallen(pool, table);
                let at_once = pool.group.max_held(usize::MAX, self.block_size);
                let most = all.saturating_sub(fallen).min(at_once);
                most.saturating_sub(table.len() - fallen)
            })
    }

    /// What a sequence holds in each group, in thousandths of a block: of a shared block only
    /// its part.
    pub(in crate::engine) fn held(&self, blocks: &SequenceBlocks) -> impl Iterator<Item = u64> {
        self.groups.iter().zip(&blocks.tables).map(|(pool, table)| {
            held(table)
                .map(|id| 1000 / u64::from(pool.block(id).num_readers.max(1)))
                .sum()
        })
    }

    /// Blocks of each group that this sequence reads and nobody else.
    pub(in crate::engine) fn private(
        &self,
        blocks: &SequenceBlocks,
    ) -> impl Iterator<Item = usize> {
        self.groups.iter().zip(&blocks.tables).map(|(pool, table)| {
            held(table)
                .filter(|id| pool.block(*id).num_readers == 1)
                .count()
        })
    }

    /// Tokens for which a sequence has blocks in every group, or could have them now.
    pub(in crate::engine) fn room(&self, blocks: &SequenceBlocks) -> usize {
        let tables = blocks.tables.iter().zip(self.available());
        let most = tables.map(|(table, available)| (table.len() + available) * self.block_size);
        most.min().unwrap_or(0)
    }
}

/// The blocks that a table names, the last first.
fn held(table: &[u32]) -> impl Iterator<Item = u32> {
    let ids = table.iter().rev().copied();
    ids.take_while(|id| *id != NO_BLOCK)
}
