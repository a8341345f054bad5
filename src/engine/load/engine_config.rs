//! The limits of an engine, as options say them or as its device wants them.

use super::{ModelOptions, StepTime};
use crate::engine::{EngineConfig, KvGroup, PrefixCache};
use crate::kernels::{KV_BLOCK_SIZE, Kernels};
use crate::model::DecoderLimits;
use std::time::Duration;

/// A GPU is busy with so many tokens, and they take it less time than a CPU's 512.
const MAX_BATCHED_ON_GPU: usize = 8192;

/// About two steps of a few streams, so that those with prefills are not felt.
const MAX_STEP_ON_GPU: Duration = Duration::from_millis(12);

/// So many tokens take a GPU hardly longer than one.
const FIRST_PREFILL_ON_GPU: usize = 256;

/// Most tokens of a step.
pub fn max_batched_tokens(options: &ModelOptions, is_on_gpu: bool) -> usize {
    let by_default = match is_on_gpu {
        true => MAX_BATCHED_ON_GPU,
        false => EngineConfig::new(1, 1, 1, 1).max_num_batched_tokens,
    };
    options.max_num_batched_tokens.unwrap_or(by_default).max(1)
}

/// For a decoder of such limits, whose KV groups have blocks of `block_bytes` each.
pub fn engine_config(
    options: &ModelOptions,
    kernels: &Kernels,
    limits: DecoderLimits,
    kv_groups: Vec<KvGroup>,
    block_bytes: &[usize],
) -> EngineConfig {
    let most_blocks = kv_groups.iter().map(|group| group.num_blocks).max();
    let most_blocks = most_blocks.unwrap_or(0);
    let defaults = EngineConfig::new(1, limits.max_positions, KV_BLOCK_SIZE, most_blocks);
    let is_on_gpu = kernels.takes_large_steps();
    EngineConfig {
        max_num_batched_tokens: limits.max_rows,
        max_num_outputs: limits.max_output_rows,
        max_num_waiting: options.max_num_waiting,
        max_waiting_tokens: options.max_waiting_tokens,
        max_kv_overcommit: options.max_kv_overcommit,
        max_queue: options.max_queue,
        max_step: match (options.max_step, is_on_gpu) {
            (StepTime::Auto, false) => defaults.max_step,
            (StepTime::Auto, true) => Some(MAX_STEP_ON_GPU),
            (StepTime::AtMost(time), _) => Some(time),
            (StepTime::Unlimited, _) => None,
        },
        first_prefill: match is_on_gpu {
            false => defaults.first_prefill,
            true => FIRST_PREFILL_ON_GPU,
        },
        prefix_cache: match options.prefix_cache {
            false => PrefixCache::Off,
            true => PrefixCache::PerNamespace {
                max_blocks: options.prefix_cache_bytes.map_or(most_blocks, |bytes| {
                    let cached = bytes / block_bytes.iter().sum::<usize>().max(1) as u64;
                    usize::try_from(cached)
                        .unwrap_or(most_blocks)
                        .min(most_blocks)
                }),
            },
        },
        kv_groups,
        stall_timeout: options.stall_timeout,
        quarantine_path: options.quarantine_path.clone(),
        ..defaults
    }
}
