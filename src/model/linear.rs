use super::ModelError;
use super::weights::Checkpoint;
use crate::kernels::{Epilogue, Kernels, PackedWeight, WeightType};
use candle_core::Tensor;
use std::sync::Arc;

/// A linear layer without bias. Quantised weights and adapters will live here, so that
/// neither the decoder nor a family mentions them.
#[derive(Clone)]
pub struct Linear {
    weight: Arc<PackedWeight>,
}

/// What layers are built from and for.
pub struct Loader<'a> {
    pub checkpoint: &'a Checkpoint,
    pub kernels: &'a Kernels,
    pub weight_type: WeightType,
}

impl Linear {
    /// One layer of the tensors `names`, `[n, k]` each, put below each other.
    pub fn load(
        loader: &Loader<'_>,
        names: &[(String, usize)],
        k: usize,
    ) -> Result<Self, ModelError> {
        let sources = names
            .iter()
            .map(|(name, n)| loader.checkpoint.take(name, &[*n, k]))
            .collect::<Result<Vec<_>, _>>()?;
        let weight = PackedWeight::pack(
            &sources,
            k,
            loader.weight_type,
            loader.kernels.set(),
            loader.kernels.pool(),
        );
        Ok(Self {
            weight: Arc::new(weight),
        })
    }

    pub fn weight(&self) -> &PackedWeight {
        &self.weight
    }

    pub fn num_bytes(&self) -> usize {
        self.weight.num_bytes()
    }

    /// `out [rows, n] = x [rows, k] · wᵀ`.
    pub fn forward(
        &self,
        kernels: &Kernels,
        out: &Tensor,
        x: &Tensor,
        epilogue: Epilogue,
    ) -> Result<(), ModelError> {
        Ok(kernels.linear(out, x, &self.weight, epilogue)?)
    }
}
