use super::ModelError;
use super::importance::Importance;
use super::norm::RmsNorm;
use super::weights::Checkpoint;
use crate::kernels::{Arrangement, Array, Epilogue, Kernels, Weight, WeightType};
use std::sync::Arc;

/// A linear layer without bias. Adapters will live here, so that neither the decoder nor a
/// family mentions them.
#[derive(Clone)]
pub struct Linear {
    weight: Arc<Weight>,
}

/// Types of a decoder's weights in memory. Norms are f32 always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision {
    /// Of the layers.
    pub layers: WeightType,
    /// Of the embedding and the output head.
    pub tables: WeightType,
}

impl From<WeightType> for Precision {
    /// Everything in one type.
    fn from(weight_type: WeightType) -> Self {
        Self {
            layers: weight_type,
            tables: weight_type,
        }
    }
}

/// What layers are built from and for.
pub struct Loader<'a> {
    pub checkpoint: &'a Checkpoint,
    pub kernels: &'a Kernels,
    pub precision: Precision,
}

impl Linear {
    /// One layer of the tensors `names`, `[n, k]` each.
    pub fn load(
        loader: &Loader<'_>,
        arrangement: Arrangement,
        names: &[(String, usize)],
        k: usize,
        importance: &Importance,
    ) -> Result<Self, ModelError> {
        let weight_type = loader.precision.layers;
        Self::pack(loader, arrangement, weight_type, names, k, importance)
    }

    /// The embedding or the output head, `[vocab, k]`.
    pub fn load_table(
        loader: &Loader<'_>,
        name: &str,
        vocab: usize,
        k: usize,
    ) -> Result<Self, ModelError> {
        let names = [(name.to_owned(), vocab)];
        Self::pack(
            loader,
            Arrangement::Stacked,
            loader.precision.tables,
            &names,
            k,
            &None,
        )
    }

    fn pack(
        loader: &Loader<'_>,
        arrangement: Arrangement,
        weight_type: WeightType,
        names: &[(String, usize)],
        k: usize,
        importance: &Importance,
    ) -> Result<Self, ModelError> {
        let sources = names
            .iter()
            .map(|(name, n)| loader.checkpoint.take(name, &[*n, k]))
            .collect::<Result<Vec<_>, _>>()?;
        let weight =
            loader
                .kernels
                .pack(&sources, k, arrangement, weight_type, importance.as_deref())?;
        Ok(Self {
            weight: Arc::new(weight),
        })
    }

    pub fn weight(&self) -> &Weight {
        &self.weight
    }

    pub fn num_bytes(&self) -> usize {
        self.weight.num_bytes()
    }

    /// `out [rows, n] = x [rows, k] · wᵀ`.
    pub fn forward(
        &self,
        kernels: &Kernels,
        out: &Array,
        x: &Array,
        epilogue: Epilogue,
    ) -> Result<(), ModelError> {
        Ok(kernels.linear(out, x, &self.weight, epilogue)?)
    }

    /// `out [rows, n] = norm(x) · wᵀ`.
    pub fn forward_normed(
        &self,
        kernels: &Kernels,
        out: &Array,
        x: &Array,
        norm: &RmsNorm,
        epilogue: Epilogue,
    ) -> Result<(), ModelError> {
        Ok(kernels.normed_linear(out, x, &norm.weight, norm.eps, &self.weight, epilogue)?)
    }
}
