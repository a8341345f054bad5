use super::cpu::elementwise;
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
        self.kernels.for_rows(out, hidden, |row, out| {
            let x = &x[row * hidden..][..hidden];
            elementwise::rms_norm(self.kernels.set, x, weight, self.eps, out);
        });
        Ok(())
    }
}
