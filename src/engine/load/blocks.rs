//! How memory for the KV cache is divided among groups of layers.

use super::LoadError;
use crate::engine::KvGroup;
use crate::kernels::KV_BLOCK_SIZE;
use std::ops::RangeInclusive;

/// What the cache is for.
#[derive(Debug, Clone, Copy)]
pub struct CacheLimits {
    /// Tokens in one KV block.
    pub block_size: usize,
    /// Longest context that is wanted, in tokens.
    pub max_model_len: usize,
    /// Most sequences that run at once.
    pub max_num_seqs: usize,
    /// Most tokens of a step, over all sequences.
    pub max_num_batched_tokens: usize,
}

/// Of a group with a window there are at most so many times the blocks that all sequences
/// reach into: as much again for what they leave to the prefix cache.
const MAX_WINDOWS_PER_SEQUENCE: usize = 2;

/// Steps by which groups with a window grow from what one sequence needs to what all can use.
const PARTS: usize = 1 << 16;

/// The blocks of each group that `bytes` of memory hold: group `i` has blocks of
/// `block_bytes[i]` bytes and the window `windows[i]` in tokens, if any.
///
/// The longest context comes first: windows get what a single sequence needs until groups
/// without one hold `max_model_len`. What is left goes to the windows, until they hold what all
/// sequences can use or as many tokens as the other groups; then both grow. A group without
/// window never has more than all sequences at full length fill.
///
/// Errors: the memory does not hold one block of each group.
pub fn split_budget(
    bytes: u64,
    block_bytes: &[usize],
    windows: &[Option<usize>],
    limits: &CacheLimits,
) -> Result<Vec<KvGroup>, LoadError> {
    let of_one = limits.max_model_len.div_ceil(limits.block_size).max(1);
    let of_all = of_one.saturating_mul(limits.max_num_seqs.max(1));
    let split = |num_blocks: usize, part: usize| -> Vec<KvGroup> {
        let of_group = |window: &Option<usize>| KvGroup {
            num_blocks: match window {
                None => num_blocks,
                Some(window) => limits.num_windowed(*window, num_blocks, part),
            },
            window: *window,
        };
        windows.iter().map(of_group).collect()
    };
    let fits = |num_blocks: usize, part: usize| {
        let groups = split(num_blocks, part);
        let needed = groups
            .iter()
            .zip(block_bytes)
            .map(|(group, bytes)| (group.num_blocks as u64).saturating_mul(*bytes as u64));
        needed.fold(0, u64::saturating_add) <= bytes
    };
    let Some(longest) = largest(1..=of_one, |num_blocks| fits(num_blocks, 0)) else {
        return Err(LoadError::NoMemory {
            budget: bytes,
            block_bytes: block_bytes.iter().sum(),
        });
    };
    Ok(
        match largest(longest..=of_all, |num_blocks| fits(num_blocks, PARTS)) {
            Some(num_blocks) => split(num_blocks, PARTS),
            None => {
                let part = largest(0..=PARTS, |part| fits(longest, part));
                split(longest, part.unwrap_or(0))
            }
        },
    )
}

/// Longest sequence for which all groups have blocks, in tokens.
pub fn longest_sequence(groups: &[KvGroup]) -> usize {
    let of_group = |group: &KvGroup| group.max_sequence_len(KV_BLOCK_SIZE);
    groups.iter().map(of_group).min().unwrap_or(usize::MAX)
}

impl CacheLimits {
    /// Blocks of a group with a window beside `num_blocks` of those without: of `part` 0 what
    /// one sequence needs so that a range of its prompt is as long as the window or a step, of
    /// [`PARTS`] what all can use, and never more than there are of the others.
    fn num_windowed(&self, window: usize, num_blocks: usize, part: usize) -> usize {
        let group = KvGroup {
            num_blocks: 0,
            window: Some(window),
        };
        let of_one = group.max_held(self.max_model_len, self.block_size);
        let step = self.max_num_batched_tokens;
        let least = of_one.saturating_add(step.min(window).div_ceil(self.block_size));
        let most = of_one
            .saturating_mul(self.max_num_seqs.saturating_mul(MAX_WINDOWS_PER_SEQUENCE))
            .saturating_add(step.div_ceil(self.block_size));
        let least = least.min(num_blocks);
        let more = most.min(num_blocks).saturating_sub(least);
        least + (more as u128 * part as u128 / PARTS as u128) as usize
    }
}

