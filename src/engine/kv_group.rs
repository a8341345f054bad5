use super::EngineConfig;

/// Layers that see the same tokens, and the pool of KV blocks that keeps those for them.
///
/// A sequence has one block table for each group. In a group with a window it gives a block
/// back as soon as no token that is still to be computed sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvGroup {
    /// Blocks that sequences share.
    pub num_blocks: usize,
    /// Tokens that a token sees, itself included and at least that; `None`: all before it.
    pub window: Option<usize>,
}

/// Stands in a block table for a block that fell out of the window. A block keeps its place
/// in the table, which is its position over the block size; those that fell out are first.
pub const NO_BLOCK: u32 = u32::MAX;

impl KvGroup {
    /// A group whose tokens see all before them.
    pub const fn without_window(num_blocks: usize) -> Self {
        Self {
            num_blocks,
            window: None,
        }
    }

    /// The first block that the token at `position` sees; those that follow see none before.
    pub(super) fn first_seen(self, position: usize, block_size: usize) -> usize {
        let num_before = self
            .window
            .map_or(usize::MAX, |window| window.saturating_sub(1));
        position.saturating_sub(num_before) / block_size
    }

    /// Most blocks that a sequence of `num_tokens` tokens holds at once, if it is computed
    /// token by token. A range of many tokens needs its own blocks beside those that its
    /// first token sees, until it is computed.
    pub(super) fn max_held(self, num_tokens: usize, block_size: usize) -> usize {
        let all = num_tokens.div_ceil(block_size);
        self.window.map_or(all, |window| {
            // It is most when a token begins a block.
            let before = window.saturating_sub(1).div_ceil(block_size);
            all.min(before.saturating_add(1))
        })
    }

    /// Most tokens that blocks are needed for at once by a sequence of `num_tokens`.
    pub(super) fn max_tokens_held(self, num_tokens: usize, block_size: usize) -> usize {
        let held = self.max_held(num_tokens, block_size);
        num_tokens.min(held.saturating_mul(block_size))
    }

    /// Most tokens of a sequence for which there are blocks, if it has all of them.
    pub(super) fn max_sequence_len(self, block_size: usize) -> usize {
        match self.max_held(usize::MAX, block_size) <= self.num_blocks {
            true => usize::MAX,
            false => self.num_blocks.saturating_mul(block_size),
        }
    }
}

impl EngineConfig {
    /// KV blocks of all groups.
    pub fn num_blocks(&self) -> usize {
        self.kv_groups.iter().map(|group| group.num_blocks).sum()
    }

    /// Longest prompt plus completion that can ever run, in tokens.
    pub fn max_sequence_len(&self) -> usize {
        let of_group = |group: &KvGroup| group.max_sequence_len(self.block_size);
        let blocks = self.kv_groups.iter().map(of_group).min();
        self.max_model_len.min(blocks.unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windowed(window: usize) -> KvGroup {
        KvGroup {
            num_blocks: 100,
            window: Some(window),
        }
    }

    #[test]
    fn a_token_sees_as_many_as_the_window_has_and_itself_is_one() {
        for window in 1..20 {
            for position in 0..60 {
                for block_size in 1..7 {
                    let first_token = (0..=position).find(|seen| position - seen < window);
                    let expected = first_token.unwrap() / block_size;
                    let first = windowed(window).first_seen(position, block_size);
                    assert_eq!(first, expected, "{window} {position} {block_size}");
                }
            }
        }
        assert_eq!(KvGroup::without_window(3).first_seen(1000, 4), 0);
        assert_eq!(windowed(0).first_seen(9, 1), 9, "a token sees itself");
    }

    #[test]
    fn a_sequence_holds_at_most_what_its_tokens_see_one_by_one() {
        for window in 1..20 {
            for block_size in 1..7 {
                let group = windowed(window);
                let mut most = 0;
                for position in 0..100 {
                    let first = group.first_seen(position, block_size);
                    most = most.max(position / block_size + 1 - first);
                    let num_tokens = position + 1;
                    let max_held = group.max_held(num_tokens, block_size);
                    assert_eq!(max_held, most, "{window} {block_size} {num_tokens}");
                }
            }
        }
        assert_eq!(KvGroup::without_window(3).max_held(9, 4), 3);
    }

    #[test]
    fn only_a_pool_that_holds_less_than_a_window_limits_a_sequence() {
        let config = |num_blocks, window| EngineConfig {
            kv_groups: vec![
                KvGroup::without_window(50),
                KvGroup {
                    num_blocks,
                    window: Some(window),
                },
            ],
            ..EngineConfig::new(10, 1000, 4, 1)
        };
        // A token that begins a block sees nine before it, in three blocks.
        assert_eq!(config(4, 10).max_sequence_len(), 200);
        assert_eq!(config(3, 10).max_sequence_len(), 12);
        assert_eq!(config(3, 9).max_sequence_len(), 200);
        assert_eq!(config(4, 10).num_blocks(), 54);
    }
}
