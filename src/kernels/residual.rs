use super::cpu::{elementwise, pointwise};
use super::{Activation, Array, Kernels, Vector, storage};
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result};
use std::cell::RefCell;

struct AddBranch<'a> {
    kernels: &'a Kernels,
    norm: Option<(&'a [f32], f32)>,
    scale: f32,
}

struct RmsNorm<'a> {
    kernels: &'a Kernels,
    weight: &'a [f32],
    eps: f32,
}

struct Scale<'a> {
    kernels: &'a Kernels,
    scale: f32,
}

struct Softcap<'a> {
    kernels: &'a Kernels,
    cap: f32,
}

thread_local! {
    static NORMED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl Kernels {
    /// `x += scale * branch`, of `norm(branch)` where there is a norm, given as its weights and
    /// what stands under its root beside the mean.
    pub fn add_branch(
        &self,
        x: &Array,
        branch: &Array,
        norm: Option<(&Vector, f32)>,
        scale: f32,
    ) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.add_branch(x, branch, norm, scale);
        }
        let norm = match norm {
            Some((weight, eps)) => Some((weight.cpu("add_branch")?, eps)),
            None => None,
        };
        x.cpu("add_branch")?.inplace_op2(
            branch.cpu("add_branch")?,
            &AddBranch {
                kernels: self,
                norm,
                scale,
            },
        )
    }

    /// `x += bias` for each row of `x`.
    pub fn add_bias(&self, x: &Array, bias: &Vector) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.add_bias(x, bias);
        }
        self.bias(x, bias.cpu("add_bias")?, Activation::None)
    }

    /// `out = x / rms(x) * weight` for each row, with `eps` inside the root (Zhang and Sennrich
    /// 2019).
    pub fn rms_norm(&self, out: &Array, x: &Array, weight: &Vector, eps: f32) -> Result<()> {
        out.cpu("rms_norm")?.inplace_op2(
            x.cpu("rms_norm")?,
            &RmsNorm {
                kernels: self,
                weight: weight.cpu("rms_norm")?,
                eps,
            },
        )
    }

    /// `x *= scale`.
    pub fn scale(&self, x: &Array, scale: f32) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.change_rows("scale_rows", x, scale);
        }
        x.cpu("scale")?.inplace_op1(&Scale {
            kernels: self,
            scale,
        })
    }

    /// `x = cap * tanh(x / cap)`.
    pub fn softcap(&self, x: &Array, cap: f32) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.change_rows("softcap_rows", x, cap);
        }
        x.cpu("softcap")?
            .inplace_op1(&Softcap { kernels: self, cap })
    }
}

impl InplaceOp2 for AddBranch<'_> {
    fn name(&self) -> &'static str {
        "add_branch"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &Layout,
        branch: &CpuStorage,
        branch_layout: &Layout,
    ) -> Result<()> {
        let width = storage::row_len(branch_layout);
        let branch = storage::f32s(self.name(), branch, branch_layout)?;
        let x = storage::f32s_mut(self.name(), x, x_layout)?;
        let set = self.kernels.set;
        self.kernels.for_rows(x, width, |row, x| {
            let branch = &branch[row * width..][..width];
            let Some((weight, eps)) = self.norm else {
                return pointwise::add_scaled(set, x, branch, self.scale);
            };
            NORMED.with_borrow_mut(|normed| {
                normed.resize(width, 0.0);
                elementwise::rms_norm(set, branch, weight, eps, normed);
                pointwise::add_scaled(set, x, normed, self.scale);
            });
        });
        Ok(())
    }
}

impl InplaceOp2 for RmsNorm<'_> {
    fn name(&self) -> &'static str {
        "rms_norm"
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
        self.kernels.for_rows(out, width, |row, out| {
            let x = &x[row * width..][..width];
            elementwise::rms_norm(self.kernels.set, x, self.weight, self.eps, out);
        });
        Ok(())
    }
}

impl InplaceOp1 for Scale<'_> {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let width = storage::row_len(layout);
        let x = storage::f32s_mut(self.name(), x, layout)?;
        self.kernels.for_rows(x, width, |_, row| {
            row.iter_mut().for_each(|x| *x *= self.scale);
        });
        Ok(())
    }
}

impl InplaceOp1 for Softcap<'_> {
    fn name(&self) -> &'static str {
        "softcap"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let width = storage::row_len(layout);
        let x = storage::f32s_mut(self.name(), x, layout)?;
        self.kernels.for_rows(x, width, |_, row| {
            pointwise::softcap(self.kernels.set, row, self.cap);
        });
        Ok(())
    }
}
