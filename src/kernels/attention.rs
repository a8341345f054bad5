use super::Kernels;
use super::cpu::SplitMut;
use super::cpu::attention::{
    MAX_HEAD_DIM, MAX_ROWS, Pages, Query, Scratch, attend, padded_head_dim,
};
use super::cpu::math::KvElement;
use super::storage::{self, KvRef};
use candle_core::{CpuStorage, InplaceOp3, Layout, Result, Tensor};
use std::cell::RefCell;
use std::ops::Range;

/// Tokens in a KV block, on every device.
pub const KV_BLOCK_SIZE: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionShape {
    pub num_heads: usize,
    pub num_kv_heads: usize,
    /// At most `AttentionShape::MAX_HEAD_DIM`.
    pub head_dim: usize,
}

/// The rows of one sequence in a step.
#[derive(Debug, Clone)]
pub struct AttentionSpan<'a> {
    /// Rows of the step's tensors.
    pub rows: Range<usize>,
    /// Position of the first row in its sequence.
    pub start: usize,
    /// Blocks of the whole sequence, its rows included.
    pub block_table: &'a [u32],
}

/// Where keys and values lie inside a layer's CPU cache: `[blocks][kv heads]` of keys
/// `[head_dim][slot]`, so that the scores of a block's slots are one vector, then values
/// `[slot][padded head_dim]`.
#[derive(Debug, Clone, Copy)]
pub struct PagedLayout {
    num_kv_heads: usize,
    key_len: usize,
    value_len: usize,
}

impl AttentionShape {
    pub const MAX_HEAD_DIM: usize = MAX_HEAD_DIM;

    /// Length of a row that holds queries, keys and values.
    pub fn qkv_width(&self) -> usize {
        (self.num_heads + 2 * self.num_kv_heads) * self.head_dim
    }

    pub fn q_width(&self) -> usize {
        self.num_heads * self.head_dim
    }
}

impl PagedLayout {
    pub fn new(shape: AttentionShape) -> Self {
        Self {
            num_kv_heads: shape.num_kv_heads,
            key_len: shape.head_dim * KV_BLOCK_SIZE,
            value_len: padded_head_dim(shape.head_dim) * KV_BLOCK_SIZE,
        }
    }

    /// Elements in a block of one layer.
    pub fn block_len(&self) -> usize {
        self.num_kv_heads * (self.key_len + self.value_len)
    }

    pub fn key_offset(&self, head: usize) -> usize {
        head * (self.key_len + self.value_len)
    }

    pub fn value_offset(&self, head: usize) -> usize {
        self.key_offset(head) + self.key_len
    }
}

struct PagedAttention<'a> {
    kernels: &'a Kernels,
    shape: AttentionShape,
    scale: f32,
    spans: &'a [AttentionSpan<'a>],
}

impl Kernels {
    /// Causal attention of the step's rows: `out` `[rows, heads * head_dim]`, `qkv` rotated,
    /// `cache` a layer's blocks with the step's own keys and values written.
    pub fn paged_attention(
        &self,
        out: &Tensor,
        qkv: &Tensor,
        cache: &Tensor,
        shape: AttentionShape,
        scale: f32,
        spans: &[AttentionSpan<'_>],
    ) -> Result<()> {
        out.inplace_op3(
            qkv,
            cache,
            &PagedAttention {
                kernels: self,
                shape,
                scale,
                spans,
            },
        )
    }
}

impl InplaceOp3 for PagedAttention<'_> {
    fn name(&self) -> &'static str {
        "paged_attention"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        qkv: &CpuStorage,
        qkv_layout: &Layout,
        cache: &CpuStorage,
        cache_layout: &Layout,
    ) -> Result<()> {
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        let qkv = storage::f32s(self.name(), qkv, qkv_layout)?;
        match storage::kv(self.name(), cache, cache_layout)? {
            KvRef::F32(cache) => self.run(out, qkv, cache),
            KvRef::Bf16(cache) => self.run(out, qkv, cache),
        }
        Ok(())
    }
}

