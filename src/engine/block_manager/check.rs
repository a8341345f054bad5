//! What must hold of all blocks at any time between two steps.

use super::sharing::Published;
use super::{BlockManager, SequenceBlocks};
use crate::engine::kv_group::NO_BLOCK;

impl BlockManager {
    pub(in crate::engine) fn num_readers(&self, group: usize, block: u32) -> u32 {
        self.groups[group].block(block).num_readers
    }

    /// Panics unless in each group free, cached and used blocks are disjoint, sum to all and
    /// are read by exactly the sequences whose `blocks` are given, and the cache knows what it
    /// may find and nothing else.
    pub(in crate::engine) fn check(&self, blocks: &[&SequenceBlocks]) {
        for (index, pool) in self.groups.iter().enumerate() {
            let mut readers = vec![0u32; pool.blocks.len()];
            for table in blocks.iter().map(|blocks| &blocks.tables[index]) {
                let held = table.iter().skip_while(|id| **id == NO_BLOCK);
                for id in held {
                    assert_ne!(*id, NO_BLOCK, "a table with a hole in group {index}");
                    readers[*id as usize] += 1;
                }
            }
            let mut free = vec![0; pool.blocks.len()];
            let mut cached = vec![0; pool.blocks.len()];
            pool.free.iter().for_each(|id| free[*id as usize] += 1);
            pool.cached
                .values()
                .for_each(|id| cached[*id as usize] += 1);
            for (id, block) in pool.blocks.iter().enumerate() {
                let name = format!("block {id} of group {index}");
                assert_eq!(block.num_readers, readers[id], "readers of {name}");
                let is_idle = readers[id] == 0;
                let is_known = block.node.is_some();
                assert_eq!(free[id], u32::from(is_idle && !is_known), "free {name}");
                assert_eq!(cached[id], u32::from(is_idle && is_known), "cached {name}");
            }
        }
        self.check_tree(blocks);
    }

    fn check_tree(&self, blocks: &[&SequenceBlocks]) {
        let groups = || self.groups.iter().enumerate();
        for (node, group, id) in self.tree.blocks() {
            let named = self.groups[group].block(id).node;
            assert_eq!(named, Some(node), "block {id} of group {group} in the tree");
        }
        let known = groups().flat_map(|(_, pool)| &pool.blocks);
        let num_known = known.filter(|block| block.node.is_some()).count();
        let num_named = self.tree.blocks().count();
        assert_eq!(num_named, num_known, "blocks that the tree does not name");
        let kept = blocks.iter().filter_map(|blocks| match blocks.published {
            Published::UpTo(node) => Some(node),
            Published::Nothing | Published::NoMore => None,
        });
        let whole = groups().filter(|(_, pool)| pool.group.window.is_none());
        let whole: Vec<usize> = whole.map(|(index, _)| index).collect();
        self.tree.check(&kept.collect::<Vec<_>>(), &whole);
    }
}
