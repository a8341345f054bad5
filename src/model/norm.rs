use super::ModelError;
use super::linear::Loader;
use crate::kernels::Kernels;
use candle_core::{Device, Tensor};

/// RMSNorm (Zhang and Sennrich 2019).
pub struct RmsNorm {
    weight: Tensor,
    eps: f32,
}

impl RmsNorm {
    pub fn load(loader: &Loader<'_>, name: &str, len: usize, eps: f32) -> Result<Self, ModelError> {
        let weight = Tensor::from_vec(loader.checkpoint.take_vec(name, len)?, len, &Device::Cpu)?;
        Ok(Self { weight, eps })
    }

    pub fn forward(&self, kernels: &Kernels, out: &Tensor, x: &Tensor) -> Result<(), ModelError> {
        Ok(kernels.rms_norm(out, x, &self.weight, self.eps)?)
    }
}
