//! A model for several engines.

use super::{DeviceChoice, LoadError, LoadedModel, ModelOptions, kernels, load_one, ranks};
use crate::engine::EngineConfig;
use crate::engine::model_runner::ModelRunner;
use crate::kernels::{Kernels, KvType, ThreadPool};
use crate::model::{Decoder, KvCache};
use std::path::Path;
use std::sync::Arc;

/// Why a model cannot have so many engines.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplicasError {
    #[error(
        "model.replicas is {replicas}, from cuda:{first} on, and there are {num_gpus} GPUs (cuda:0 is \
         the first): a replica needs {of_each} of its own"
    )]
    TooFewGpus {
        replicas: usize,
        first: usize,
        num_gpus: usize,
        /// As many as compute together.
        of_each: usize,
    },
    #[error(
        "model.replicas is {replicas}, and {num_threads} threads compute: on a CPU a replica needs one \
         of its own (engine.num_threads)"
    )]
    TooFewThreads { replicas: usize, num_threads: usize },
    #[error("model.replicas is {0}, and the model makes vectors or scores: those have one engine")]
    OfEncoder(usize),
}

/// A decoder, and what else its engine takes.
pub struct Loaded {
    pub decoder: Decoder,
    pub cache: KvCache,
    /// What the ranks beside the first have.
    pub followers: Vec<(Decoder, KvCache)>,
    pub kv_type: KvType,
    pub config: EngineConfig,
    pub description: String,
    pub numerics: String,
}

/// What [`super::load`] does, for as many engines as `options.replicas` says. On GPUs each has a
/// copy of the weights on a device of its own, from the one that is asked for on. On a CPU all read
/// the same weights, each on its own of `pools`, which are those of [`ModelOptions::thread_pools`].
pub fn load_replicas(
    dir: &Path,
    options: &ModelOptions,
    pools: &[Arc<ThreadPool>],
) -> Result<Vec<LoadedModel>, LoadError> {
    let mut loaded: Vec<Loaded> = Vec::new();
    let devices = devices(options, Kernels::num_gpus)?;
    for (device, pool) in devices.into_iter().zip(pools) {
        let options = ModelOptions {
            device,
            pool: Some(Arc::clone(pool)),
            ..options.clone()
        };
        loaded.push(match loaded.first() {
            Some(first) if device == DeviceChoice::Cpu && first.followers.is_empty() => {
                first.sharing_weights(&options)?
            }
            _ => load_one(dir, &options)?,
        });
    }
    loaded.into_iter().map(Loaded::ready).collect()
}

/// The device of each replica. `num_gpus` counts those that this build may use; asked only where it
/// matters, since it wakes a driver.
fn devices(
    options: &ModelOptions,
    num_gpus: impl FnOnce() -> usize,
) -> Result<Vec<DeviceChoice>, LoadError> {
    let replicas = options.replicas;
    if replicas == 1 {
        return Ok(vec![options.device]);
    }
    let num_gpus = match options.device {
        DeviceChoice::Metal => return Err(LoadError::MetalAlone),
        DeviceChoice::Cpu => 0,
        DeviceChoice::Auto | DeviceChoice::Cuda(_) => num_gpus(),
    };
    let first = match options.device {
        DeviceChoice::Cuda(_) if num_gpus == 0 && !cfg!(feature = "cuda") => {
            return Err(LoadError::NoCuda);
        }
        DeviceChoice::Cuda(first) => Some(first),
        DeviceChoice::Auto if num_gpus > 0 => Some(0),
        DeviceChoice::Auto | DeviceChoice::Cpu | DeviceChoice::Metal => None,
    };
    if let Some(first) = first {
        let of_each = options.tensor_parallel.max(1);
        let end = first.saturating_add(replicas * of_each);
        if end > num_gpus {
            let error = ReplicasError::TooFewGpus {
                replicas,
                first,
                num_gpus,
                of_each,
            };
            return Err(error.into());
        }
        let ordinals = (first..end).step_by(of_each);
        return Ok(ordinals.map(DeviceChoice::Cuda).collect());
    }
    let num_threads = options.num_threads();
    if num_threads < replicas {
        let error = ReplicasError::TooFewThreads {
            replicas,
            num_threads,
        };
        return Err(error.into());
    }
    Ok(vec![DeviceChoice::Cpu; replicas])
}