thread_local! {
    static SCRATCH: RefCell<Box<Scratch>> = RefCell::default();
}

impl PagedAttention<'_> {
    fn run<T: KvElement>(&self, out: &mut [f32], qkv: &[f32], cache: &[T]) {
        let shape = self.shape;
        let pages = PagedLayout::new(shape);
        let heads_per_kv_head = shape.num_heads / shape.num_kv_heads;
        // Later rows see more, so the longest tiles are claimed first.
        let mut tiles: Vec<(&AttentionSpan<'_>, usize)> = self
            .spans
            .iter()
            .flat_map(|span| {
                (0..span.rows.len())
                    .step_by(MAX_ROWS)
                    .map(move |first| (span, first))
            })
            .collect();
        tiles.sort_by_key(|(span, first)| std::cmp::Reverse(span.start + first));
        let out = SplitMut::new(out);
        self.kernels
            .pool
            .run(tiles.len() * shape.num_heads, &|tile| {
                let (span, first) = tiles[tile / shape.num_heads];
                let head = tile % shape.num_heads;
                let first_row = span.rows.start + first;
                let query = Query {
                    q: &qkv[first_row * shape.qkv_width() + head * shape.head_dim..],
                    stride: shape.qkv_width(),
                    num_rows: (span.rows.len() - first).min(MAX_ROWS),
                    start: span.start + first,
                    head_dim: shape.head_dim,
                    scale: self.scale,
                };
                let kv_head = head / heads_per_kv_head;
                let pages = Pages {
                    cache,
                    block_table: span.block_table,
                    block_stride: pages.block_len(),
                    k_offset: pages.key_offset(kv_head),
                    v_offset: pages.value_offset(kv_head),
                };
                SCRATCH.with_borrow_mut(|scratch| {
                    attend(self.kernels.set, &query, &pages, scratch);
                    for (i, row) in scratch.out.iter().enumerate().take(query.num_rows) {
                        let start = (first_row + i) * shape.q_width() + head * shape.head_dim;
                        // SAFETY: each (row, head) belongs to one tile.
                        unsafe { out.part(start, shape.head_dim) }
                            .copy_from_slice(&row[..shape.head_dim]);
                    }
                });
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{KernelSet, ThreadPool};
    use candle_core::{DType, Device};

    /// Head sizes on both sides of every width that the kernel works in, and 1, 2 and 4
    /// query heads to a key-value head.
    const SHAPES: [AttentionShape; 5] = [
        shape(4, 2, 24),
        shape(3, 3, 2),
        shape(4, 1, 64),
        shape(2, 1, 80),
        shape(1, 1, 256),
    ];

    const fn shape(num_heads: usize, num_kv_heads: usize, head_dim: usize) -> AttentionShape {
        AttentionShape {
            num_heads,
            num_kv_heads,
            head_dim,
        }
    }

    fn noise(len: usize) -> Vec<f32> {
        let mut state = 7u32;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 22) as f32 - 2.0
            })
            .collect()
    }

    /// Softmax attention by its definition, in f64.
    fn reference(shape: AttentionShape, qkv: &[f32], num_rows: usize, scale: f32) -> Vec<f64> {
        let (dim, width) = (shape.head_dim, shape.qkv_width());
        let mut out = Vec::new();
        for row in 0..num_rows {
            for head in 0..shape.num_heads {
                let kv_head = head / (shape.num_heads / shape.num_kv_heads);
                let at = |row: usize, head: usize, d: usize| {
                    f64::from(qkv[row * width + head * dim + d])
                };
                let scores: Vec<f64> = (0..=row)
                    .map(|j| {
                        (0..dim)
                            .map(|d| at(row, head, d) * at(j, shape.num_heads + kv_head, d))
                            .sum::<f64>()
                    })
                    .map(|score| (score * f64::from(scale)).exp())
                    .collect();
                let total: f64 = scores.iter().sum();
                for d in 0..dim {
                    let value = |j: usize| at(j, shape.num_heads + shape.num_kv_heads + kv_head, d);
                    out.push(
                        scores
                            .iter()
                            .enumerate()
                            .map(|(j, score)| score / total * value(j))
                            .sum(),
                    );
                }
            }
        }
        out
    }

    /// Computes `num_rows` tokens in chunks, over a cache whose unwritten slots hold NaN.
    fn chunked(
        shape: AttentionShape,
        set: KernelSet,
        dtype: DType,
        qkv: &[f32],
        num_rows: usize,
        chunk: usize,
    ) -> Vec<f32> {
        let kernels = Kernels::new(set, ThreadPool::new(2).unwrap());
        let pages = PagedLayout::new(shape);
        let num_blocks = num_rows.div_ceil(KV_BLOCK_SIZE) + 1;
        let nan = vec![f32::NAN; num_blocks * pages.block_len()];
        let cache = Tensor::from_vec(nan, (num_blocks, pages.block_len()), &Device::Cpu)
            .unwrap()
            .to_dtype(dtype)
            .unwrap();
        let block_table: Vec<u32> = (0..num_blocks as u32).rev().collect();
        let mut result = Vec::new();
        for start in (0..num_rows).step_by(chunk) {
            let rows = chunk.min(num_rows - start);
            let width = shape.qkv_width();
            let part = qkv[start * width..][..rows * width].to_vec();
            let part = Tensor::from_vec(part, (rows, width), &Device::Cpu).unwrap();
            let out = Tensor::zeros((rows, shape.q_width()), DType::F32, &Device::Cpu).unwrap();
            let spans = [AttentionSpan {
                rows: 0..rows,
                start,
                block_table: &block_table,
            }];
            kernels.write_kv(&cache, &part, shape, &spans).unwrap();
            kernels
                .paged_attention(&out, &part, &cache, shape, scale(shape), &spans)
                .unwrap();
            result.extend(out.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        }
        result
    }

    /// Calls `check` for every shape, supported kernel set and type of cache.
    fn for_each_form(check: impl Fn(AttentionShape, KernelSet, DType)) {
        for shape in SHAPES {
            for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
                for dtype in [DType::F32, DType::BF16] {
                    check(shape, set, dtype);
                }
            }
        }
    }

    fn scale(shape: AttentionShape) -> f32 {
        1.5 / (shape.head_dim as f32).sqrt()
    }

    #[test]
    fn attention_is_its_definition_and_never_reads_unwritten_slots() {
        let num_rows = 75;
        for_each_form(|shape, set, dtype| {
            let qkv = noise(num_rows * shape.qkv_width());
            let exact = reference(shape, &qkv, num_rows, scale(shape));
            let got = chunked(shape, set, dtype, &qkv, num_rows, num_rows);
            let tolerance = if dtype == DType::F32 { 1e-5 } else { 5e-2 };
            for (got, exact) in got.iter().zip(&exact) {
                let difference = (f64::from(*got) - exact).abs();
                assert!(
                    difference < tolerance,
                    "{set} {dtype:?} {shape:?}: {got} for {exact}"
                );
            }
        });
    }

    #[test]
    fn chunks_do_not_change_a_bit() {
        let num_rows = 75;
        for_each_form(|shape, set, dtype| {
            let qkv = noise(num_rows * shape.qkv_width());
            let bits = |chunk| -> Vec<u32> {
                let out = chunked(shape, set, dtype, &qkv, num_rows, chunk);
                out.into_iter().map(f32::to_bits).collect()
            };
            let whole = bits(num_rows);
            for chunk in [1, 2, 7, 32, 33] {
                assert_eq!(bits(chunk), whole, "{set} {dtype:?} {shape:?} {chunk}");
            }
        });
    }
}