/// The largest of a range that fits, where whatever is smaller fits, too.
fn largest(range: RangeInclusive<usize>, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut low, mut high) = range.into_inner();
    if low > high || !fits(low) {
        return None;
    }
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineConfig;

    const LIMITS: CacheLimits = CacheLimits {
        block_size: 32,
        max_model_len: 8192,
        max_num_seqs: 16,
        max_num_batched_tokens: 512,
    };

    fn split(bytes: u64, block_bytes: &[usize], windows: &[Option<usize>]) -> Vec<usize> {
        let groups = split_budget(bytes, block_bytes, windows, &LIMITS).unwrap();
        let used = groups.iter().zip(block_bytes);
        let used: usize = used.map(|(group, bytes)| group.num_blocks * bytes).sum();
        assert!(used as u64 <= bytes, "{used} of {bytes} bytes");
        groups.iter().map(|group| group.num_blocks).collect()
    }

    fn longest_context(num_blocks: &[usize], windows: &[Option<usize>]) -> usize {
        let groups = num_blocks.iter().zip(windows);
        let kv_groups = groups.map(|(num_blocks, window)| KvGroup {
            num_blocks: *num_blocks,
            window: *window,
        });
        let config = EngineConfig {
            kv_groups: kv_groups.collect(),
            ..EngineConfig::new(1, LIMITS.max_model_len, LIMITS.block_size, 1)
        };
        config.max_sequence_len()
    }

    #[test]
    fn a_group_without_window_gets_all_it_can_use() {
        assert_eq!(split(100 * 1000, &[1000], &[None]), [100]);
        // 256 blocks for each of 16 sequences.
        assert_eq!(split(u64::MAX, &[1000], &[None]), [4096]);
    }

    #[test]
    fn a_group_with_a_window_gets_no_more_than_all_sequences_reach_into_twice() {
        // A token that begins a block sees 511 before it, in 16 blocks; a step has 16.
        let most = 2 * 16 * 17 + 16;
        assert_eq!(split(u64::MAX, &[1000], &[Some(512)]), [most]);
        let both = split(u64::MAX, &[1000, 5000], &[None, Some(512)]);
        assert_eq!(both, [4096, most]);
    }

    #[test]
    fn a_window_longer_than_the_context_is_none() {
        let groups = split(u64::MAX, &[1000, 1000], &[None, Some(1 << 20)]);
        assert_eq!(groups, [4096, 4096]);
    }

    #[test]
    fn little_memory_goes_to_the_longest_context() {
        let windows = [None, Some(512)];
        let block_bytes = [1000, 5000];
        // One sequence's window, and a range as long.
        let least = 17 + 16;
        let bytes = 256 * 1000 + least as u64 * 5000;
        let groups = split(bytes, &block_bytes, &windows);
        assert_eq!(groups, [256, least]);
        assert_eq!(longest_context(&groups, &windows), 8192);
        let groups = split(bytes - 1, &block_bytes, &windows);
        assert_eq!(groups, [255, least]);
        assert_eq!(longest_context(&groups, &windows), 255 * 32);
    }

    #[test]
    fn what_is_left_goes_to_windows_and_then_to_all() {
        let windows = [None, Some(512)];
        let block_bytes = [1000, 5000];
        // Half of what is between one sequence's window and as much as the others hold.
        let bytes = 256 * 1000 + (33 + 256) * 5000 / 2;
        assert_eq!(split(bytes, &block_bytes, &windows), [256, 144]);
        // Then as many of each, and at last only of those without window.
        assert_eq!(split(300 * 6000, &block_bytes, &windows), [300, 300]);
        let bytes = 1000 * 1000 + 560 * 5000;
        assert_eq!(split(bytes, &block_bytes, &windows), [1000, 560]);
    }

    #[test]
    fn more_memory_never_makes_a_context_shorter() {
        let windows = [Some(100), None, Some(1000)];
        let block_bytes = [700, 300, 1100];
        let mut longest = 0;
        for bytes in (2100..6_000_000).step_by(7919) {
            let groups = split(bytes, &block_bytes, &windows);
            let context = longest_context(&groups, &windows);
            assert!(longest <= context, "{groups:?} in {bytes} bytes");
            longest = context;
        }
        assert_eq!(longest, LIMITS.max_model_len);
    }

    #[test]
    fn too_little_memory_for_one_block_of_each_group_is_said() {
        let error = split_budget(2099, &[700, 1400], &[None, Some(64)], &LIMITS).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2099 bytes of memory for the KV cache do not hold one block of 2100 bytes"
        );
    }
}