impl Loaded {
    /// Starts the threads of all ranks but the first.
    pub fn ready(self) -> Result<LoadedModel, LoadError> {
        let (decoder, cache) = (self.decoder, self.cache);
        let runner = match self.followers.is_empty() {
            true => ModelRunner::new(decoder, cache),
            false => ModelRunner::leading(decoder, cache, ranks::follow(self.followers)?),
        };
        Ok(LoadedModel {
            runner: Box::new(runner),
            config: self.config,
            description: self.description,
            numerics: self.numerics,
        })
    }

    /// The same model for another engine, whose threads `options` name.
    fn sharing_weights(&self, options: &ModelOptions) -> Result<Self, LoadError> {
        let kernels = kernels(options)?;
        let _interleaved = kernels.pool().interleave_scope()?;
        let groups = self.config.kv_groups.iter();
        let num_blocks: Vec<usize> = groups.map(|group| group.num_blocks).collect();
        Ok(Self {
            cache: KvCache::new(self.decoder.config(), &kernels, self.kv_type, &num_blocks)?,
            followers: Vec::new(),
            kv_type: self.kv_type,
            config: self.config.clone(),
            description: format!(
                "the same weights, on {} threads, with as many KV blocks of its own",
                kernels.pool().num_threads()
            ),
            numerics: self.numerics.clone(),
            decoder: self.decoder.sharing_weights(kernels)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices_of(
        device: DeviceChoice,
        replicas: usize,
        num_gpus: usize,
    ) -> Result<Vec<DeviceChoice>, String> {
        let options = ModelOptions {
            device,
            replicas,
            num_threads: Some(4),
            ..ModelOptions::default()
        };
        devices(&options, || num_gpus).map_err(|error| error.to_string())
    }

    #[test]
    fn replicas_have_gpus_of_their_own_from_the_first_on() {
        use DeviceChoice::{Auto, Cpu, Cuda};
        assert_eq!(devices_of(Auto, 3, 4), Ok(vec![Cuda(0), Cuda(1), Cuda(2)]));
        assert_eq!(devices_of(Cuda(2), 2, 4), Ok(vec![Cuda(2), Cuda(3)]));
        assert_eq!(devices_of(Cpu, 2, 4), Ok(vec![Cpu, Cpu]));
        assert_eq!(devices_of(Auto, 2, 0), Ok(vec![Cpu, Cpu]));
        // One finds its device by itself.
        assert_eq!(devices_of(Auto, 1, 4), Ok(vec![Auto]));
    }

    #[test]
    fn replicas_of_several_gpus_do_not_share_one() {
        let options = ModelOptions {
            device: DeviceChoice::Cuda(1),
            replicas: 2,
            tensor_parallel: 2,
            ..ModelOptions::default()
        };
        let found = devices(&options, || 5).unwrap();
        assert_eq!(found, [DeviceChoice::Cuda(1), DeviceChoice::Cuda(3)]);
        assert_eq!(
            devices(&options, || 4).unwrap_err().to_string(),
            "model.replicas is 2, from cuda:1 on, and there are 4 GPUs (cuda:0 is the first): a replica \
             needs 2 of its own"
        );
    }

    #[test]
    fn more_replicas_than_devices_or_threads_are_refused_in_one_sentence() {
        assert_eq!(
            devices_of(DeviceChoice::Cuda(2), 3, 4).unwrap_err(),
            "model.replicas is 3, from cuda:2 on, and there are 4 GPUs (cuda:0 is the first): a replica \
             needs 1 of its own"
        );
        assert_eq!(
            devices_of(DeviceChoice::Cpu, 5, 0).unwrap_err(),
            "model.replicas is 5, and 4 threads compute: on a CPU a replica needs one of its own \
             (engine.num_threads)"
        );
    }
}
