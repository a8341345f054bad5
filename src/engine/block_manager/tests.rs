//! Blocks of groups with windows and without, as sequences take, share and leave them.

use super::*;
use crate::engine::Namespace;
use crate::engine::prefix::{BlockHash, BlockHasher, Scope};

const BLOCK_SIZE: usize = 4;

/// A token sees five before it: one that begins a block sees into two others.
const WINDOW: usize = 6;
const MAX_HELD: usize = 3;

#[derive(Clone)]
struct Text {
    tokens: Vec<u32>,
    hashes: Vec<BlockHash>,
}

impl Text {
    fn new(tokens: impl IntoIterator<Item = u32>) -> Self {
        let tokens: Vec<u32> = tokens.into_iter().collect();
        let mut hashes = Vec::new();
        let hasher = BlockHasher::new([7; 32], Faults::default());
        hasher.extend(&mut hashes, SCOPE, &tokens, BLOCK_SIZE);
        Self { tokens, hashes }
    }

    fn prefix(&self) -> Prefix<'_> {
        Prefix {
            scope: SCOPE,
            hashes: &self.hashes,
            tokens: &self.tokens,
        }
    }

    /// Blocks that may come from the cache.
    fn max_found(&self) -> usize {
        (self.tokens.len() - 1) / BLOCK_SIZE
    }
}

const SCOPE: Scope = Scope::Namespace(Namespace(1));

fn windowed(num_blocks: usize) -> KvGroup {
    KvGroup {
        num_blocks,
        window: Some(WINDOW),
    }
}

fn manager(groups: &[KvGroup]) -> BlockManager {
    BlockManager::new(BLOCK_SIZE, groups, usize::MAX, Faults::default())
}

fn start(manager: &mut BlockManager, text: &Text, max_found: usize) -> (SequenceBlocks, usize) {
    let found = manager.find(text.prefix(), max_found);
    let mut blocks = SequenceBlocks::new(manager.num_groups());
    let spare = vec![0; manager.num_groups()];
    let started = manager.start(&mut blocks, &found, text.tokens.len(), &spare);
    started.expect("there are blocks enough");
    (blocks, found.num_blocks * BLOCK_SIZE)
}

/// Computes the tokens of `range`, so many at a time.
fn compute(
    manager: &mut BlockManager,
    blocks: &mut SequenceBlocks,
    text: &Text,
    range: std::ops::Range<usize>,
    chunk: usize,
) {
    let mut position = range.start;
    while position < range.end {
        let end = range.end.min(position + chunk);
        manager.grow(blocks, end).expect("there are blocks enough");
        for index in position / BLOCK_SIZE..end / BLOCK_SIZE {
            manager.publish(blocks, text.prefix(), index);
        }
        manager.slide(blocks, end);
        position = end;
    }
}

/// Computes a text from what the cache has of it, and leaves.
fn run(manager: &mut BlockManager, text: &Text) {
    let (mut blocks, num_found) = start(manager, text, text.max_found());
    compute(manager, &mut blocks, text, num_found..text.tokens.len(), 1);
    manager.check(&[&blocks]);
    manager.release(&mut blocks);
    manager.check(&[]);
}

fn num_found(manager: &BlockManager, text: &Text) -> usize {
    manager.find(text.prefix(), text.max_found()).num_blocks
}

#[test]
fn a_window_gives_a_block_back_when_no_token_to_come_sees_it() {
    let text = Text::new(0..200);
    // One block less than a window may hold would not do.
    let mut manager = manager(&[windowed(MAX_HELD)]);
    let (mut blocks, _) = start(&mut manager, &text, 0);
    for position in 0..200 {
        compute(&mut manager, &mut blocks, &text, position..position + 1, 1);
        manager.check(&[&blocks]);
        let next = position + 1;
        let first = (0..=next).find(|seen| next - seen < WINDOW).unwrap();
        let fallen = blocks.tables[0].iter().take_while(|id| **id == NO_BLOCK);
        assert_eq!(fallen.count(), first / BLOCK_SIZE, "before {next}");
        assert_eq!(blocks.tables[0].len(), next.div_ceil(BLOCK_SIZE));
    }
    manager.release(&mut blocks);
    manager.check(&[]);
    assert_eq!(manager.num_used(), 0);
}

