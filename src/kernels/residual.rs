use super::cpu::{elementwise, pointwise};
use super::{Activation, Array, Kernels, Vector};
use candle_core::Result;

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
        if let Some(candle) = &self.candle {
            let norm = match norm {
                Some((weight, eps)) => Some((weight.candle("add_branch")?, eps)),
                None => None,
            };
            let (x, branch) = (x.candle("add_branch")?, branch.candle("add_branch")?);
            return candle.add_branch(x, branch, norm, scale);
        }
        let norm = match norm {
            Some((weight, eps)) => Some((weight.cpu("add_branch")?, eps)),
            None => None,
        };
        self.write_rows("add_branch", x, branch, |row, x, branch| {
            let branch = &branch[row * x.len()..][..x.len()];
            match norm {
                None => pointwise::add_scaled(self.set, x, branch, scale),
                Some((weight, eps)) => self.with_normed(branch, weight, eps, |normed| {
                    pointwise::add_scaled(self.set, x, normed, scale);
                }),
            }
        })
    }

    /// `x += bias` for each row of `x`.
    pub fn add_bias(&self, x: &Array, bias: &Vector) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.add_bias(x, bias);
        }
        if let Some(candle) = &self.candle {
            return candle.add_bias(x.candle("add_bias")?, bias.candle("add_bias")?);
        }
        self.bias(x, bias.cpu("add_bias")?, Activation::None)
    }

    /// `out = x / rms(x) * weight` for each row, with `eps` inside the root (Zhang and Sennrich
    /// 2019).
    pub fn rms_norm(&self, out: &Array, x: &Array, weight: &Vector, eps: f32) -> Result<()> {
        let op = "rms_norm";
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.rms_norm(out, x, weight, eps);
        }
        if let Some(candle) = &self.candle {
            return candle.rms_norm(out.candle(op)?, x.candle(op)?, weight.candle(op)?, eps);
        }
        let weight = weight.cpu(op)?;
        self.write_rows(op, out, x, |row, out, x| {
            let x = &x[row * out.len()..][..out.len()];
            elementwise::rms_norm(self.set, x, weight, eps, out);
        })
    }

    /// `x *= scale`.
    pub fn scale(&self, x: &Array, scale: f32) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.change_rows("scale_rows", x, scale);
        }
        if let Some(candle) = &self.candle {
            return candle.scale(x.candle("scale")?, scale);
        }
        self.change_rows("scale", x, |_, row| {
            row.iter_mut().for_each(|x| *x *= scale);
        })
    }

    /// `x = cap * tanh(x / cap)`.
    pub fn softcap(&self, x: &Array, cap: f32) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.change_rows("softcap_rows", x, cap);
        }
        if let Some(candle) = &self.candle {
            return candle.softcap(x.candle("softcap")?, cap);
        }
        self.change_rows("softcap", x, |_, row| {
            pointwise::softcap(self.set, row, cap);
        })
    }
}
