//! Attention over a paged cache: operations a second in prefill, bytes of keys and values a
//! second in decoding. One thread unless a number of threads is given.

use candle_core::{DType, Device, Tensor};
use guichet::kernels::{
    AttentionOptions, AttentionShape, AttentionSpan, KV_BLOCK_SIZE, KernelSet, Kernels,
    PagedLayout, ThreadPool,
};
use std::time::{Duration, Instant};

/// SmolLM2-135M's heads, those of a model of a billion parameters, and larger ones.
const SHAPES: [AttentionShape; 3] = [shape(9, 3, 64), shape(32, 8, 64), shape(32, 8, 128)];
/// Layers to go through in turn when decoding, so that the cache comes from memory.
const DECODE_BYTES: usize = 256 << 20;

const fn shape(num_heads: usize, num_kv_heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape {
        num_heads,
        num_kv_heads,
        head_dim,
    }
}

fn main() {
    let num_threads = std::env::args().filter_map(|arg| arg.parse().ok()).next();
    let pool = ThreadPool::new(num_threads.unwrap_or(1)).expect("threads start");
    println!("{} threads", pool.num_threads());
    for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
        let kernels = Kernels::new(set, pool.clone());
        for dtype in [DType::BF16, DType::F32] {
            for shape in SHAPES {
                let AttentionShape {
                    num_heads,
                    num_kv_heads,
                    head_dim,
                } = shape;
                print!("{set} {dtype:?} {num_heads}/{num_kv_heads}/{head_dim}: prefill");
                for len in [512, 2048] {
                    print!(
                        " {len}: {:.1} GFLOP/s,",
                        prefill(&kernels, dtype, shape, len)
                    );
                }
                for context in [512, 4096] {
                    let (time, bytes) = decode(&kernels, dtype, shape, 16, context);
                    let micros = time.as_secs_f64() * 1e6;
                    let rate = bytes as f64 / time.as_secs_f64() / 1e9;
                    print!(" decode 16 x {context}: {micros:.0} us, {rate:.1} GB/s;");
                }
                let write = write(&kernels, dtype, shape, 512);
                println!(" write 512: {:.0} us", write.as_secs_f64() * 1e6);
            }
        }
    }
}

/// One layer's cache, activations and sequences.
struct Layer {
    cache: Tensor,
    qkv: Tensor,
    out: Tensor,
    tables: Vec<Vec<u32>>,
    rows: usize,
    start: usize,
}

impl Layer {
    /// Sequences whose next `rows` tokens stand at `start`.
    fn new(
        dtype: DType,
        shape: AttentionShape,
        sequences: usize,
        start: usize,
        rows: usize,
    ) -> Self {
        let blocks = (start + rows).div_ceil(KV_BLOCK_SIZE);
        let layout = PagedLayout::new(shape);
        let noise = |rows: usize, width: usize| {
            Tensor::rand(-1f32, 1., (rows, width), &Device::Cpu).expect("there is memory")
        };
        Self {
            cache: noise(sequences * blocks, layout.block_len())
                .to_dtype(dtype)
                .expect("caches may have this type"),
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

/// The best of several: other work on the machine only ever adds.
fn best(mut run: impl FnMut()) -> Duration {
    let started = Instant::now();
    let mut best = Duration::MAX;
    while started.elapsed() < Duration::from_millis(700) {
        let started = Instant::now();
        run();
        best = best.min(started.elapsed());
    }
    best
}

fn prefill(kernels: &Kernels, dtype: DType, shape: AttentionShape, len: usize) -> f64 {
    let layer = Layer::new(dtype, shape, 1, 0, len);
    let time = best(|| layer.attend(kernels, shape));
    let visible = len * (len + 1) / 2;
    (4 * shape.head_dim * shape.num_heads * visible) as f64 / time.as_secs_f64() / 1e9
}

/// The time of one layer's attention, and the keys and values that it read.
fn decode(
    kernels: &Kernels,
    dtype: DType,
    shape: AttentionShape,
    sequences: usize,
    context: usize,
) -> (Duration, usize) {
    let bytes = 2 * shape.num_kv_heads * shape.head_dim * dtype.size_in_bytes();
    let bytes = sequences * context * bytes;
    let layers: Vec<Layer> = (0..DECODE_BYTES.div_ceil(bytes))
        .map(|_| Layer::new(dtype, shape, sequences, context - 1, 1))
        .collect();
    let time = best(|| layers.iter().for_each(|layer| layer.attend(kernels, shape)));
    (time / layers.len() as u32, bytes)
}

fn write(kernels: &Kernels, dtype: DType, shape: AttentionShape, len: usize) -> Duration {
    let layer = Layer::new(dtype, shape, 1, 0, len);
    best(|| {
        kernels
            .write_kv(&layer.cache, &layer.qkv, shape, &layer.spans())
            .expect("shapes fit");
    })
}
