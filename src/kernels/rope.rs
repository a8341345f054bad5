use super::cpu::math::KvElement;
use super::cpu::{SplitMut, attention, elementwise};
use super::storage::{self, KvMut};
use super::{AttentionShape, AttentionSpan, KV_BLOCK_SIZE, Kernels, PagedLayout};
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, Tensor};

struct Rope<'a> {
    kernels: &'a Kernels,
    shape: AttentionShape,
    positions: &'a [u32],
    cos: &'a [f32],
    sin: &'a [f32],
}

struct WriteKv<'a> {
    kernels: &'a Kernels,
    shape: AttentionShape,
    spans: &'a [AttentionSpan<'a>],
}

impl Kernels {
    /// Rotates the queries and keys inside `qkv` `[rows, (heads + 2 * kv_heads) * head_dim]`
    /// in place (Su et al. 2021). `cos` and `sin` are `[positions][head_dim / 2]`.
    pub fn rope(
        &self,
        qkv: &Tensor,
        shape: AttentionShape,
        positions: &[u32],
        cos: &[f32],
        sin: &[f32],
    ) -> Result<()> {
        qkv.inplace_op1(&Rope {
            kernels: self,
            shape,
            positions,
            cos,
            sin,
        })
    }

    /// Writes the keys and values of `qkv` into a layer's cache (see [`PagedLayout`]),
    /// rounded to the cache's type.
    pub fn write_kv(
        &self,
        cache: &Tensor,
        qkv: &Tensor,
        shape: AttentionShape,
        spans: &[AttentionSpan<'_>],
    ) -> Result<()> {
        cache.inplace_op2(
            qkv,
            &WriteKv {
                kernels: self,
                shape,
                spans,
            },
        )
    }
}

impl InplaceOp1 for Rope<'_> {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, qkv: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (dim, width) = (self.shape.head_dim, self.shape.qkv_width());
        let num_rotated = self.shape.num_heads + self.shape.num_kv_heads;
        let qkv = storage::f32s_mut(self.name(), qkv, layout)?;
        self.kernels.for_rows(qkv, width, |row, values| {
            let table = self.positions[row] as usize * (dim / 2);
            let (cos, sin) = (&self.cos[table..][..dim / 2], &self.sin[table..][..dim / 2]);
            for head in values.chunks_exact_mut(dim).take(num_rotated) {
                elementwise::rope(self.kernels.set, head, cos, sin);
            }
        });
        Ok(())
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
        }
        Ok(())
    }
}

impl WriteKv<'_> {
    fn write<T: KvElement>(&self, cache: &mut [T], qkv: &[f32]) {
        let shape = self.shape;
        let pages = PagedLayout::new(shape);
        let dim = shape.head_dim;
        let padded = attention::padded_head_dim(dim);
        let cache = SplitMut::new(cache);
        // One tile a key-value head: heads of one slot share no element.
        self.kernels.pool.run(shape.num_kv_heads, &|head| {
            for span in self.spans {
                for (i, row) in span.rows.clone().enumerate() {
                    let position = span.start + i;
                    let block =
                        span.block_table[position / KV_BLOCK_SIZE] as usize * pages.block_len();
                    let slot = position % KV_BLOCK_SIZE;
                    let row = &qkv[row * shape.qkv_width()..][..shape.qkv_width()];
                    let key = &row[(shape.num_heads + head) * dim..][..dim];
                    let value = &row[(shape.num_heads + shape.num_kv_heads + head) * dim..][..dim];
                    // SAFETY: blocks belong to one sequence each while they are written,
                    // and each head is written by its own tile.
                    let keys =
                        unsafe { cache.part(block + pages.key_offset(head), dim * KV_BLOCK_SIZE) };
                    for (keys, x) in keys.chunks_exact_mut(KV_BLOCK_SIZE).zip(key) {
                        keys[slot] = T::store(*x);
                    }
                    let values = unsafe {
                        cache.part(block + pages.value_offset(head) + slot * padded, padded)
                    };
                    for (slot, x) in values.iter_mut().zip(value) {
                        *slot = T::store(*x);
                    }
                }
            }
        });
    }
}
