use super::cpu::elementwise;
use super::{Kernels, storage};
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor};

struct SwiGlu<'a> {
    kernels: &'a Kernels,
}

impl Kernels {
    /// `out [rows, ffn] = silu(gate) * up`, with `gate_up` `[rows, 2 * ffn]` (Shazeer 2020).
    pub fn swiglu(&self, out: &Tensor, gate_up: &Tensor) -> Result<()> {
        out.inplace_op2(gate_up, &SwiGlu { kernels: self })
    }
}

impl InplaceOp2 for SwiGlu<'_> {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let ffn = storage::row_len(out_layout);
        let x = storage::f32s(self.name(), x, x_layout)?;
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        self.kernels.for_rows(out, ffn, |row, out| {
            elementwise::swiglu(self.kernels.set, &x[row * 2 * ffn..][..2 * ffn], out);
        });
        Ok(())
    }
}
