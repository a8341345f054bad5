#[cfg(feature = "cuda")]
use super::cuda;
use super::{Arrangement, Kernels, PackedWeight, RowSource, WeightType, candle};
use candle_core::Result;

/// A weight `[n, k]` of a linear layer, on the device and in the order in which its kernels read
/// it.
pub enum Weight {
    Cpu(PackedWeight),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Weight),
    Candle(candle::Weight),
}

impl Weight {
    /// Number of outputs, the halves of pairs counted each.
    pub fn n(&self) -> usize {
        match self {
            Self::Cpu(weight) => weight.n(),
            #[cfg(feature = "cuda")]
            Self::Cuda(weight) => weight.n(),
            Self::Candle(weight) => weight.n(),
        }
    }

    /// Number of inputs.
    pub fn k(&self) -> usize {
        match self {
            Self::Cpu(weight) => weight.k(),
            #[cfg(feature = "cuda")]
            Self::Cuda(weight) => weight.k(),
            Self::Candle(weight) => weight.k(),
        }
    }

    pub fn num_bytes(&self) -> usize {
        match self {
            Self::Cpu(weight) => weight.num_bytes(),
            #[cfg(feature = "cuda")]
            Self::Cuda(weight) => weight.num_bytes(),
            Self::Candle(weight) => weight.num_bytes(),
        }
    }

    pub(super) fn cpu(&self, op: &'static str) -> Result<&PackedWeight> {
        match self {
            Self::Cpu(weight) => Ok(weight),
            _ => Err(super::array::elsewhere(op)),
        }
    }

    #[cfg(feature = "cuda")]
    pub(super) fn cuda(&self, op: &'static str) -> Result<&cuda::Weight> {
        match self {
            Self::Cuda(weight) => Ok(weight),
            _ => Err(super::array::elsewhere(op)),
        }
    }

    pub(super) fn candle(&self, op: &'static str) -> Result<&candle::Weight> {
        match self {
            Self::Candle(weight) => Ok(weight),
            _ => Err(super::array::elsewhere(op)),
        }
    }
}

impl From<PackedWeight> for Weight {
    fn from(weight: PackedWeight) -> Self {
        Self::Cpu(weight)
    }
}

impl Kernels {
    /// Packs `sources`, each of rows of `k` elements; see [`PackedWeight::pack`], which says what
    /// `importance` is and when this panics. Where experts stand in one weight, so do the sources
    /// and the importances of each, one behind the other.
    pub fn pack(
        &self,
        sources: &[RowSource<'_>],
        k: usize,
        arrangement: Arrangement,
        weight_type: WeightType,
        importance: Option<&[f32]>,
    ) -> Result<Weight> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            let weight = cuda.pack(sources, k, arrangement, weight_type, importance, self)?;
            return Ok(Weight::Cuda(weight));
        }
        if let Some(candle) = &self.candle {
            let weight = candle.pack(sources, k, arrangement, weight_type, &self.pool)?;
            return Ok(Weight::Candle(weight));
        }
        Ok(Weight::Cpu(PackedWeight::pack(
            sources,
            k,
            arrangement,
            weight_type,
            importance,
            self.set,
            &self.pool,
        )))
    }
}