#[test]
fn a_range_needs_the_window_of_its_first_token_and_its_own_blocks() {
    let text = Text::new(0..60);
    let mut manager = manager(&[windowed(5)]);
    let (mut blocks, _) = start(&mut manager, &text, 0);
    compute(&mut manager, &mut blocks, &text, 0..20, 20);
    // The token at 20 sees 15 to 20, so two blocks stay, and three are there for 20 to 31.
    assert_eq!(manager.room(&blocks), 32);
    assert!(manager.grow(&mut blocks, 33).is_err());
    compute(&mut manager, &mut blocks, &text, 20..32, 12);
    manager.check(&[&blocks]);
}

#[test]
fn a_sequence_needs_no_more_of_a_window_than_it_holds_at_once() {
    let mut manager = manager(&[KvGroup::without_window(60), windowed(10)]);
    let nothing = Found::default();
    assert_eq!(manager.needed(&nothing, 200), [50, MAX_HELD]);
    assert_eq!(manager.needed(&nothing, 5), [2, 2]);
    let text = Text::new(0..200);
    let (mut blocks, _) = start(&mut manager, &text, 0);
    let owed = |manager: &BlockManager, blocks: &SequenceBlocks, num_tokens| {
        manager.owed(blocks, num_tokens).collect::<Vec<_>>()
    };
    assert_eq!(owed(&manager, &blocks, 200), [1, MAX_HELD]);
    compute(&mut manager, &mut blocks, &text, 0..100, 10);
    assert_eq!(owed(&manager, &blocks, 200), [1, 1], "two are held");
    compute(&mut manager, &mut blocks, &text, 100..200, 10);
    assert_eq!(owed(&manager, &blocks, 200), [1, 1]);
}

#[test]
fn a_hit_needs_of_a_window_only_what_the_next_token_sees() {
    let mut manager = manager(&[KvGroup::without_window(20), windowed(MAX_HELD)]);
    let text = Text::new(0..24);
    run(&mut manager, &text);
    assert_eq!(num_found(&manager, &text), 5);
    let (mut blocks, num_found) = start(&mut manager, &text, text.max_found());
    assert_eq!(num_found, 20);
    manager.check(&[&blocks]);
    assert!(!blocks.tables[0].contains(&NO_BLOCK));
    // The token at 20 sees 15.
    assert_eq!(blocks.tables[1][..3], [NO_BLOCK; 3]);
    assert_eq!(blocks.tables[1].len(), 5);
    compute(&mut manager, &mut blocks, &text, 20..24, 4);
    manager.release(&mut blocks);
    manager.check(&[]);
}

#[test]
fn a_prefix_whose_window_is_gone_is_known_and_not_found() {
    let mut manager = manager(&[KvGroup::without_window(20), windowed(MAX_HELD)]);
    run(&mut manager, &Text::new(0..24));
    let other = Text::new((0..8).chain(100..110));
    let found = manager.find(other.prefix(), other.max_found());
    assert_eq!((found.num_blocks, found.num_known()), (0, 2));
}

#[test]
fn a_computed_block_takes_the_place_of_one_that_a_window_lost() {
    let mut manager = manager(&[KvGroup::without_window(20), windowed(8)]);
    let text = Text::new(0..24);
    run(&mut manager, &text);
    // Another text takes the windowed blocks that were released first.
    let (mut other, _) = start(&mut manager, &Text::new(200..220), 0);
    manager.grow(&mut other, 20).unwrap();
    let beginning = Text::new((0..8).chain(100..110));
    assert_eq!(num_found(&manager, &beginning), 0);

    let (mut blocks, _) = start(&mut manager, &text, 0);
    let before = manager.num_used();
    compute(&mut manager, &mut blocks, &text, 0..8, 8);
    manager.check(&[&other, &blocks]);
    assert_eq!(num_found(&manager, &beginning), 2);
    // The blocks of the group without window are the old ones, and its own are free again.
    let old = manager.find(text.prefix(), 2).nodes;
    let old = old.iter().map(|node| manager.tree.block(*node, 0).unwrap());
    assert_eq!(blocks.tables[0][..2], old.collect::<Vec<_>>());
    assert_eq!(manager.num_used(), before + 2, "two blocks of the window");
}

