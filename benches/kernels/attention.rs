//! Attention over a paged cache: operations a second in prefill, bytes of keys and values a
//! second in decoding.

use crate::rate::Rate;
use candle_core::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput};
use guichet::kernels::{
    Array, AttentionOptions, AttentionShape, AttentionSpan, KV_BLOCK_SIZE, Kernels, KvType,
};

/// SmolLM2-135M's heads, those of a model of a billion parameters, and larger ones.
const SHAPES: [AttentionShape; 3] = [shape(9, 3, 64), shape(32, 8, 64), shape(32, 8, 128)];
/// Layers to go through in turn when decoding, so that the cache comes from memory.
const DECODE_BYTES: usize = 256 << 20;
/// Sequences that decode side by side.
const SEQUENCES: usize = 16;

const fn shape(num_heads: usize, num_kv_heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape {
        num_heads,
        num_kv_heads,
        head_dim,
    }
}

pub fn bench(criterion: &mut Criterion<Rate>, kernels: &Kernels, kv_type: KvType) {
    let name = format!("attention/{kv_type:?}/{}", kernels.set());
    let mut group = criterion.benchmark_group(name.to_lowercase());
    for shape in SHAPES {
        let AttentionShape {
            num_heads,
            num_kv_heads,
            head_dim,
        } = shape;
        let heads = format!("{num_heads}/{num_kv_heads}/{head_dim}");
        for len in [512, 2048] {
            let layer = Layer::new(kernels, kv_type, shape, 1, 0, len).fill(kernels, shape);
            let visible = len * (len + 1) / 2;
            let operations = 4 * head_dim * num_heads * visible;
            group.throughput(Throughput::Elements(operations as u64));
            let id = BenchmarkId::new(format!("prefill {heads}"), len);
            group.bench_function(id, |bencher| {
                bencher.iter(|| layer.attend(kernels, shape));
            });
        }
        for context in [512, 4096] {
            let bytes = 2 * num_kv_heads * head_dim * kv_type.num_bytes();
            let bytes = SEQUENCES * context * bytes;
            let layers: Vec<Layer> = (0..DECODE_BYTES.div_ceil(bytes))
                .map(|_| {
                    Layer::new(kernels, kv_type, shape, SEQUENCES, context - 1, 1)
                        .fill(kernels, shape)
                })
                .collect();
            group.throughput(Throughput::Bytes(bytes as u64));
            let mut turn = layers.iter().cycle();
            let id = BenchmarkId::new(format!("decode {heads}"), context);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let layer = turn.next().expect("there are layers");
                    layer.attend(kernels, shape);
                });
            });
        }
    }
    group.finish();
}

/// One layer's cache, activations and sequences.
struct Layer {
    cache: Array,
    qkv: Array,
    out: Array,
    tables: Vec<Vec<u32>>,
    rows: usize,
    start: usize,
}

impl Layer {
    /// Sequences whose next `rows` tokens stand at `start`.
    fn new(
        kernels: &Kernels,
        kv_type: KvType,
        shape: AttentionShape,
        sequences: usize,
        start: usize,
        rows: usize,
    ) -> Self {
        let blocks = (start + rows).div_ceil(KV_BLOCK_SIZE);
        let noise = |rows: usize, width: usize| {
            let noise = Tensor::rand(-1f32, 1., (rows, width), &Device::Cpu);
            Array::from(noise.expect("there is memory"))
        };
        Self {
            cache: kernels
                .kv_cache(shape, kv_type, sequences * blocks)
                .expect("there is memory"),
            qkv: noise(sequences * rows, shape.qkv_width()),
            out: noise(sequences * rows, shape.q_width()),
            // Blocks of a sequence do not follow each other in a cache that has been in use.
            tables: (0..sequences)
                .map(|sequence| {
                    (0..blocks)
                        .map(|b| (b * sequences + sequence) as u32)
                        .collect()
                })
                .collect(),
            rows,
            start,
        }
    }

    /// Fills the cache with what the sequences might have written.
    fn fill(self, kernels: &Kernels, shape: AttentionShape) -> Self {
        for (sequence, block_table) in self.tables.iter().enumerate() {
            for start in (0..self.start).step_by(KV_BLOCK_SIZE) {
                let rows = KV_BLOCK_SIZE.min(self.start - start);
                let qkv = Tensor::rand(-1f32, 1., (rows, shape.qkv_width()), &Device::Cpu);
                let qkv = Array::from(qkv.expect("there is memory"));
                let spans = [AttentionSpan {
                    rows: 0..rows,
                    start,
                    block_table,
                }];
                kernels
                    .write_kv(&self.cache, &qkv, shape, &spans)
                    .unwrap_or_else(|error| panic!("sequence {sequence}: {error}"));
            }
        }
        kernels
            .write_kv(&self.cache, &self.qkv, shape, &self.spans())
            .expect("shapes fit");
        self
    }

    fn spans(&self) -> Vec<AttentionSpan<'_>> {
        let spans = self.tables.iter().enumerate();
        spans
            .map(|(i, block_table)| AttentionSpan {
                rows: i * self.rows..(i + 1) * self.rows,
                start: self.start,
                block_table,
            })
            .collect()
    }

    fn attend(&self, kernels: &Kernels, shape: AttentionShape) {
        let (options, spans) = (AttentionOptions::default(), self.spans());
        let scale = 1.0 / (shape.head_dim as f32).sqrt();
        kernels
            .paged_attention(
                &self.out,
                &self.qkv,
                &self.cache,
                shape,
                scale,
                options,
                &spans,
            )
            .expect("shapes fit");
    }
}
