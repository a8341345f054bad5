//! The ops of decoders and encoders: one file an op, its CPU form in `cpu`.
//!
//! Every op writes in place into a tensor that its caller owns, so a step allocates
//! no activations. Each row of an output depends on that row's inputs alone, and is summed in an
//! order that does not depend on how many rows the step has, on threads or on tiles: this
//! is what makes an answer independent of its batch mates.

mod attention;
mod cpu;
mod dense;
mod embedding;
mod gather;
mod linear;
mod logits;
mod paged_layout;
mod rope;
mod rows;
mod storage;

pub use attention::{AttentionOptions, AttentionShape, AttentionSpan};
pub(crate) use cpu::SplitMut;
pub use cpu::elementwise::Activation;
pub use cpu::gemm::Epilogue;
pub use cpu::{
    Arrangement, KernelSet, PackedWeight, Placement, PlacementError, PoolError, RowSource,
    ThreadPool, UnknownKernelSet, WeightType,
};
pub use logits::RowSummary;
pub use paged_layout::{KV_BLOCK_SIZE, PagedLayout};
pub use storage::KvType;

use std::sync::{Arc, Mutex};

/// A kernel set and the threads it runs on. Clones share both.
#[derive(Clone)]
pub struct Kernels {
    set: KernelSet,
    pool: Arc<ThreadPool>,
    /// Activations and tiles of products.
    products: Arc<Mutex<cpu::gemm::Work>>,
    /// Tiles and partial results of attention.
    attention: Arc<Mutex<attention::Work>>,
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
        }
    }

    pub fn set(&self) -> KernelSet {
        self.set
    }

    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }
}
