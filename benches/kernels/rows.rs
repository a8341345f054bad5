//! The ops between products, which read and write activations: bytes a second.

use crate::rate::Rate;
use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput};
use guichet::kernels::{
    Arrangement, Array, AttentionShape, AttentionSpan, Epilogue, KV_BLOCK_SIZE, Kernels, KvType,
    RopeTable, RowSource, WeightType,
};

const ROWS: usize = 512;
const VOCAB: usize = 49_152;
const HIDDEN: usize = 2048;
const SHAPE: AttentionShape = AttentionShape {
    num_heads: 32,
    num_kv_heads: 8,
    head_dim: 64,
};

pub fn bench(criterion: &mut Criterion<Rate>, kernels: &Kernels) {
    let mut group = criterion.benchmark_group(format!("rows/{}", kernels.set()));
    let noise = |rows: usize, width: usize| {
        let noise = Tensor::rand(-1f32, 1., (rows, width), &Device::Cpu);
        Array::from(noise.expect("there is memory"))
    };
    let bytes = |array: &Array| Throughput::Bytes((array.num_elements() * 4) as u64);

    let qkv = noise(ROWS, SHAPE.qkv_width());
    let positions: Vec<u32> = (0..ROWS as u32).collect();
    // A rotation by one angle keeps lengths.
    let angles = |value| kernels.vector(vec![value; ROWS * SHAPE.head_dim / 2]);
    let table = RopeTable {
        cos: angles(0.6).expect("there is memory"),
        sin: angles(0.8).expect("there is memory"),
        num_frequencies: SHAPE.head_dim / 2,
    };
    group.throughput(bytes(&qkv));
    group.bench_function("rope", |bencher| {
        bencher.iter(|| {
            kernels
                .rope(&qkv, SHAPE, &positions, &table)
                .expect("shapes fit")
        });
    });

    let blocks: Vec<u32> = (0..(ROWS / KV_BLOCK_SIZE) as u32).collect();
    let cache = kernels
        .kv_cache(SHAPE, KvType::Bf16, blocks.len())
        .expect("there is memory");
    let spans = [AttentionSpan {
        rows: 0..ROWS,
        start: 0,
        block_table: &blocks,
    }];
    group.bench_function("write_kv", |bencher| {
        bencher.iter(|| {
            kernels
                .write_kv(&cache, &qkv, SHAPE, &spans)
                .expect("shapes fit")
        });
    });

    // A product of a single strip is hardly more than the norm and the rounding before it.
    let (x, out) = (noise(ROWS, HIDDEN), noise(ROWS, 1));
    let norm = kernels.vector(vec![1.0; HIDDEN]).expect("there is memory");
    let zeros = vec![0u8; HIDDEN * 4];
    let sources = [RowSource::F32(&zeros)];
    for weight_type in [WeightType::Bf16, WeightType::Int8, WeightType::Int4] {
        let weight = kernels
            .pack(&sources, HIDDEN, Arrangement::Stacked, weight_type, None)
            .expect("there is memory");
        group.throughput(bytes(&x));
        group.bench_function(format!("norm and round to {weight_type:?}"), |bencher| {
            bencher.iter(|| {
                kernels
                    .normed_linear(&out, &x, &norm, 1e-5, &weight, Epilogue::Store)
                    .expect("shapes fit")
            });
        });
    }

    let words = noise(VOCAB / 16, HIDDEN).to_rows().expect("rows");
    let sources: Vec<RowSource<'_>> = words
        .iter()
        .map(|row| RowSource::F32(bytemuck::cast_slice(row)))
        .collect();
    let stacked = Arrangement::Stacked;
    let table = kernels
        .pack(&sources, HIDDEN, stacked, WeightType::Bf16, None)
        .expect("there is memory");
    let ids: Vec<u32> = (0..ROWS as u32)
        .map(|i| i * 5 % (VOCAB as u32 / 16))
        .collect();
    group.throughput(bytes(&x));
    group.bench_function("embedding", |bencher| {
        bencher.iter(|| kernels.embedding(&x, &ids, &table).expect("ids exist"));
    });

    let logits = noise(1, VOCAB);
    let row = logits.to_rows().expect("a row").remove(0);
    let mut weights = vec![0.0; VOCAB];
    group.throughput(bytes(&logits));
    group.bench_function("argmax and log-sum-exp", |bencher| {
        bencher.iter(|| kernels.summarize(&row));
    });
    group.bench_function("softmax", |bencher| {
        bencher.iter(|| kernels.softmax_weights(&row, 1.0, 0.7, &mut weights));
    });
    group.finish();
}
