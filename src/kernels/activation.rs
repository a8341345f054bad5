use super::cpu::pointwise;
use super::{Array, Kernels, storage};
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result};

struct Xielu<'a> {
    kernels: &'a Kernels,
    alpha_p: f32,
    alpha_n: f32,
}

struct ClampedSwiGlu<'a> {
    kernels: &'a Kernels,
    alpha: f32,
    limit: f32,
}

impl Kernels {
    /// xIELU (Huang and Schlag 2024) in place, with [`super::XIELU_BETA`].
    pub fn xielu(&self, x: &Array, alpha_p: f32, alpha_n: f32) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.xielu(x, alpha_p, alpha_n);
        }
        x.cpu("xielu")?.inplace_op1(&Xielu {
            kernels: self,
            alpha_p,
            alpha_n,
        })
    }

    /// `out [rows, n] = (up + 1) * gate * sigmoid(alpha * gate)` of `gate_up` `[rows, 2 * n]`,
    /// gates first; gates are at most `limit`, and ups lie within it (gpt-oss).
    pub fn clamped_swiglu(
        &self,
        out: &Array,
        gate_up: &Array,
        alpha: f32,
        limit: f32,
    ) -> Result<()> {
        out.cpu("clamped_swiglu")?.inplace_op2(
            gate_up.cpu("clamped_swiglu")?,
            &ClampedSwiGlu {
                kernels: self,
                alpha,
                limit,
            },
        )
    }
}

impl InplaceOp1 for Xielu<'_> {
    fn name(&self) -> &'static str {
        "xielu"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let width = storage::row_len(layout);
        let x = storage::f32s_mut(self.name(), x, layout)?;
        self.kernels.for_rows(x, width, |_, row| {
            pointwise::xielu(self.kernels.set, row, self.alpha_p, self.alpha_n);
        });
        Ok(())
    }
}

impl InplaceOp2 for ClampedSwiGlu<'_> {
    fn name(&self) -> &'static str {
        "clamped_swiglu"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        gate_up: &CpuStorage,
        gate_up_layout: &Layout,
    ) -> Result<()> {
        let width = storage::row_len(out_layout);
        let gate_up = storage::f32s(self.name(), gate_up, gate_up_layout)?;
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        self.kernels.for_rows(out, width, |row, out| {
            let (gates, ups) = gate_up[row * 2 * width..][..2 * width].split_at(width);
            pointwise::clamped_swiglu(self.kernels.set, gates, ups, self.alpha, self.limit, out);
        });
        Ok(())
    }
}
