mod plan;
#[cfg(test)]
mod tests;

pub(super) use plan::Work;

use super::cpu::attention::{self, MAX_HEAD_DIM, Pages, Partial, Query, Scratch};
use super::cpu::kv::KvElement;
use super::cpu::{AlignedBuffer, SplitMut};
use super::storage::{self, KvRef};
use super::{Array, Kernels, PagedLayout, Spans, Vector};
use candle_core::{CpuStorage, InplaceOp3, Layout, Result};
use plan::Rows;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::PoisonError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionShape {
    pub num_heads: usize,
    pub num_kv_heads: usize,
    /// At most `AttentionShape::MAX_HEAD_DIM`.
    pub head_dim: usize,
}

/// What models do differently; by default nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct AttentionOptions<'a> {
    /// Tokens that a token sees, itself included, and as many on the other side where it sees what
    /// follows it; blocks before them are not touched.
    pub window: Option<usize>,
    /// Scores become `softcap * tanh(score / softcap)`.
    pub softcap: Option<f32>,
    /// For each query head, a score that takes its share of the probability and has no
    /// value.
    pub sinks: Option<&'a Vector>,
    /// A token sees what follows it in its span, too: that of an encoder.
    pub is_bidirectional: bool,
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

impl Kernels {
    /// Attention of the step's rows, causal unless `options` say otherwise: `out` `[rows, heads * head_dim]`, `qkv` rotated,
    /// `cache` a layer's blocks with the step's own keys and values written.
    #[allow(clippy::too_many_arguments)]
    pub fn paged_attention<'a>(
        &self,
        out: &Array,
        qkv: &Array,
        cache: &Array,
        shape: AttentionShape,
        scale: f32,
        options: AttentionOptions<'_>,
        spans: impl Into<Spans<'a>>,
    ) -> Result<()> {
        let spans = spans.into();
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.paged_attention(out, qkv, cache, shape, scale, options, spans);
        }
        let op = "paged_attention";
        if let Some(candle) = &self.candle {
            let (out, qkv, cache) = (out.candle(op)?, qkv.candle(op)?, cache.candle(op)?);
            return candle.paged_attention(out, qkv, cache, shape, scale, options, spans);
        }
        let sinks = options.sinks.map(|sinks| sinks.cpu(op));
        out.cpu(op)?.inplace_op3(
            qkv.cpu(op)?,
            cache.cpu(op)?,
            &PagedAttention {
                kernels: self,
                shape,
                scale,
                options,
                sinks: sinks.transpose()?,
                spans: spans.host,
            },
        )
    }
}

struct PagedAttention<'a> {
    kernels: &'a Kernels,
    shape: AttentionShape,
    scale: f32,
    options: AttentionOptions<'a>,
    sinks: Option<&'a [f32]>,
    spans: &'a [AttentionSpan<'a>],
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
            KvRef::Int8(cache) => self.run(out, qkv, cache),
        }
        Ok(())
    }
}

thread_local! {
    static SCRATCH: RefCell<(Box<Scratch>, AlignedBuffer)> = RefCell::default();
}

impl PagedAttention<'_> {
    fn run<T: KvElement>(&self, out: &mut [f32], qkv: &[f32], cache: &[T]) {
        let Kernels { set, pool, .. } = self.kernels;
        let work = &self.kernels.attention;
        let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
        work.plan(self.spans, self.shape, self.options, pool.num_threads());
        let Work {
            tiles,
            joins,
            partials,
        } = &mut *work;
        let partials = SplitMut::new(partials.as_mut_slice::<f32>());
        let out = SplitMut::new(out);
        pool.run(tiles.len(), &|tile| {
            let tile = &tiles[tile];
            let query = self.query(qkv, &tile.rows);
            let pages = Pages {
                cache,
                block_table: self.spans[tile.rows.span].block_table,
                layout: PagedLayout::new(self.shape, T::TYPE),
                first_head: tile.rows.kv_heads.start,
            };
            let splits = tile.splits.clone();
            let len = tile.rows.partial_len(self.shape);
            SCRATCH.with_borrow_mut(|(scratch, buffer)| {
                if let Some(start) = tile.partial {
                    // SAFETY: each tile has a part of its own.
                    let mut part = Partial::new(unsafe { partials.part(start, len) }, &query);
                    attention::attend(*set, &query, &pages, splits, scratch, &mut part);
                } else {
                    buffer.resize::<f32>(len);
                    let mut total = Partial::new(buffer.as_mut_slice(), &query);
                    attention::attend(*set, &query, &pages, splits, scratch, &mut total);
                    self.write(&out, &tile.rows, &query, &mut total);
                }
            });
        });
        pool.run(joins.len(), &|join| {
            let join = &joins[join];
            let query = self.query(qkv, &join.rows);
            let (first, len) = join.partials;
            // SAFETY: each join has parts of its own, and takes each once.
            let part = |split| unsafe { partials.part(first + split * len, len) };
            let mut total = Partial::new(part(0), &query);
            for split in 1..join.num_splits {
                attention::add(*set, &mut total, &Partial::new(part(split), &query));
            }
            self.write(&out, &join.rows, &query, &mut total);
        });
    }

    fn query<'a>(&self, qkv: &'a [f32], rows: &Rows) -> Query<'a> {
        let (dim, token_stride) = (self.shape.head_dim, self.shape.qkv_width());
        let first = self.first_row(rows) * token_stride + self.first_head(rows) * dim;
        Query {
            q: &qkv[first..],
            token_stride,
            kv_head_stride: self.shape.num_heads / self.shape.num_kv_heads * dim,
            num_kv_heads: rows.kv_heads.len(),
            num_heads: rows.group.len(),
            head_dim: dim,
            reach: rows.reach(self.spans, self.options),
            scale: self.scale,
            softcap: self.options.softcap,
        }
    }

    fn first_row(&self, rows: &Rows) -> usize {
        self.spans[rows.span].rows.start + rows.tokens.start
    }

    fn first_head(&self, rows: &Rows) -> usize {
        rows.kv_heads.start * (self.shape.num_heads / self.shape.num_kv_heads) + rows.group.start
    }

    /// Divides what rows have added up, and writes it where it belongs.
    fn write(
        &self,
        out: &SplitMut<'_, f32>,
        rows: &Rows,
        query: &Query<'_>,
        total: &mut Partial<'_>,
    ) {
        let dim = self.shape.head_dim;
        let first_head = self.first_head(rows);
        for row in 0..query.num_rows() {
            let (token, head) = query.place(row);
            let sink = self.sinks.map(|sinks| sinks[first_head + head / dim]);
            attention::divide(self.kernels.set, total, row, sink);
            let start = (self.first_row(rows) + token) * self.shape.q_width();
            // SAFETY: each (token, head) belongs to one tile or join.
            let out = unsafe { out.part(start + first_head * dim + head, dim) };
            out.copy_from_slice(&total.out(row)[..dim]);
        }
    }
}
