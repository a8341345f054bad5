//! How much memory weights take, and how much there is for the KV cache.

use crate::kernels::WeightType;
use crate::model::Precision;
use std::path::Path;

/// Memory of weights, in bytes: of the layers' elements, and of the tables of embeddings and the
/// output head.
pub fn weight_bytes(precision: Precision, in_layers: u64, in_tables: u64) -> u64 {
    let in_layers = in_layers.saturating_mul(eighths_of_a_bit(precision.layers));
    let in_tables = in_tables.saturating_mul(eighths_of_a_bit(precision.tables));
    in_layers.saturating_add(in_tables) / 64
}

/// What an element takes with its share of a scale: 16 bits for 64 numbers of 8 bits, or for 32 of
/// 4 bits.
fn eighths_of_a_bit(weight_type: WeightType) -> u64 {
    match weight_type {
        WeightType::F32 => 32 * 8,
        WeightType::Bf16 => 16 * 8,
        WeightType::Int8 => 66,
        WeightType::Int4 => 36,
    }
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
