//! What the prefix cache knows: the contents of full blocks, each behind what stands before
//! it. Knows no free blocks and nobody who reads one.

use super::block_manager::Prefix;
use super::faults::{Bug, Faults};
use super::prefix::{BlockHash, Scope};
use std::collections::HashMap;

/// Names a node for as long as there is something that needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(usize);

/// The tokens of a full block behind all that come before them, with the block of each KV
/// group that holds their keys and values.
///
/// A node stays while some group has a block of it, and while others stand behind it: where
/// windows have let go of the blocks before, it still says which tokens those held.
#[derive(Debug)]
struct Node {
    hash: BlockHash,
    scope: Scope,
    parent: Option<NodeId>,
    tokens: Box<[u32]>,
    /// One for each group.
    blocks: Box<[Option<u32>]>,
    /// Nodes right behind it, and sequences that go on from it.
    num_behind: u32,
}

impl Node {
    fn is_needless(&self) -> bool {
        self.num_behind == 0 && self.blocks.iter().all(Option::is_none)
    }
}

#[derive(Debug)]
pub(super) struct PrefixTree {
    num_groups: usize,
    /// None: the place is free.
    nodes: Vec<Option<Node>>,
    free: Vec<NodeId>,
    index: HashMap<BlockHash, NodeId>,
    faults: Faults,
}

impl PrefixTree {
    pub fn new(num_groups: usize, faults: Faults) -> Self {
        Self {
            num_groups,
            nodes: Vec::new(),
            free: Vec::new(),
            index: HashMap::new(),
            faults,
        }
    }

    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0)?.as_ref()
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0)?.as_mut()
    }

    /// The nodes of the first blocks of `prefix`, at most `max_blocks`, as far as they are
    /// known.
    pub fn find(&self, prefix: Prefix<'_>, block_size: usize, max_blocks: usize) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = Vec::new();
        let blocks = prefix.hashes.iter().zip(prefix.tokens.chunks(block_size));
        for (hash, tokens) in blocks.take(max_blocks) {
            let before = nodes.last().copied();
            let candidate = self.index.get(hash).copied();
            let holds = |id: &NodeId| self.holds(*id, prefix.scope, before, tokens);
            let Some(id) = candidate.filter(holds) else {
                break;
            };
            nodes.push(id);
        }
        nodes
    }

    /// Hashes only find candidates: what counts is the same scope, tokens and node before.
    fn holds(&self, id: NodeId, scope: Scope, parent: Option<NodeId>, tokens: &[u32]) -> bool {
        let Some(node) = self.node(id) else {
            return false;
        };
        self.faults.has(Bug::TrustHash)
            || (node.scope == scope || self.faults.has(Bug::IgnoreNamespace))
                && (node.parent == parent || self.faults.has(Bug::IgnoreParent))
                && *node.tokens == *tokens
    }

    /// The node of a block's tokens behind `parent`, made where there is none yet. None: other
    /// contents have the same hash, and the first stay.
    pub fn insert(
        &mut self,
        parent: Option<NodeId>,
        hash: BlockHash,
        scope: Scope,
        tokens: &[u32],
    ) -> Option<NodeId> {
        if let Some(&id) = self.index.get(&hash) {
            return self.holds(id, scope, parent, tokens).then_some(id);
        }
        if let Some(parent) = parent {
            self.retain(parent);
        }
        let id = self.free.pop().unwrap_or(NodeId(self.nodes.len()));
        if id.0 == self.nodes.len() {
            self.nodes.push(None);
        }
        self.nodes[id.0] = Some(Node {
            hash,
            scope,
            parent,
            tokens: tokens.into(),
            blocks: vec![None; self.num_groups].into(),
            num_behind: 0,
        });
        self.index.insert(hash, id);
        Some(id)
    }

    /// The block of a group that holds a node's keys and values.
    pub fn block(&self, id: NodeId, group: usize) -> Option<u32> {
        self.node(id)?.blocks[group]
    }

    pub fn set_block(&mut self, id: NodeId, group: usize, block: Option<u32>) {
        if let Some(node) = self.node_mut(id) {
            node.blocks[group] = block;
        }
    }

    /// Keeps a node for a sequence that goes on from it.
    pub fn retain(&mut self, id: NodeId) {
        if let Some(node) = self.node_mut(id) {
            node.num_behind += 1;
        }
    }

    /// Undoes one [`PrefixTree::retain`].
    pub fn let_go(&mut self, id: NodeId) {
        if let Some(node) = self.node_mut(id) {
            debug_assert!(node.num_behind > 0, "a node was let go of twice");
            node.num_behind = node.num_behind.saturating_sub(1);
        }
        self.prune(id);
    }

    /// Forgets a node that nothing needs any more, and those before it that it alone kept.
    pub fn prune(&mut self, id: NodeId) {
        let mut next = Some(id);
        while let Some(id) = next
            && self.node(id).is_some_and(Node::is_needless)
            && let Some(node) = self.nodes[id.0].take()
        {
            self.index.remove(&node.hash);
            self.free.push(id);
            next = node.parent;
            if let Some(parent) = next.and_then(|parent| self.node_mut(parent)) {
                parent.num_behind -= 1;
            }
        }
    }

    /// Every block that a node names, with its group.
    #[cfg(test)]
    pub fn blocks(&self) -> impl Iterator<Item = (NodeId, usize, u32)> {
        self.nodes().flat_map(|(id, node)| {
            let blocks = node.blocks.iter().enumerate();
            blocks.filter_map(move |(group, block)| Some((id, group, (*block)?)))
        })
    }

    #[cfg(test)]
    fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(id, node)| Some((NodeId(id), node.as_ref()?)))
    }

    /// Panics unless every node is found by its hash and is there for something, what stands
    /// behind it is counted, sequences by the nodes that they have in `kept`, and each group
    /// of `whole` has a block of each.
    #[cfg(test)]
    pub fn check(&self, kept: &[NodeId], whole: &[usize]) {
        let mut num_behind: HashMap<NodeId, u32> = HashMap::new();
        let parents = self.nodes().filter_map(|(_, node)| node.parent);
        for id in parents.chain(kept.iter().copied()) {
            assert!(self.node(id).is_some(), "{id:?} is needed and gone");
            *num_behind.entry(id).or_default() += 1;
        }
        for (id, node) in self.nodes() {
            let expected = num_behind.get(&id).copied().unwrap_or(0);
            assert_eq!(node.num_behind, expected, "behind {id:?}");
            assert_eq!(self.index.get(&node.hash), Some(&id), "{id:?} is not found");
            assert!(!node.is_needless(), "{id:?} is there for nothing");
            for group in whole {
                assert!(node.blocks[*group].is_some(), "{id:?} in group {group}");
            }
        }
        assert_eq!(self.index.len(), self.len(), "hashes of no node");
    }
}
