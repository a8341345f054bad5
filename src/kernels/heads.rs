use super::{Array, AttentionShape, Kernels, Vector};
use candle_core::Result;

/// The RMSNorms of queries and of keys. As long as a head, they go over each head by itself; as
/// long as all heads together, over all of a token.
pub struct HeadNorms {
    pub q: Vector,
    pub k: Vector,
    pub eps: f32,
}

impl Kernels {
    /// Norms the queries and keys inside `qkv` `[rows, (heads + 2 * kv_heads) * head_dim]` in
    /// place.
    pub fn norm_heads(&self, qkv: &Array, shape: AttentionShape, norms: &HeadNorms) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.norm_heads(qkv, shape, norms);
        }
        let op = "norm_heads";
        if let Some(candle) = &self.candle {
            let weights = (norms.q.candle(op)?, norms.k.candle(op)?);
            return candle.norm_heads(qkv.candle(op)?, shape, weights, norms.eps);
        }
        let (q, k) = (norms.q.cpu(op)?, norms.k.cpu(op)?);
        let k_width = shape.num_kv_heads * shape.head_dim;
        self.change_rows(op, qkv, |_, row| {
            let (queries, rest) = row.split_at_mut(shape.q_width());
            for (heads, weight) in [(queries, q), (&mut rest[..k_width], k)] {
                for head in heads.chunks_exact_mut(weight.len()) {
                    self.norm_in_place(head, weight, norms.eps);
                }
            }
        })
    }
}
