//! The ops of decoders and encoders: one file an op, its CPU form in `cpu`.
//!
//! Every op writes in place into a tensor that its caller owns, so a step allocates
//! no activations. Each row of an output depends on that row's inputs alone, and is summed in an
//! order that does not depend on how many rows the step has, on threads or on tiles: this
//! is what makes an answer independent of its batch mates.

mod activation;
mod array;
mod attention;
mod choice;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod dense;
mod embedding;
mod gather;
mod heads;
mod linear;
mod logits;
mod paged_layout;
mod residual;
mod rope;
mod routing;
mod rows;
mod step;
mod storage;
mod weight;

pub use array::{Array, Use, Vector};
pub use attention::{AttentionOptions, AttentionShape, AttentionSpan};
pub use choice::{Choice, ChoiceLimits, Chosen, Draw, LogitEdit, RowResult, RowUse, TokenChoice};
pub(crate) use cpu::SplitMut;
pub use cpu::elementwise::Activation;
pub use cpu::gemm::Epilogue;
pub use cpu::pointwise::XIELU_BETA;
pub use cpu::{
    Arrangement, Float, KernelSet, Matrix, MatrixRows, PackedWeight, Placement, PlacementError,
    PoolError, RowSource, Strided, ThreadPool, UnknownKernelSet, WeightType,
};
#[cfg(feature = "cuda")]
pub use cuda::CudaOptions;
pub use heads::HeadNorms;
pub use logits::RowSummary;
pub use paged_layout::{KV_BLOCK_SIZE, PagedLayout};
pub use rope::RopeTable;
pub use routing::Routing;
pub use step::{Batch, Indices, Spans, Step};
pub use storage::KvType;
pub use weight::Weight;

use std::sync::{Arc, Mutex};

/// A device, and the kernels that compute on it: a kernel set and the threads that it runs on, and
/// beside them a GPU that has the model. Clones share all.
#[derive(Clone)]
pub struct Kernels {
    set: KernelSet,
    pool: Arc<ThreadPool>,
    /// Activations and tiles of products.
    products: Arc<Mutex<cpu::gemm::Work>>,
    /// Tiles and partial results of attention.
    attention: Arc<Mutex<attention::Work>>,
    #[cfg(feature = "cuda")]
    cuda: Option<Arc<cuda::Cuda>>,
}

impl Kernels {
    /// Panics if this processor does not run `set`; [`KernelSet::select`] asks before.
    pub fn new(set: KernelSet, pool: Arc<ThreadPool>) -> Self {
        assert!(set.is_supported(), "{set} does not run on this processor");
        Self {
            set,
            pool,
            products: Arc::default(),
            attention: Arc::default(),
            #[cfg(feature = "cuda")]
            cuda: None,
        }
    }

    /// Puts the model on a GPU; what is drawn from its logits stays here.
    #[cfg(feature = "cuda")]
    pub fn on_cuda(self, options: CudaOptions) -> candle_core::Result<Self> {
        let cuda = Some(Arc::new(cuda::Cuda::open(options)?));
        Ok(Self { cuda, ..self })
    }

    /// What computes, as the log and a fingerprint name it.
    pub fn name(&self) -> String {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return match cuda.is_deterministic() {
                true => "cuda".into(),
                false => "cuda-unordered".into(),
            };
        }
        self.set.to_string()
    }

    /// The GPU that has the model.
    pub fn gpu(&self) -> Option<String> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return Some(cuda.device().name());
        }
        None
    }

    /// Memory of the GPU that nobody has, in bytes; `None` without one.
    pub fn free_gpu_memory(&self) -> candle_core::Result<Option<u64>> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            let (free, _) = cuda.device().free_memory()?;
            return Ok(Some(free as u64));
        }
        Ok(None)
    }

    /// Whether there is a GPU for [`Kernels::on_cuda`].
    #[cfg(feature = "cuda")]
    pub fn has_cuda() -> bool {
        cuda::Device::count().is_ok_and(|count| count > 0)
    }

    /// Numbers of rows under which the device records steps that only decode, in order; see
    /// [`Kernels::run`].
    pub fn recorded_rows(&self) -> impl Iterator<Item = usize> {
        #[cfg(feature = "cuda")]
        let recorded = self.cuda.iter().flat_map(|_| cuda::RECORDED);
        #[cfg(not(feature = "cuda"))]
        let recorded = std::iter::empty();
        recorded
    }

    /// Called by the thread that is going to call ops, before the first.
    pub fn enter(&self) -> candle_core::Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.device().enter();
        }
        self.pool.place_caller();
        Ok(())
    }

    /// Waits until the ops that were called are done; on a CPU they are.
    pub fn wait(&self) -> candle_core::Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.device().wait();
        }
        Ok(())
    }

    pub fn set(&self) -> KernelSet {
        self.set
    }

    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }
}
