use super::candle;
use super::cpu::attention::MAX_HEAD_DIM;
use super::cpu::kv::{self, KvElement};
use super::cpu::{SplitMut, elementwise};
use super::storage::{self, KvMut};
use super::{
    Array, AttentionShape, AttentionSpan, Indices, KV_BLOCK_SIZE, Kernels, PagedLayout, Spans,
    Vector,
};
use candle_core::{CpuStorage, InplaceOp2, Layout, Result};

struct WriteKv<'a> {
    kernels: &'a Kernels,
    shape: AttentionShape,
    spans: &'a [AttentionSpan<'a>],
}

/// Cosines and sines of every position, `[positions][num_frequencies]`.
pub struct RopeTable {
    pub cos: Vector,
    pub sin: Vector,
    /// Half as many as the dimensions of a head that are rotated, from its first on.
    pub num_frequencies: usize,
}

impl Kernels {
    /// [`Kernels::rope`], unless there is no table, then [`Kernels::write_kv`].
    pub fn rope_and_write<'a>(
        &self,
        qkv: &Array,
        cache: &Array,
        shape: AttentionShape,
        table: Option<&RopeTable>,
        positions: impl Into<Indices<'a>>,
        spans: impl Into<Spans<'a>>,
    ) -> Result<()> {
        let (positions, spans) = (positions.into(), spans.into());
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.rope_and_write(qkv, cache, shape, table, positions, spans);
        }
        if let Some(table) = table {
            self.rope(qkv, shape, positions, table)?;
        }
        self.write_kv(cache, qkv, shape, spans)
    }

    /// Rotates the queries and keys inside `qkv` `[rows, (heads + 2 * kv_heads) * head_dim]`
    /// in place (Su et al. 2021).
    pub fn rope<'a>(
        &self,
        qkv: &Array,
        shape: AttentionShape,
        positions: impl Into<Indices<'a>>,
        table: &RopeTable,
    ) -> Result<()> {
        let positions = positions.into();
        if let Some(candle) = &self.candle {
            let table = candle::Rope {
                cos: table.cos.candle("rope")?,
                sin: table.sin.candle("rope")?,
                num_frequencies: table.num_frequencies,
            };
            return candle.rope(qkv.candle("rope")?, shape, positions, &table);
        }
        let positions = positions.host;
        let (cos, sin) = (table.cos.cpu("rope")?, table.sin.cpu("rope")?);
        let num = table.num_frequencies;
        let num_rotated = shape.num_heads + shape.num_kv_heads;
        self.change_rows("rope", qkv, |row, values| {
            let angles = positions[row] as usize * num;
            let (cos, sin) = (&cos[angles..][..num], &sin[angles..][..num]);
            for head in values.chunks_exact_mut(shape.head_dim).take(num_rotated) {
                elementwise::rope(self.set, &mut head[..2 * num], cos, sin);
            }
        })
    }

    /// Writes the keys and values of `qkv` into a layer's cache (see [`PagedLayout`]),
    /// rounded to the cache's type.
    pub fn write_kv<'a>(
        &self,
        cache: &Array,
        qkv: &Array,
        shape: AttentionShape,
        spans: impl Into<Spans<'a>>,
    ) -> Result<()> {
        let (op, spans) = ("write_kv", spans.into());
        if let Some(candle) = &self.candle {
            return candle.write_kv(cache.candle(op)?, qkv.candle(op)?, shape, spans);
        }
        cache.cpu(op)?.inplace_op2(
            qkv.cpu(op)?,
            &WriteKv {
                kernels: self,
                shape,
                spans: spans.host,
            },
        )
    }
}

impl InplaceOp2 for WriteKv<'_> {
    fn name(&self) -> &'static str {
        "write_kv"
    }

    fn cpu_fwd(
        &self,
        cache: &mut CpuStorage,
        cache_layout: &Layout,
        qkv: &CpuStorage,
        qkv_layout: &Layout,
    ) -> Result<()> {
        let qkv = storage::f32s(self.name(), qkv, qkv_layout)?;
        match storage::kv_mut(self.name(), cache, cache_layout)? {
            KvMut::F32(cache) => self.write(cache, qkv),
            KvMut::Bf16(cache) => self.write(cache, qkv),
            KvMut::Int8(cache) => self.write(cache, qkv),
        }
        Ok(())
    }
}

/// Rows that one tile writes: as many as a block has slots, whose lines then stay near.
const ROWS: usize = KV_BLOCK_SIZE;

impl WriteKv<'_> {
    fn write<T: KvElement>(&self, cache: &mut [T], qkv: &[f32]) {
        let shape = self.shape;
        let num_rows = qkv.len() / shape.qkv_width();
        let cache = SplitMut::new(cache);
        self.kernels.pool.run(num_rows.div_ceil(ROWS), &|tile| {
            let rows = tile * ROWS..((tile + 1) * ROWS).min(num_rows);
            for span in self.spans {
                let start = span.rows.start.max(rows.start);
                for row in start..span.rows.end.min(rows.end) {
                    let position = span.start + row - span.rows.start;
                    let row = &qkv[row * shape.qkv_width()..][..shape.qkv_width()];
                    // SAFETY: blocks belong to one sequence each while they are written, so
                    // that each (block, slot) is one row's, and each row is in one tile.
                    unsafe { self.write_row(&cache, span, position, row) };
                }
            }
        });
    }

    /// # Safety
    /// No other thread uses the position's slot.
    unsafe fn write_row<T: KvElement>(
        &self,
        cache: &SplitMut<'_, T>,
        span: &AttentionSpan<'_>,
        position: usize,
        row: &[f32],
    ) {
        let (shape, pages) = (self.shape, PagedLayout::new(self.shape, T::TYPE));
        let dim = shape.head_dim;
        let (even, padded) = (dim.next_multiple_of(2), PagedLayout::padded_head_dim(dim));
        let block = span.block_table[position / KV_BLOCK_SIZE];
        let (keys, values) = row[shape.q_width()..].split_at(shape.num_kv_heads * dim);
        // What fills up a vector is zero: it is multiplied, too.
        let mut key = [T::ZERO; MAX_HEAD_DIM];
        let mut value = key;
        let heads = keys.chunks_exact(dim).zip(values.chunks_exact(dim));
        for (head, (from_key, from_value)) in heads.enumerate() {
            let scales = [
                kv::round(self.kernels.set, from_key, &mut key),
                kv::round(self.kernels.set, from_value, &mut value),
            ];
            let keys = cache.part_ptr(pages.keys(block, head), pages.key_len());
            let values = cache.part_ptr(pages.values(block, head), pages.value_len());
            let slot = position % KV_BLOCK_SIZE;
            // SAFETY: whole keys and values of a block; the slot by the caller's promise.
            unsafe { T::write(keys, values, slot, &key[..even], &value[..padded], scales) };
        }
    }
}
