use super::block_pool::BlockPool;
use super::faults::Faults;
use super::prefix::{BlockHash, Scope};

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
}

/// The blocks of one sequence in one group, in the order of its positions.
pub type BlockTable = Vec<u32>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are not enough free KV blocks")]
pub struct OutOfBlocks;

/// The full blocks of a sequence, as a cache knows them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefix<'a> {
    pub scope: Scope,
    /// One for each full block of `tokens`.
    pub hashes: &'a [BlockHash],
    pub tokens: &'a [u32],
}

impl BlockManager {
    /// `num_blocks` for each group; a block holds `block_size` tokens. At most `max_cached`
    /// blocks are kept for nobody.
    pub(super) fn new(
        block_size: usize,
        num_blocks: &[usize],
        max_cached: usize,
        faults: Faults,
    ) -> Self {
        let groups = num_blocks
            .iter()
            .map(|&num_blocks| BlockPool::new(num_blocks, max_cached, faults))
            .collect();
        Self { block_size, groups }
    }

    pub fn num_groups(&self) -> usize {
        self.groups.len()
    }

    pub fn num_blocks(&self) -> usize {
        self.groups.iter().map(|group| group.blocks.len()).sum()
    }

    /// Blocks that a sequence reads.
    pub fn num_used(&self) -> usize {
        self.num_blocks()
            - self
                .groups
                .iter()
                .map(BlockPool::num_available)
                .sum::<usize>()
    }

    /// Blocks that nobody reads and whose contents may be found again.
    pub fn num_cached(&self) -> usize {
        self.groups.iter().map(|group| group.cached.len()).sum()
    }

    /// Blocks that could be had at once, in the group that has fewest.
    pub fn num_available(&self) -> usize {
        let groups = self.groups.iter().map(BlockPool::num_available);
        groups.min().unwrap_or(0)
    }

    /// How many of the first blocks of `prefix`, at most `max_blocks`, every group holds.
    pub(super) fn num_found(&self, prefix: Prefix<'_>, max_blocks: usize) -> usize {
        let found = |group: &BlockPool| group.find(prefix, self.block_size, max_blocks).len();
        self.groups.iter().map(found).min().unwrap_or(0)
    }

    /// How many of the `num_found` first blocks of `prefix` nobody reads, in the group where
    /// it is most.
    pub(super) fn num_idle(&self, prefix: Prefix<'_>, num_found: usize) -> usize {
        let idle = |group: &BlockPool| {
            let found = group.find(prefix, self.block_size, num_found);
            found.iter().filter(|id| group.is_cached(**id)).count()
        };
        self.groups.iter().map(idle).max().unwrap_or(0)
    }

    /// What the tables of a sequence hold, in thousandths of a block: of a shared block only
    /// its part. In the group where it is most.
    pub fn num_held(&self, tables: &[BlockTable]) -> usize {
        let held = |(group, table): (&BlockPool, &BlockTable)| {
            let readers = table
                .iter()
                .map(|id| group.blocks[*id as usize].num_readers);
            readers.map(|n| 1000 / n.max(1) as usize).sum()
        };
        self.groups.iter().zip(tables).map(held).max().unwrap_or(0)
    }

    /// Blocks that nobody else reads, in the group where there are fewest.
    pub fn num_private(&self, tables: &[BlockTable]) -> usize {
        let private = |(group, table): (&BlockPool, &BlockTable)| {
            let readers = table
                .iter()
                .map(|id| group.blocks[*id as usize].num_readers);
            readers.filter(|n| *n == 1).count()
        };
        self.groups
            .iter()
            .zip(tables)
            .map(private)
            .min()
            .unwrap_or(0)
    }

