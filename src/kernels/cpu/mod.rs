//! CPU forms of the ops.
//!
//! `portable` Rust is the specification. The same source is compiled again for wider
//! vectors where the compiler does well by itself ([`versions`]); matrix products, where
//! it does not, are written by hand in [`gemm_avx2`] and [`gemm_avx512`].

pub mod attention;
mod buffer;
pub mod elementwise;
pub mod gemm;
#[cfg(target_arch = "x86_64")]
mod gemm_avx2;
#[cfg(target_arch = "x86_64")]
mod gemm_avx512;
mod gemm_portable;
mod kernel_set;
pub mod math;
mod packed_weight;
mod pool;
mod split;
mod versions;

pub use buffer::AlignedBuffer;
pub use kernel_set::{KernelSet, UnknownKernelSet};
pub use packed_weight::{PackedWeight, RowSource, WeightType};
pub use pool::ThreadPool;
pub(crate) use split::SplitMut;
