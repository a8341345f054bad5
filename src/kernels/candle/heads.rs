use super::array::kv_width;
use super::rows::normed;
use super::{Array, Candle};
use crate::kernels::{AttentionShape, Indices, KV_BLOCK_SIZE, Spans};
use candle_core::{Result, Tensor};

/// Cosines and sines `[positions * num_frequencies]` of a rotary embedding.
pub struct Rope<'a> {
    pub cos: &'a Tensor,
    pub sin: &'a Tensor,
    pub num_frequencies: usize,
}

impl Candle {
    pub fn norm_heads(
        &self,
        qkv: &Array,
        shape: AttentionShape,
        (q_weight, k_weight): (&Tensor, &Tensor),
        eps: f32,
    ) -> Result<()> {
        let rows = qkv.tensor()?;
        let k_width = shape.num_kv_heads * shape.head_dim;
        let part = |first: usize, width: usize, weight: &Tensor| {
            let part = rows.narrow(1, first, width)?.contiguous()?;
            let heads = part.reshape(((), weight.elem_count()))?;
            normed(&heads, weight, eps)?.reshape((rows.dims()[0], width))
        };
        let q = part(0, shape.q_width(), q_weight)?;
        let k = part(shape.q_width(), k_width, k_weight)?;
        let v = rows.narrow(1, shape.q_width() + k_width, k_width)?;
        qkv.put(Tensor::cat(&[&q, &k, &v], 1)?)
    }

    pub fn rope(
        &self,
        qkv: &Array,
        shape: AttentionShape,
        positions: Indices<'_>,
        table: &Rope<'_>,
    ) -> Result<()> {
        let rows = qkv.tensor()?;
        let (num_rows, dim, num) = (rows.dims()[0], shape.head_dim, table.num_frequencies);
        let num_heads = shape.num_heads + shape.num_kv_heads;
        let positions = self.indices(positions)?;
        let of_rows = |table: &Tensor| {
            let table = table.reshape(((), num))?;
            table.index_select(&positions, 0)?.unsqueeze(1)
        };
        let (cos, sin) = (of_rows(table.cos)?, of_rows(table.sin)?);
        let rotated = rows.narrow(1, 0, num_heads * dim)?.contiguous()?;
        let heads = rotated.reshape((num_rows, num_heads, dim))?;
        let part = |first, len| heads.narrow(2, first, len)?.contiguous();
        let (x, y) = (part(0, num)?, part(num, num)?);
        let mut parts = vec![
            (x.broadcast_mul(&cos)? - y.broadcast_mul(&sin)?)?,
            (y.broadcast_mul(&cos)? + x.broadcast_mul(&sin)?)?,
        ];
        if dim > 2 * num {
            parts.push(part(2 * num, dim - 2 * num)?);
        }
        let rotated = Tensor::cat(&parts, 2)?.reshape((num_rows, num_heads * dim))?;
        let values = rows.narrow(1, num_heads * dim, shape.num_kv_heads * dim)?;
        qkv.put(Tensor::cat(&[&rotated, &values], 1)?)
    }

    pub fn write_kv(
        &self,
        cache: &Array,
        qkv: &Array,
        shape: AttentionShape,
        spans: Spans<'_>,
    ) -> Result<()> {
        let (cache, rows) = (cache.tensor()?, qkv.tensor()?);
        let slots = match spans.candle {
            Some(inputs) => inputs.slots().clone(),
            None => self.slots(spans.host, rows.dims()[0], shape)?,
        };
        let width = kv_width(shape);
        let kv = rows.narrow(1, shape.q_width(), width)?;
        let kv = kv.contiguous()?.to_dtype(cache.dtype())?;
        let kv = match slots.num_cleared {
            0 => kv,
            num => {
                let zeros = Tensor::zeros((num, width), kv.dtype(), kv.device())?;
                Tensor::cat(&[&kv, &zeros], 0)?
            }
        };
        // The same memory, a row for each slot.
        let cache = cache.reshape((cache.dims()[0] * KV_BLOCK_SIZE, width))?;
        cache.scatter_set(&slots.places, &kv, 0)
    }
}
