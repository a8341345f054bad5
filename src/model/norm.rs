use super::ModelError;
use super::linear::Loader;
use crate::kernels::Vector;

/// The RMSNorm (Zhang and Sennrich 2019) in front of a linear layer, which computes it.
pub struct RmsNorm {
    pub weight: Vector,
    pub eps: f32,
}

impl RmsNorm {
    pub fn load(loader: &Loader<'_>, name: &str, len: usize, eps: f32) -> Result<Self, ModelError> {
        let values = loader.checkpoint.take_vec(name, len)?;
        let weight = loader.kernels.vector(values)?;
        Ok(Self { weight, eps })
    }
}
