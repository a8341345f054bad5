//! CPU forms of the ops.
//!
//! `portable` Rust is the specification. The same source is compiled again for wider
//! vectors where the compiler does well by itself ([`versions`]); matrix products and
//! attention over bf16, where it does not, are written by hand in [`gemm`] and
//! [`attention_avx512`].

pub mod attention;
#[cfg(target_arch = "x86_64")]
mod attention_avx512;
mod attention_portable;
mod buffer;
pub mod elementwise;
pub mod gemm;
mod kernel_set;
pub mod kv;
pub mod math;
mod meeting;
mod packed;
mod placement;
pub mod pointwise;
mod pool;
mod split;
mod versions;

pub use buffer::AlignedBuffer;
pub use kernel_set::{KernelSet, UnknownKernelSet};
pub use meeting::{Meeting, MeetingError};
pub use packed::{
    Arrangement, Float, Fp8Matrix, Matrix, MatrixRows, PackedWeight, RandomRows, RowSource,
    Strided, WeightType,
};
#[cfg(feature = "cuda")]
pub use packed::{Importance, Int4, Int8, Quantized, int4_groups, int8_groups};
pub use placement::{Placement, PlacementError};
pub use pool::{PoolError, ThreadPool};
pub(crate) use split::SplitMut;
