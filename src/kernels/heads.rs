use super::cpu::elementwise;
use super::{Array, AttentionShape, Kernels, Vector, storage};
use candle_core::{CpuStorage, InplaceOp1, Layout, Result};
use std::cell::RefCell;

/// The RMSNorms of queries and of keys. As long as a head, they go over each head by itself; as
/// long as all heads together, over all of a token.
pub struct HeadNorms {
    pub q: Vector,
    pub k: Vector,
    pub eps: f32,
}

struct NormHeads<'a> {
    kernels: &'a Kernels,
    shape: AttentionShape,
    q: &'a [f32],
    k: &'a [f32],
    eps: f32,
}

thread_local! {
    static NORMED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl Kernels {
    /// Norms the queries and keys inside `qkv` `[rows, (heads + 2 * kv_heads) * head_dim]` in
    /// place.
    pub fn norm_heads(&self, qkv: &Array, shape: AttentionShape, norms: &HeadNorms) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.norm_heads(qkv, shape, norms);
        }
        qkv.cpu("norm_heads")?.inplace_op1(&NormHeads {
            kernels: self,
            shape,
            q: norms.q.cpu("norm_heads")?,
            k: norms.k.cpu("norm_heads")?,
            eps: norms.eps,
        })
    }
}

impl InplaceOp1 for NormHeads<'_> {
    fn name(&self) -> &'static str {
        "norm_heads"
    }

    fn cpu_fwd(&self, qkv: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let qkv = storage::f32s_mut(self.name(), qkv, layout)?;
        let (q_width, k_width) = (
            self.shape.q_width(),
            self.shape.num_kv_heads * self.shape.head_dim,
        );
        self.kernels
            .for_rows(qkv, self.shape.qkv_width(), |_, row| {
                let (queries, rest) = row.split_at_mut(q_width);
                for (heads, weight) in [(queries, self.q), (&mut rest[..k_width], self.k)] {
                    for head in heads.chunks_exact_mut(weight.len()) {
                        self.norm(head, weight);
                    }
                }
            });
        Ok(())
    }
}

impl NormHeads<'_> {
    fn norm(&self, head: &mut [f32], weight: &[f32]) {
        NORMED.with_borrow_mut(|normed| {
            normed.resize(head.len(), 0.0);
            elementwise::rms_norm(self.kernels.set, head, weight, self.eps, normed);
            head.copy_from_slice(normed);
        });
    }
}
