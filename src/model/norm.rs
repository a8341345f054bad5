use super::ModelError;
use super::linear::Loader;
use candle_core::{Device, Tensor};

/// The RMSNorm (Zhang and Sennrich 2019) in front of a linear layer, which computes it.
pub struct RmsNorm {
    pub weight: Tensor,
    pub eps: f32,
}

impl RmsNorm {
    pub fn load(loader: &Loader<'_>, name: &str, len: usize, eps: f32) -> Result<Self, ModelError> {
        let weight = Tensor::from_vec(loader.checkpoint.take_vec(name, len)?, len, &Device::Cpu)?;
        Ok(Self { weight, eps })
    }
}
