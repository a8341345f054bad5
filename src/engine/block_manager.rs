/// Hands out KV blocks, one pool for each KV group.
///
/// Free and used blocks are disjoint and sum to all; a block has one owner.
#[derive(Debug)]
pub struct BlockManager {
    block_size: usize,
    groups: Vec<BlockPool>,
}

#[derive(Debug)]
struct BlockPool {
    num_blocks: usize,
    free: Vec<u32>,
}

/// The blocks of one sequence in one group, in the order of its positions.
pub type BlockTable = Vec<u32>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are not enough free KV blocks")]
pub struct OutOfBlocks;

impl BlockManager {
    /// `num_blocks` for each group; a block holds `block_size` tokens.
    pub fn new(block_size: usize, num_blocks: &[usize]) -> Self {
        let groups = num_blocks
            .iter()
            // Popped from the end, so that the first blocks are used first.
            .map(|&num_blocks| BlockPool {
                num_blocks,
                free: (0..num_blocks as u32).rev().collect(),
            })
            .collect();
        Self { block_size, groups }
    }

    pub fn num_groups(&self) -> usize {
        self.groups.len()
    }

    pub fn num_blocks(&self) -> usize {
        self.groups.iter().map(|group| group.num_blocks).sum()
    }

    pub fn num_used(&self) -> usize {
        self.groups
            .iter()
            .map(|group| group.num_blocks - group.free.len())
            .sum()
    }

    /// Whether empty tables could grow to `num_tokens` and leave `spare` blocks free.
    pub fn could_hold(&self, num_tokens: usize, spare: usize) -> bool {
        let needed = num_tokens.div_ceil(self.block_size) + spare;
        self.groups.iter().all(|group| group.free.len() >= needed)
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
            .any(|(group, table)| group.free.len() < missing(table))
        {
            return Err(OutOfBlocks);
        }
        for (group, table) in self.groups.iter_mut().zip(tables) {
            let rest = group.free.len() - missing(table);
            table.extend(group.free.drain(rest..).rev());
        }
        Ok(())
    }

    /// Takes every block back and leaves the tables empty.
    pub fn release(&mut self, tables: &mut [BlockTable]) {
        for (group, table) in self.groups.iter_mut().zip(tables) {
            group.free.extend(table.drain(..).rev());
            debug_assert!(
                group.free.len() <= group.num_blocks,
                "a block was freed twice"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn check_blocks(manager: &BlockManager, sequences: &[Vec<BlockTable>]) {
        for (index, group) in manager.groups.iter().enumerate() {
            let mut seen = BTreeSet::new();
            let used = sequences.iter().flat_map(|tables| &tables[index]);
            for block in group.free.iter().chain(used) {
                assert!(
                    (*block as usize) < group.num_blocks && seen.insert(*block),
                    "block {block} is in two places"
                );
            }
            assert_eq!(seen.len(), group.num_blocks, "a block is lost");
        }
    }

    proptest! {
        #[test]
        fn blocks_are_neither_lost_nor_shared_over_any_interleaving(
            operations in prop::collection::vec((0usize..6, 0usize..40, any::<bool>()), 1..200),
        ) {
            let mut manager = BlockManager::new(4, &[13, 9]);
            let mut sequences: Vec<Vec<BlockTable>> = vec![vec![Vec::new(), Vec::new()]; 6];
            for (sequence, num_tokens, grow) in operations {
                let tables = &mut sequences[sequence];
                if grow {
                    let before = tables.clone();
                    match manager.grow(tables, num_tokens) {
                        Ok(()) => prop_assert!(tables.iter().all(|table| table.len() * 4 >= num_tokens)),
                        Err(OutOfBlocks) => {
                            prop_assert!(tables.iter().any(|table| table.len() * 4 < num_tokens));
                            prop_assert_eq!(&*tables, &before);
                        }
                    }
                } else {
                    manager.release(tables);
                }
                check_blocks(&manager, &sequences);
            }
            for tables in &mut sequences {
                manager.release(tables);
            }
            prop_assert_eq!(manager.num_used(), 0);
        }
    }
}
