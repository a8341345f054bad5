//! The ops of decoders and encoders: one file an op, its CPU form in `cpu`. Decoders have two more
//! forms: `cuda`, for NVIDIA's GPUs, and `candle`, for every device of candle, of which Apple's GPUs
//! are one.
//!
//! Every op writes in place into a tensor that its caller owns, so a step allocates
//! no activations. Each row of an output depends on that row's inputs alone, and is summed in an
//! order that does not depend on how many rows the step has, on threads or on tiles: this
//! is what makes an answer independent of its batch mates. Of both rules `candle` is free.

mod activation;
mod array;
mod attention;
mod candle;
mod choice;
mod communicator;
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
pub use communicator::Shard;
pub(crate) use communicator::panic_message;
pub(crate) use cpu::SplitMut;
pub use cpu::elementwise::Activation;
pub use cpu::gemm::Epilogue;
pub use cpu::pointwise::{XIELU_BETA, XIELU_EPS};
pub use cpu::{
    Arrangement, Float, Fp8Matrix, KernelSet, Matrix, MatrixRows, PackedWeight, Placement,
    PlacementError, PoolError, RandomRows, RowSource, Strided, ThreadPool, UnknownKernelSet,
    WeightType,
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

#[cfg(feature = "metal")]
use candle_core::Device;
use communicator::Communicator;
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
    /// There where others compute the rest of the model.
    communicator: Option<Communicator>,
    candle: Option<Arc<candle::Candle>>,
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
            communicator: None,
            candle: None,
        }
    }

    /// Puts the model on a GPU; what is drawn from its logits stays here.
    #[cfg(feature = "cuda")]
    pub fn on_cuda(self, options: CudaOptions) -> candle_core::Result<Self> {
        let cuda = Some(Arc::new(cuda::Cuda::open(options)?));
        Ok(Self { cuda, ..self })
    }

    /// Whether candle's operations compute the model.
    pub fn is_on_candle(&self) -> bool {
        self.candle.is_some()
    }

    /// Puts the model on a device of candle, as `on_metal` does on a GPU of Apple.
    pub fn on_candle(self, device: candle_core::Device) -> Self {
        let candle = Some(Arc::new(candle::Candle::new(device)));
        Self { candle, ..self }
    }

    /// Puts the model on the GPU of a Mac; what is drawn from its logits stays here.
    #[cfg(feature = "metal")]
    pub fn on_metal(self) -> candle_core::Result<Self> {
        Ok(self.on_candle(candle::metal::open()?))
    }

    /// Whether there is a GPU for [`Kernels::on_metal`].
    #[cfg(feature = "metal")]
    pub fn has_metal() -> bool {
        candle::metal::is_there()
    }

    /// Whether a row is summed in one order, whatever else a step holds.
    pub fn is_deterministic(&self) -> bool {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.is_deterministic();
        }
        self.candle.is_none()
    }

    /// Whether hundreds of rows take the device hardly longer than one.
    pub fn takes_large_steps(&self) -> bool {
        #[cfg(feature = "cuda")]
        let large = self.cuda.is_some();
        #[cfg(not(feature = "cuda"))]
        let large = false;
        large
    }

    /// What computes, as the log and a fingerprint name it.
    pub fn name(&self) -> String {
        #[cfg(feature = "cuda")]
        if self.cuda.is_some() {
            return match self.is_deterministic() {
                true => "cuda".into(),
                false => "cuda-unordered".into(),
            };
        }
        match &self.candle {
            Some(candle) if candle.device().is_metal() => "metal-unordered".into(),
            Some(_) => "candle-unordered".into(),
            None => self.set.to_string(),
        }
    }

    /// The GPU that has the model.
    pub fn gpu(&self) -> Option<String> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return Some(cuda.device().name());
        }
        #[cfg(feature = "metal")]
        if let Some(Device::Metal(device)) = self.candle_device() {
            return Some(candle::metal::name(device));
        }
        None
    }

    /// Memory of the GPU that nobody has and a KV cache may have, in bytes; `None` without one.
    pub fn free_gpu_memory(&self) -> candle_core::Result<Option<u64>> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            let (free, _) = cuda.device().free_memory()?;
            return Ok(Some(free as u64));
        }
        #[cfg(feature = "metal")]
        if let Some(Device::Metal(device)) = self.candle_device() {
            return Ok(Some(candle::metal::free_memory(device)));
        }
        Ok(None)
    }

    /// GPUs that this build may put a model on; see `Kernels::on_cuda`.
    pub fn num_gpus() -> usize {
        #[cfg(feature = "cuda")]
        return cuda::Device::count().unwrap_or(0);
        #[cfg(not(feature = "cuda"))]
        0
    }

    /// Numbers of rows under which the device records steps that only decode, in order; see
    /// [`Kernels::run`]. Steps in which ranks meet are not recorded.
    pub fn recorded_rows(&self) -> impl Iterator<Item = usize> {
        #[cfg(feature = "cuda")]
        let recorded = (self.cuda.iter())
            .filter(|_| self.shard().is_whole())
            .flat_map(|_| cuda::RECORDED);
        #[cfg(not(feature = "cuda"))]
        let recorded = std::iter::empty();
        recorded
    }

    /// Rows that arrays must have for steps of up to `rows`: a device fills up those that it
    /// records.
    pub fn room_for(&self, rows: usize) -> usize {
        let mut recorded = self.recorded_rows();
        recorded.find(|num| *num >= rows).unwrap_or(rows)
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

    #[cfg(feature = "metal")]
    fn candle_device(&self) -> Option<&Device> {
        self.candle.as_ref().map(|candle| candle.device())
    }

    /// Waits until the ops that were called are done; on a CPU they are.
    pub fn wait(&self) -> candle_core::Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.device().wait();
        }
        match &self.candle {
            Some(candle) => candle.wait(),
            None => Ok(()),
        }
    }

    pub fn set(&self) -> KernelSet {
        self.set
    }

    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }
}
