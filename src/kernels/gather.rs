use super::{Kernels, storage};
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor};

struct GatherRows<'a> {
    rows: &'a [usize],
}

impl Kernels {
    /// `out [rows, width]` = the rows of `x` `[_, width]` that `rows` names.
    pub fn gather_rows(&self, out: &Tensor, x: &Tensor, rows: &[usize]) -> Result<()> {
        out.inplace_op2(x, &GatherRows { rows })
    }
}

impl InplaceOp2 for GatherRows<'_> {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let width = storage::row_len(out_layout);
        let x = storage::f32s(self.name(), x, x_layout)?;
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        for (out, row) in out.chunks_exact_mut(width).zip(self.rows) {
            out.copy_from_slice(&x[row * width..][..width]);
        }
        Ok(())
    }
}
