//! Each op on candle's CPU device against its CPU form.

mod attention;
mod products;
mod rows;

use crate::kernels::{Array, KernelSet, Kernels, ThreadPool, Use};
use candle_core::Device;

/// How far sums in another order may be, as a share of the length of all.
const NEAR: f64 = 1e-5;

/// Random numbers, the same at each call.
fn noise(seed: u32, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 22) as f32 - 2.0
        })
        .collect()
}

fn array(kernels: &Kernels, values: &[f32], width: usize) -> Array {
    kernels.rows(values.to_vec(), width, Use::Sums).unwrap()
}

fn numbers(array: &Array) -> Vec<f32> {
    array.to_rows().unwrap().concat()
}

fn on_cpu() -> Kernels {
    Kernels::new(KernelSet::best(), ThreadPool::new(2).unwrap())
}

fn on_candle() -> Kernels {
    on_cpu().on_candle(Device::Cpu)
}

/// What `compute` says on candle's device is what it says on ours; `bound` is on the length of the
/// difference, as a share of the numbers'.
#[track_caller]
fn check(bound: f64, what: &str, compute: impl Fn(&Kernels) -> Vec<f32>) {
    let (expected, got) = (compute(&on_cpu()), compute(&on_candle()));
    assert_eq!(expected.len(), got.len(), "{what}");
    let length = |values: &mut dyn Iterator<Item = f32>| {
        values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt()
    };
    let error = length(&mut expected.iter().zip(&got).map(|(a, b)| a - b));
    let share = error / length(&mut expected.iter().copied()).max(1e-30);
    // A NaN is not below anything.
    assert!(share < bound, "{what}: {share} is not below {bound}");
}
