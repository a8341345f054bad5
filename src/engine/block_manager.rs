use super::block_pool::BlockPool;
use super::faults::{Bug, Faults};
use super::kv_group::{KvGroup, NO_BLOCK};
use super::prefix_tree::PrefixTree;

#[cfg(test)]
mod check;
mod demand;
mod sharing;
#[cfg(test)]
mod tests;

use sharing::Published;
pub(super) use sharing::{Found, Prefix};

/// Nodes of the prefix tree for each block, at most: where all groups have windows, a cached
/// block may keep the nodes of a whole context before it.
const MAX_NODES_PER_BLOCK: usize = 64;

/// Hands out KV blocks and finds those that already hold a prefix, one pool for each KV
/// group.
///
/// A block is free, cached (nobody reads it, but its contents are known) or used. The three
/// are disjoint and sum to all. Only blocks that are full and computed are ever shared, so
/// a shared block is never written.
#[derive(Debug)]
pub struct BlockManager {
    block_size: usize,
    groups: Vec<BlockPool>,
    tree: PrefixTree,
    faults: Faults,
}

/// The blocks of one sequence in one group, in the order of its positions; [`NO_BLOCK`] for
/// each that fell out of the window.
pub type BlockTable = Vec<u32>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are not enough free KV blocks")]
pub struct OutOfBlocks;

/// What a sequence holds.
#[derive(Debug, Default, Clone)]
pub struct SequenceBlocks {
    /// One for each KV group.
    pub tables: Vec<BlockTable>,
    published: Published,
}

impl SequenceBlocks {
    pub fn new(num_groups: usize) -> Self {
        Self {
            tables: vec![BlockTable::new(); num_groups],
            published: Published::Nothing,
        }
    }
}

impl BlockManager {
    /// A block holds `block_size` tokens. In each group at most `max_cached` blocks are kept
    /// for nobody.
    pub(super) fn new(
        block_size: usize,
        groups: &[KvGroup],
        max_cached: usize,
        faults: Faults,
    ) -> Self {
        let pools = groups
            .iter()
            .map(|group| BlockPool::new(*group, max_cached, faults));
        Self {
            block_size,
            groups: pools.collect(),
            tree: PrefixTree::new(groups.len(), faults),
            faults,
        }
    }

    pub fn num_groups(&self) -> usize {
        self.groups.len()
    }

    /// Gives a sequence that holds nothing the blocks of `found`, and in groups without window
    /// others until they hold `num_tokens`; in groups with one those come as it gets on. In
    /// all groups or in none; `spare` blocks of each stay available.
    pub(super) fn start(
        &mut self,
        blocks: &mut SequenceBlocks,
        found: &Found,
        num_tokens: usize,
        spare: &[usize],
    ) -> Result<(), OutOfBlocks> {
        let needed = self.needed(found, num_tokens);
        let fits = (self.available().zip(needed).zip(spare))
            .all(|((available, needed), spare)| needed + spare <= available);
        if !fits {
            return Err(OutOfBlocks);
        }
        let nodes = &found.nodes[..found.num_blocks];
        for (index, table) in blocks.tables.iter_mut().enumerate() {
            debug_assert!(table.is_empty(), "a sequence is started once");
            let first = self.first_seen(&self.groups[index], nodes.len());
            table.resize(first, NO_BLOCK);
            for node in &nodes[first..] {
                let id = self.tree.block(*node, index);
                // Only a planted bug finds a block that the group does not have.
                table.push(id.unwrap_or(NO_BLOCK));
                if let Some(id) = id {
                    self.groups[index].adopt(id);
                }
            }
        }
        if let Some(last) = nodes.last() {
            self.tree.retain(*last);
            blocks.published = Published::UpTo(*last);
        }
        for (index, table) in blocks.tables.iter_mut().enumerate() {
            if self.groups[index].group.window.is_none() {
                self.extend(index, table, num_tokens);
            }
        }
        Ok(())
    }

    /// Grows the tables until they hold `num_tokens`, in all groups or in none.
    pub(super) fn grow(
        &mut self,
        blocks: &mut SequenceBlocks,
        num_tokens: usize,
    ) -> Result<(), OutOfBlocks> {
        if self.room(blocks) < num_tokens {
            return Err(OutOfBlocks);
        }
        for (index, table) in blocks.tables.iter_mut().enumerate() {
            self.extend(index, table, num_tokens);
        }
        Ok(())
    }

    fn extend(&mut self, group: usize, table: &mut BlockTable, num_tokens: usize) {
        for _ in table.len()..num_tokens.div_ceil(self.block_size) {
            table.extend(self.take(group));
        }
    }

    /// Gives back what the tokens of a sequence from `position` on do not see.
    pub(super) fn slide(&mut self, blocks: &mut SequenceBlocks, position: usize) {
        if self.faults.has(Bug::KeepFallenOut) {
            return;
        }
        let early = match self.faults.has(Bug::FreeOneTooEarly) {
            true => self.block_size,
            false => 0,
        };
        for (index, table) in blocks.tables.iter_mut().enumerate() {
            let pool = &self.groups[index];
            let first = pool.group.first_seen(position + early, self.block_size);
            for place in num_fallen(pool, table)..first.min(table.len()) {
                let id = std::mem::replace(&mut table[place], NO_BLOCK);
                self.release_block(index, id);
            }
        }
    }

    /// Gives back every block and leaves the tables empty. The last blocks go first, so that
    /// in a group without window a block is never evicted before those that follow it.
    pub(super) fn release(&mut self, blocks: &mut SequenceBlocks) {
        for (index, table) in blocks.tables.iter_mut().enumerate() {
            while let Some(id) = table.pop().filter(|id| *id != NO_BLOCK) {
                self.release_block(index, id);
            }
            table.clear();
        }
        if let Published::UpTo(node) = std::mem::take(&mut blocks.published) {
            self.tree.let_go(node);
        }
    }

    fn release_block(&mut self, group: usize, id: u32) {
        self.groups[group].release(id);
        let max_nodes = MAX_NODES_PER_BLOCK * self.num_blocks();
        while (self.groups[group].is_overfull() || self.tree.len() > max_nodes)
            && let Some(id) = self.evict(group)
        {
            self.groups[group].free.push(id);
        }
    }

    /// A block for new contents: a free one, or the cached one that was used least recently.
    fn take(&mut self, group: usize) -> Option<u32> {
        let free = self.groups[group].free.pop();
        let id = free.or_else(|| self.evict(group))?;
        Some(self.groups[group].give(id))
    }

    /// The first of a sequence's `num_blocks` first blocks that the token behind them sees.
    fn first_seen(&self, pool: &BlockPool, num_blocks: usize) -> usize {
        let position = num_blocks * self.block_size;
        pool.group.first_seen(position, self.block_size)
    }
}

/// How many blocks of a table fell out of the window.
fn num_fallen(pool: &BlockPool, table: &[u32]) -> usize {
    match pool.group.window {
        None => 0,
        Some(_) => table.partition_point(|id| *id == NO_BLOCK),
    }
}