    /// Fills empty tables with the `num_found` first blocks of `prefix` and others until
    /// they hold `num_tokens`, in all groups or in none; `spare` blocks stay available.
    pub(super) fn start(
        &mut self,
        tables: &mut [BlockTable],
        prefix: Prefix<'_>,
        num_found: usize,
        num_tokens: usize,
        spare: usize,
    ) -> Result<(), OutOfBlocks> {
        let block_size = self.block_size;
        let needed = num_tokens.div_ceil(block_size);
        let found: Vec<Vec<u32>> = self
            .groups
            .iter()
            .map(|group| group.find(prefix, block_size, num_found))
            .collect();
        let fits = self.groups.iter().zip(&found).all(|(group, found)| {
            let adopted = found.iter().filter(|id| group.is_cached(**id)).count();
            needed - found.len() + spare <= group.num_available() - adopted
        });
        if !fits {
            return Err(OutOfBlocks);
        }
        for ((group, found), table) in self.groups.iter_mut().zip(found).zip(tables.iter_mut()) {
            debug_assert!(table.is_empty(), "a sequence is started once");
            for id in found {
                group.adopt(id);
                table.push(id);
            }
        }
        self.grow(tables, num_tokens)
    }

    /// Grows the tables until they hold `num_tokens`, in all groups or in none.
    pub fn grow(
        &mut self,
        tables: &mut [BlockTable],
        num_tokens: usize,
    ) -> Result<(), OutOfBlocks> {
        let needed = num_tokens.div_ceil(self.block_size);
        let missing = |table: &BlockTable| needed.saturating_sub(table.len());
        if self
            .groups
            .iter()
            .zip(tables.iter())
            .any(|(group, table)| group.num_available() < missing(table))
        {
            return Err(OutOfBlocks);
        }
        for (group, table) in self.groups.iter_mut().zip(tables) {
            for _ in 0..missing(table) {
                table.extend(group.take());
            }
        }
        Ok(())
    }

    /// Offers the computed block `index` of a sequence to others. Where another sequence has
    /// published the same contents before, the table takes that block, so that whoever reads
    /// a block also reads all before it.
    pub(super) fn publish(&mut self, tables: &mut [BlockTable], prefix: Prefix<'_>, index: usize) {
        let range = index * self.block_size..(index + 1) * self.block_size;
        // A planted bug publishes what is not there yet.
        let end = range.end.min(prefix.tokens.len());
        let tokens = &prefix.tokens[range.start..end];
        for (group, table) in self.groups.iter_mut().zip(tables) {
            group.publish(table, prefix, index, tokens);
        }
    }

    /// Gives back every block and leaves the tables empty. The last blocks go first, so that
    /// a block is never evicted before those that follow it.
    pub fn release(&mut self, tables: &mut [BlockTable]) {
        for (group, table) in self.groups.iter_mut().zip(tables) {
            for id in table.drain(..).rev() {
                group.release(id);
            }
        }
    }

    #[cfg(test)]
    pub fn num_readers(&self, block: u32) -> u32 {
        self.groups[0].blocks[block as usize].num_readers
    }

    /// Panics unless free, cached and used blocks are disjoint, sum to all and are read by
    /// exactly the sequences whose `tables` are given, one item a sequence.
    #[cfg(test)]
    pub fn check(&self, tables: &[&[BlockTable]]) {
        for (index, group) in self.groups.iter().enumerate() {
            let mut readers = vec![0u32; group.blocks.len()];
            for id in tables.iter().flat_map(|tables| &tables[index]) {
                readers[*id as usize] += 1;
            }
            let mut idle = vec![0; group.blocks.len()];
            for id in group.free.iter().chain(group.cached.values()) {
                idle[*id as usize] += 1;
            }
            for (id, block) in group.blocks.iter().enumerate() {
                assert_eq!(block.num_readers, readers[id], "readers of block {id}");
                let expected = u32::from(readers[id] == 0);
                assert_eq!(idle[id], expected, "block {id} of {} readers", readers[id]);
                if let Some(contents) = &block.contents {
                    assert_eq!(group.index.get(&contents.hash), Some(&(id as u32)));
                }
            }
            let num_known = group
                .blocks
                .iter()
                .filter(|block| block.contents.is_some())
                .count();
            assert_eq!(group.index.len(), num_known, "the index names other blocks");
        }
    }
}
