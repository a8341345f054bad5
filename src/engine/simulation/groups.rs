//! Which KV groups a simulated model has, and how many blocks each.

use super::random::Random;
use crate::engine::{EngineConfig, KvGroup};

/// Half of the models have windows: in the place of the one group that sees everything, beside
/// it, or two of them beside it, before it or behind it.
pub fn draw(random: &mut Random, config: &mut EngineConfig) {
    let block_size = config.block_size;
    let window = |random: &mut Random| {
        // Pools with room for a single sequence, for some, and for all.
        let spare = random.pick(&[0, 1, 3, 12, 30]);
        windowed(random, block_size, |max_held| max_held + spare)
    };
    match random.within(0..=9) {
        0..=4 => {}
        5 | 6 => config.kv_groups = vec![window(random)],
        7 => config.kv_groups.push(window(random)),
        8 => config.kv_groups.insert(0, window(random)),
        _ => {
            config.kv_groups.push(window(random));
            config.kv_groups.insert(0, window(random));
        }
    }
}

/// A window beside the others for one model in three, with blocks for all its sequences: what
/// is there for them is what the scenario is about.
pub fn beside(random: &mut Random, config: &mut EngineConfig) {
    if random.once_in(3) {
        let of_step = config.max_num_batched_tokens.div_ceil(config.block_size);
        let group = windowed(random, config.block_size, |max_held| {
            max_held * config.max_num_seqs + of_step
        });
        config.kv_groups.push(group);
    }
}

/// A group with a window of one token to some blocks, seldom of whole blocks; `num_blocks` says
/// how many it has, from how many a sequence holds at once.
fn windowed(
    random: &mut Random,
    block_size: usize,
    num_blocks: impl Fn(usize) -> usize,
) -> KvGroup {
    let window = Some(random.within(1..=6 * block_size));
    let group = KvGroup {
        num_blocks: 0,
        window,
    };
    KvGroup {
        num_blocks: num_blocks(group.max_held(usize::MAX, block_size)),
        window,
    }
}
