use super::{Kernels, PackedWeight, cpu, storage};
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor};
use std::sync::PoisonError;

/// What a linear layer does with its products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    Store,
    /// Adds them to the output: the residual connection.
    Add,
}

struct Linear<'a> {
    kernels: &'a Kernels,
    weight: &'a PackedWeight,
    epilogue: Epilogue,
}

impl Kernels {
    /// `out [rows, n] = x [rows, k] · weight [n, k]ᵀ`, f32 in and out.
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
        let mut scratch = self
            .kernels
            .scratch
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let add = self.epilogue == Epilogue::Add;
        cpu::gemm::gemm(
            self.kernels.set,
            &self.kernels.pool,
            &mut scratch,
            x,
            self.weight,
            out,
            add,
        );
        Ok(())
    }
}
