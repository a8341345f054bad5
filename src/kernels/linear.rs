use super::cpu::gemm::{Input, Norm, gemm};
use super::{Array, Epilogue, Kernels, PackedWeight, Vector, Weight, storage};
use candle_core::{CpuStorage, InplaceOp2, Layout, Result};
use std::sync::PoisonError;

struct Linear<'a> {
    kernels: &'a Kernels,
    weight: &'a PackedWeight,
    epilogue: Epilogue,
    norm: Option<Norm<'a>>,
}

impl Kernels {
    /// `out [rows, n] = x [rows, k] · weight [n, k]ᵀ`, f32 in and out; `n` is half as many for a
    /// paired weight.
    pub fn linear(
        &self,
        out: &Array,
        x: &Array,
        weight: &Weight,
        epilogue: Epilogue,
    ) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.linear(out, x, weight, epilogue);
        }
        if let Some(candle) = &self.candle {
            let (out, x) = (out.candle("linear")?, x.candle("linear")?);
            return candle.linear(out, x, weight.candle("linear")?, epilogue);
        }
        self.product(out, x, None, weight, epilogue)
    }

    /// [`Kernels::linear`] of `x / rms(x) * norm`, rms over each row with `eps` inside the root
    /// (Zhang and Sennrich 2019).
    pub fn normed_linear(
        &self,
        out: &Array,
        x: &Array,
        norm: &Vector,
        eps: f32,
        weight: &Weight,
        epilogue: Epilogue,
    ) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.normed_linear(out, x, norm, eps, weight, epilogue);
        }
        let op = "normed_linear";
        if let Some(candle) = &self.candle {
            let (out, x, weight) = (out.candle(op)?, x.candle(op)?, weight.candle(op)?);
            return candle.normed_linear(out, x, norm.candle(op)?, eps, weight, epilogue);
        }
        let weight_of_norm = norm.cpu(op)?;
        let norm = Norm {
            weight: weight_of_norm,
            eps,
        };
        self.product(out, x, Some(norm), weight, epilogue)
    }

    fn product(
        &self,
        out: &Array,
        x: &Array,
        norm: Option<Norm<'_>>,
        weight: &Weight,
        epilogue: Epilogue,
    ) -> Result<()> {
        out.cpu("linear")?.inplace_op2(
            x.cpu("linear")?,
            &Linear {
                kernels: self,
                weight: weight.cpu("linear")?,
                epilogue,
                norm,
            },
        )
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
        self.run(out, Input { x, norm: self.norm });
        Ok(())
    }
}
