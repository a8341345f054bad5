use super::ModelError;
use super::config::DecoderConfig;
use super::linear::Loader;
use crate::kernels::Vector;

/// RMSNorm (Zhang and Sennrich 2019).
pub struct RmsNorm {
    pub weight: Vector,
    pub eps: f32,
}

impl RmsNorm {
    pub fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        name: &str,
        len: usize,
    ) -> Result<Self, ModelError> {
        let mut values = loader.checkpoint.take_vec(name, len)?;
        for value in &mut values {
            *value += config.norm_offset;
        }
        Ok(Self {
            weight: loader.kernels.vector(values)?,
            eps: config.norm_eps,
        })
    }

    /// A norm where there is one.
    pub fn load_if(
        is_there: bool,
        loader: &Loader<'_>,
        config: &DecoderConfig,
        name: &str,
    ) -> Result<Option<Self>, ModelError> {
        is_there
            .then(|| Self::load(loader, config, name, config.hidden_size))
            .transpose()
    }
}
