//! How much memory there is for the KV cache.

use crate::kernels::WeightType;
use crate::model::Precision;
use std::path::Path;

/// Memory that an element of the checkpoint takes at most, in bits.
pub fn element_bits(precision: Precision) -> u64 {
    [precision.layers, precision.tables]
        .into_iter()
        .map(|weight_type| match weight_type {
            WeightType::F32 => 32,
            WeightType::Bf16 => 16,
            WeightType::Int8 => 9,
            WeightType::Int4 => 5,
        })
        .max()
        .unwrap_or(32)
}

/// What the machine says is available, 1 GiB where it does not say, and at most what the
/// control group of a container leaves.
pub fn free_memory_bytes() -> u64 {
    let available = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("MemAvailable:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        });
    let available = available.map_or(1 << 30, |kib| kib.saturating_mul(1024));
    available.min(control_group_room().unwrap_or(u64::MAX))
}

/// None without a limit, which reads `max`.
fn control_group_room() -> Option<u64> {
    let read = |name: &str| {
        let path = Path::new("/sys/fs/cgroup").join(name);
        std::fs::read_to_string(path)
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    Some(read("memory.max")?.saturating_sub(read("memory.current")?))
}
