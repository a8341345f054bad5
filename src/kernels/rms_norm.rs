use super::cpu::{SplitMut, elementwise};
use super::{Kernels, storage};
use candle_core::{CpuStorage, InplaceOp3, Layout, Result, Tensor};

struct RmsNorm<'a> {
    kernels: &'a Kernels,
    eps: f32,
}

impl Kernels {
    /// `out = x / sqrt(mean(x²) + eps) * weight`, row by row; `out` and `x` `[rows, hidden]`,
    /// `weight` `[hidden]`, all f32.
    pub fn rms_norm(&self, out: &Tensor, x: &Tensor, weight: &Tensor, eps: f32) -> Result<()> {
        out.inplace_op3(x, weight, &RmsNorm { kernels: self, eps })
    }
}

impl InplaceOp3 for RmsNorm<'_> {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<()> {
        let hidden = storage::row_len(out_layout);
        let x = storage::f32s(self.name(), x, x_layout)?;
        let weight = storage::f32s(self.name(), weight, weight_layout)?;
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        let out_len = out.len();
        let out = SplitMut::new(out);
        self.kernels.for_rows(out_len / hidden, |row| {
            // SAFETY: each row is written by its own tile.
            let out = unsafe { out.part(row * hidden, hidden) };
            elementwise::rms_norm(
                self.kernels.set,
                &x[row * hidden..][..hidden],
                weight,
                self.eps,
                out,
            );
        });
        Ok(())
    }
}

impl Kernels {
    /// Spreads rows of little work over the pool; a few rows stay on this thread.
    pub(super) fn for_rows(&self, num_rows: usize, row: impl Fn(usize) + Sync) {
        const ROWS: usize = 8;
        self.pool.run(num_rows.div_ceil(ROWS), &|tile| {
            (tile * ROWS..((tile + 1) * ROWS).min(num_rows)).for_each(&row);
        });
    }
}
