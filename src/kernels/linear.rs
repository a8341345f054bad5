use super::cpu::gemm::{Input, Norm, gemm};
use super::{Epilogue, Kernels, PackedWeight, storage};
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor};
use std::sync::PoisonError;

struct Linear<'a> {
    kernels: &'a Kernels,
    weight: &'a PackedWeight,
    epilogue: Epilogue,
}

struct NormedLinear<'a> {
    linear: Linear<'a>,
    eps: f32,
}

impl Kernels {
    /// `out [rows, n] = x [rows, k] · weight [n, k]ᵀ`, f32 in and out; `n` is half as many for a
    /// paired weight.
    pub fn linear(
        &self,
        out: &Tensor,
        x: &Tensor,
        weight: &PackedWeight,
        epilogue: Epilogue,
    ) -> Result<()> {
        out.inplace_op2(
            x,
            &Linear {
                kernels: self,
                weight,
                epilogue,
            },
        )
    }

    /// [`Kernels::linear`] of `x / rms(x) * norm`, rms over each row with `eps` inside the root
    /// (Zhang and Sennrich 2019).
    pub fn normed_linear(
        &self,
        out: &Tensor,
        x: &Tensor,
        norm: &Tensor,
        eps: f32,
        weight: &PackedWeight,
        epilogue: Epilogue,
    ) -> Result<()> {
        let linear = Linear {
            kernels: self,
            weight,
            epilogue,
        };
        out.inplace_op3(x, norm, &NormedLinear { linear, eps })
    }
}

impl Linear<'_> {
    fn run(&self, out: &mut [f32], input: Input<'_>) {
        let kernels = self.kernels;
        let mut work = kernels
            .products
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        gemm(
            kernels.set,
            &kernels.pool,
            &mut work,
            input,
            self.weight,
            out,
            self.epilogue,
        );
    }
}

impl InplaceOp2 for Linear<'_> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<()> {
        let x = storage::f32s(self.name(), x, x_layout)?;
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        self.run(out, Input { x, norm: None });
        Ok(())
    }
}

impl InplaceOp3 for NormedLinear<'_> {
    fn name(&self) -> &'static str {
        "normed_linear"
    }

    fn cpu_fwd(
        &self,
        out: &mut CpuStorage,
        out_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
        norm: &CpuStorage,
        norm_layout: &Layout,
    ) -> Result<()> {
        let x = storage::f32s(self.name(), x, x_layout)?;
        let weight = storage::f32s(self.name(), norm, norm_layout)?;
        let out = storage::f32s_mut(self.name(), out, out_layout)?;
        let eps = self.eps;
        let norm = Some(Norm { weight, eps });
        self.linear.run(out, Input { x, norm });
        Ok(())
    }
}
