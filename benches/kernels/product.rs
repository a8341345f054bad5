//! Products of packed weights: operations a second where rows are many, bytes of weights a second
//! where they are few.

use crate::rate::Rate;
use candle_core::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput};
use guichet::kernels::{Arrangement, Array, Epilogue, Kernels, RowSource, Use, WeightType};

/// Inputs and outputs: a layer of SmolLM2-135M and one of a model of a billion parameters.
const SHAPES: [(usize, usize); 2] = [(576, 1536), (2048, 8192)];
/// A row is a decode, 16 are a batch of them, 512 a prefill.
const ROWS: [usize; 3] = [1, 16, 512];
/// Weights to go through in turn, so that they come from memory.
const BYTES: usize = 256 << 20;

pub fn bench(criterion: &mut Criterion<Rate>, kernels: &Kernels, weight_type: WeightType) {
    let name = format!("product/{weight_type:?}/{}", kernels.set());
    let mut group = criterion.benchmark_group(name.to_lowercase());
    for (k, n) in SHAPES {
        let noise = noise(k * n);
        let sources = [RowSource::F32(bytemuck::cast_slice(&noise))];
        let pack = || {
            kernels
                .pack(&sources, k, Arrangement::Stacked, weight_type, None)
                .expect("there is memory")
        };
        let first = pack();
        let bytes = first.num_bytes();
        let mut weights = vec![first];
        weights.extend((1..BYTES / bytes).map(|_| pack()));
        for rows in ROWS {
            let x = Tensor::rand(-1f32, 1., (rows, k), &Device::Cpu);
            let x = Array::from(x.expect("there is memory"));
            let out = kernels.zeros(rows, n, Use::Sums).expect("there is memory");
            group.throughput(if rows == 1 {
                Throughput::Bytes(bytes as u64)
            } else {
                Throughput::Elements((2 * rows * k * n) as u64)
            });
            let mut turn = weights.iter().cycle();
            group.bench_function(BenchmarkId::new(format!("{k}x{n}"), rows), |bencher| {
                bencher.iter(|| {
                    let weight = turn.next().expect("there are weights");
                    kernels
                        .linear(&out, &x, weight, Epilogue::Store)
                        .expect("shapes fit");
                });
            });
        }
    }
    group.finish();
}

/// Numbers that are spread like no weights in particular, the same each time.
fn noise(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| 0.05 * next()).collect()
}
