//! The ranks that compute one model together: their kernels, and the threads of all but the first.

use super::{DeviceChoice, LoadError, ModelOptions, kernels};
use crate::engine::ranks::{Followers, Work};
#[cfg(feature = "cuda")]
use crate::kernels::CudaOptions;
use crate::kernels::{Batch, Kernels, Placement, PoolError, ThreadPool};
use crate::model::{Decoder, KvCache, ModelError};

/// The kernels of each rank, that of the engine's own thread first. On a CPU ranks divide the
/// threads among themselves; on GPUs each has the next one.
pub fn kernels_of_ranks(options: &ModelOptions) -> Result<Vec<Kernels>, LoadError> {
    let size = options.tensor_parallel;
    let first = on_device(kernels(options)?, options, 0)?;
    if size == 1 {
        return Ok(vec![first]);
    }
    let num_threads = first.pool().num_threads();
    let placement = Placement {
        // All ranks would get the same processors.
        pin_threads: false,
        ..options.placement
    };
    let ranks = (0..size).map(|rank| {
        let pool = match (first.gpu().is_some(), rank) {
            // It alone draws from logits.
            (true, 0) => return Ok(first.clone()),
            (true, _) => ThreadPool::new(1)?,
            (false, _) => ThreadPool::placed((num_threads / size).max(1), placement)?,
        };
        on_device(Kernels::new(first.set(), pool), options, rank)
    });
    let ranks = ranks.collect::<Result<_, LoadError>>()?;
    Ok(Kernels::connect(ranks).map_err(ModelError::from)?)
}

/// Puts the kernels of a rank on the device that is asked for.
fn on_device(kernels: Kernels, options: &ModelOptions, rank: usize) -> Result<Kernels, LoadError> {
    let _ = rank;
    match options.device {
        DeviceChoice::Cpu => Ok(kernels),
        #[cfg(feature = "cuda")]
        DeviceChoice::Auto if !Kernels::has_cuda() => Ok(kernels),
        #[cfg(feature = "cuda")]
        DeviceChoice::Auto | DeviceChoice::Cuda(_) => {
            let first = match options.device {
                DeviceChoice::Cuda(ordinal) => ordinal,
                _ => 0,
            };
            let deterministic = options.deterministic;
            let on_cuda = kernels.on_cuda(CudaOptions {
                ordinal: first + rank,
                deterministic,
            });
            Ok(on_cuda.map_err(ModelError::from)?)
        }
        #[cfg(not(feature = "cuda"))]
        DeviceChoice::Auto => Ok(kernels),
        #[cfg(not(feature = "cuda"))]
        DeviceChoice::Cuda(_) => Err(LoadError::NoCuda),
    }
}

/// Starts the threads of all ranks but the first.
pub fn follow(ranks: Vec<(Decoder, KvCache)>) -> Result<Followers, LoadError> {
    let work = ranks.into_iter().map(|(decoder, cache)| {
        let kernels = decoder.kernels().clone();
        let work: Work = Box::new(move |batch: &Batch<'_>| {
            decoder.forward(batch, &cache)?;
            Ok(decoder.kernels().wait()?)
        });
        (kernels, work)
    });
    Ok(Followers::start(work.collect()).map_err(PoolError::from)?)
}