#[test]
fn sequences_that_compute_the_same_share_the_blocks_of_every_group() {
    let mut manager = manager(&[KvGroup::without_window(20), windowed(20)]);
    let text = Text::new(0..24);
    let (mut first, _) = start(&mut manager, &text, 0);
    let (mut second, _) = start(&mut manager, &text, 0);
    compute(&mut manager, &mut first, &text, 0..24, 5);
    compute(&mut manager, &mut second, &text, 0..24, 7);
    manager.check(&[&first, &second]);
    assert_eq!(first.tables, second.tables);
    manager.release(&mut first);
    manager.check(&[&second]);
    manager.release(&mut second);
    manager.check(&[]);
}

#[test]
fn windows_forget_what_the_groups_without_have_lost() {
    let mut manager = manager(&[windowed(20), KvGroup::without_window(6)]);
    run(&mut manager, &Text::new(0..24));
    assert_eq!(manager.num_cached(), 12);
    let (mut other, _) = start(&mut manager, &Text::new(100..120), 0);
    manager.check(&[&other]);
    // Five blocks went, the last ones first.
    assert_eq!(manager.num_cached(), 2);
    assert_eq!(num_found(&manager, &Text::new(0..24)), 1);
    manager.release(&mut other);
    manager.check(&[]);
}

#[test]
fn a_window_finds_its_end_although_all_before_is_gone_and_compares_it_all() {
    let mut manager = manager(&[windowed(MAX_HELD)]);
    let text = Text::new(0..41);
    run(&mut manager, &text);
    assert_eq!(num_found(&manager, &text), 10);
    // Whatever their hashes are.
    let mut other = Text::new((900..904).chain(4..41));
    other.hashes = text.hashes.clone();
    assert_eq!(num_found(&manager, &other), 0);
    let (mut blocks, num_found) = start(&mut manager, &text, 10);
    assert_eq!(num_found, 40);
    assert_eq!(blocks.tables[0][..8], [NO_BLOCK; 8]);
    manager.release(&mut blocks);
}

#[test]
fn what_stood_before_lost_windows_is_forgotten_in_time() {
    let mut manager = manager(&[windowed(8)]);
    let max_nodes = MAX_NODES_PER_BLOCK * 8;
    let often = Text::new(0..1600);
    run(&mut manager, &often);
    let long = Text::new(5000..6600);
    let (mut blocks, _) = start(&mut manager, &long, 0);
    for position in (0..1600).step_by(BLOCK_SIZE) {
        compute(
            &mut manager,
            &mut blocks,
            &long,
            position..position + BLOCK_SIZE,
            1,
        );
        // The next block that falls out makes room for the last node.
        assert!(manager.tree.len() <= max_nodes + 1);
        if num_found(&manager, &often) > 0 {
            // It is used again and again, so memory alone would not let it go.
            let (mut again, _) = start(&mut manager, &often, often.max_found());
            manager.release(&mut again);
        }
        manager.check(&[&blocks]);
    }
    assert_eq!(num_found(&manager, &often), 0);
    manager.release(&mut blocks);
    assert_eq!(num_found(&manager, &long), long.max_found());
}

#[test]
fn no_more_blocks_of_a_group_are_kept_for_nobody_than_is_said() {
    let groups = [KvGroup::without_window(20), windowed(20)];
    let mut manager = BlockManager::new(BLOCK_SIZE, &groups, 2, Faults::default());
    let text = Text::new(0..24);
    run(&mut manager, &text);
    assert!(manager.num_cached() <= 4);
    let short = Text::new(100..109);
    run(&mut manager, &short);
    assert_eq!(manager.num_cached(), 4);
    assert_eq!(num_found(&manager, &short), 2);
}
