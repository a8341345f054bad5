//! Each kernel by itself, and how much of this machine's peak it reaches: its dot products where
//! operations count, its memory where bytes do.
//!
//!     cargo bench --bench kernels -- [FILTER]
//!
//! A filter is a regular expression on names such as `product/int8/avx512-bf16/2048x8192/512`.
//! `GUICHET_BENCH_THREADS` sets the number of threads, one unless it is set.

mod attention;
#[path = "../machine/mod.rs"]
mod machine;
mod product;
mod rate;
mod rows;

use criterion::Criterion;
use guichet::kernels::{KernelSet, Kernels, KvType, ThreadPool, WeightType};
use machine::Product;
use rate::{Peaks, Rate};
use std::time::Duration;

/// Larger than any cache.
const READ_BYTES: usize = 512 << 20;

fn main() {
    let num_threads = std::env::var("GUICHET_BENCH_THREADS").ok();
    let num_threads = num_threads.map_or(1, |n| n.parse().expect("a number of threads"));
    let pool = ThreadPool::new(num_threads).expect("threads start");
    let bytes = machine::read_bandwidth(READ_BYTES, num_threads);
    let criterion = |product| {
        let operations = machine::peak(product, num_threads);
        println!(
            "{num_threads} threads, at most: {:.1} GOP/s ({product:?}), {:.1} GB/s",
            operations.unwrap_or(f64::NAN) / 1e9,
            bytes / 1e9
        );
        Criterion::default()
            .with_measurement(Rate::new(Peaks { operations, bytes }))
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2))
            .sample_size(20)
            .configure_from_args()
    };
    let (mut bf16, mut int8) = (criterion(Product::Bf16), criterion(Product::Int8));
    for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
        let kernels = Kernels::new(set, pool.clone());
        product::bench(&mut bf16, &kernels, WeightType::F32);
        product::bench(&mut bf16, &kernels, WeightType::Bf16);
        product::bench(&mut int8, &kernels, WeightType::Int8);
        product::bench(&mut int8, &kernels, WeightType::Int4);
        for kv_type in [KvType::F32, KvType::Bf16, KvType::Int8] {
            attention::bench(&mut bf16, &kernels, kv_type);
        }
        rows::bench(&mut bf16, &kernels);
    }
    bf16.final_summary();
    int8.final_summary();
}
