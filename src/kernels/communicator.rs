//! What connects kernels that compute one model together, each a part of it.

use super::cpu::{Meeting, MeetingError};
#[cfg(feature = "cuda")]
use super::cuda;
use super::{Array, Kernels, storage};
use candle_core::{CpuStorage, Error, InplaceOp1, Layout, Result};
use std::any::Any;
use std::fmt::Display;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Which part of a model one of several ranks has (Shoeybi et al. 2019).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    pub rank: usize,
    /// How many ranks there are.
    pub size: usize,
}

/// One rank's end. Clones share it.
#[derive(Clone)]
pub(super) struct Communicator {
    shard: Shard,
    group: Arc<Group>,
}

struct Group {
    form: Form,
    /// Why the ranks do not meet any more, as the first that failed has said.
    failure: Mutex<Option<String>>,
}

enum Form {
    Cpu(Meeting),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Nccl),
}

struct AllReduce<'a> {
    meeting: &'a Meeting,
    rank: usize,
}

impl Shard {
    /// All of a model.
    pub const WHOLE: Self = Self { rank: 0, size: 1 };

    pub fn is_whole(self) -> bool {
        self.size == 1
    }

    /// Which of `n` things, a multiple of the ranks, this rank has.
    pub fn range(self, n: usize) -> Range<usize> {
        let num = n / self.size;
        self.rank * num..(self.rank + 1) * num
    }
}

impl Kernels {
    /// Makes these the ranks of one model, in this order. They must all compute on CPUs or all on
    /// GPUs, one each.
    ///
    /// Errors: NCCL is not found, or does not connect the GPUs.
    pub fn connect(ranks: Vec<Self>) -> Result<Vec<Self>> {
        if ranks.len() == 1 {
            return Ok(ranks);
        }
        let group = Arc::new(Group {
            form: Form::of(&ranks)?,
            failure: Mutex::default(),
        });
        let size = ranks.len();
        let connected = ranks.into_iter().enumerate().map(|(rank, kernels)| Self {
            communicator: Some(Communicator {
                shard: Shard { rank, size },
                group: Arc::clone(&group),
            }),
            ..kernels
        });
        Ok(connected.collect())
    }

    /// The part of a model that these kernels compute.
    pub fn shard(&self) -> Shard {
        self.communicator
            .as_ref()
            .map_or(Shard::WHOLE, |communicator| communicator.shard)
    }

    /// `x` = the sum of the `x` of all ranks, which are of one size. Every rank must come here as
    /// often as the others, within [`Kernels::in_lockstep`], and gets the same bits; where each row
    /// is summed in one order, so are the ranks. One rank alone has its sum.
    ///
    /// Errors: another rank has failed.
    pub fn all_reduce(&self, x: &Array) -> Result<()> {
        let Some(Communicator { shard, group }) = &self.communicator else {
            return Ok(());
        };
        let reduced = match &group.form {
            Form::Cpu(meeting) => x.cpu("all_reduce")?.inplace_op1(&AllReduce {
                meeting,
                rank: shard.rank,
            }),
            #[cfg(feature = "cuda")]
            Form::Cuda(nccl) => match &self.cuda {
                Some(cuda) => cuda.all_reduce(nccl, shard.rank, x),
                None => Err(super::array::elsewhere("all_reduce")),
            },
        };
        reduced.map_err(|error| match self.failure() {
            Some(failure) => Error::Msg(failure),
            None => error,
        })
    }

    /// Calls `compute` as this rank's share of what all ranks do. If it fails or panics, no other
    /// rank waits for this one: [`Kernels::all_reduce`] fails for all until [`Kernels::rejoin`].
    pub fn in_lockstep<T, E: Display>(
        &self,
        compute: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let Some(communicator) = &self.communicator else {
            return compute();
        };
        match catch_unwind(AssertUnwindSafe(compute)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                communicator.leave(&error.to_string());
                Err(error)
            }
            Err(panic) => {
                communicator.leave(&panic_message(&*panic));
                resume_unwind(panic)
            }
        }
    }

    /// Why the ranks do not meet, if one has failed.
    pub fn failure(&self) -> Option<String> {
        self.communicator.as_ref()?.failure().clone()
    }

    /// Lets ranks meet again after a failure. None may be within [`Kernels::in_lockstep`]. GPUs
    /// stay apart: what they have done of a step that failed cannot be known.
    pub fn rejoin(&self) {
        let Some(communicator) = &self.communicator else {
            return;
        };
        match &communicator.group.form {
            Form::Cpu(meeting) => {
                meeting.begin_anew();
                *communicator.failure() = None;
            }
            #[cfg(feature = "cuda")]
            Form::Cuda(_) => {}
        }
    }
}

impl Communicator {
    fn failure(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        let failure = self.group.failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the step of all ranks.
    fn leave(&self, why: &str) {
        let rank = self.shard.rank;
        self.failure()
            .get_or_insert_with(|| format!("rank {rank}: {why}"));
        match &self.group.form {
            Form::Cpu(meeting) => meeting.end(),
            #[cfg(feature = "cuda")]
            Form::Cuda(nccl) => nccl.end(),
        }
    }
}

impl Form {
    #[cfg(feature = "cuda")]
    fn of(ranks: &[Kernels]) -> Result<Self> {
        let gpus: Vec<_> = ranks.iter().filter_map(|rank| rank.cuda.clone()).collect();
        match gpus.len() {
            0 => Ok(Self::Cpu(Meeting::new(ranks.len()))),
            num if num == ranks.len() => Ok(Self::Cuda(cuda::Nccl::connect(&gpus)?)),
            _ => Err(super::array::elsewhere("connect")),
        }
    }

    #[cfg(not(feature = "cuda"))]
    fn of(ranks: &[Kernels]) -> Result<Self> {
        Ok(Self::Cpu(Meeting::new(ranks.len())))
    }
}

impl InplaceOp1 for AllReduce<'_> {
    fn name(&self) -> &'static str {
        "all_reduce"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let x = storage::f32s_mut(self.name(), x, layout)?;
        self.meeting.add_up(self.rank, x).map_err(|error| {
            Error::Msg(match error {
                MeetingError::Ended => "all_reduce: another rank has failed".into(),
                MeetingError::Sizes => "all_reduce: ranks have arrays of several sizes".into(),
            })
        })
    }
}

/// What a panic has said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{KernelSet, ThreadPool, Use};

    fn connected(size: usize) -> Vec<Kernels> {
        let kernels = |_| Kernels::new(KernelSet::Portable, ThreadPool::new(1).unwrap());
        Kernels::connect((0..size).map(kernels).collect()).unwrap()
    }

    /// What `of_rank` gives of each rank, all side by side.
    fn on_all<T: Send>(ranks: &[Kernels], of_rank: impl Fn(&Kernels) -> T + Sync) -> Vec<T> {
        std::thread::scope(|scope| {
            let of_rank = &of_rank;
            let threads: Vec<_> = ranks
                .iter()
                .map(|rank| scope.spawn(move || of_rank(rank)))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        })
    }

    #[test]
    fn ranks_are_added_in_their_order_and_all_get_the_same_bits() {
        // From the other end the sum would be 0.
        let values = [1e9f32, -1e9, 1.0];
        let ranks = connected(3);
        for round in 0..100 {
            let sums = on_all(&ranks, |kernels| {
                let value = values[kernels.shard().rank];
                let x = kernels.rows(vec![value, round as f32], 2, Use::Sums);
                let x = x.unwrap();
                kernels.all_reduce(&x).unwrap();
                x.to_rows().unwrap().concat()
            });
            assert_eq!(sums, [[1.0, 3.0 * round as f32]; 3]);
        }
    }

    #[test]
    fn a_rank_that_fails_or_panics_ends_the_step_of_all_and_they_may_meet_again() {
        let ranks = connected(3);
        for panics in [false, true] {
            let results = on_all(&ranks, |kernels| {
                let x = kernels.zeros(1, 1, Use::Sums).unwrap();
                let step = || match (kernels.shard().rank, panics) {
                    (1, false) => Err(Error::Msg("it is full".into())),
                    (1, true) => panic!("it is full"),
                    _ => kernels.all_reduce(&x),
                };
                match catch_unwind(AssertUnwindSafe(|| kernels.in_lockstep(step))) {
                    Ok(result) => result.unwrap_err().to_string(),
                    Err(panic) => panic_message(&*panic),
                }
            });
            assert_eq!(
                results,
                ["rank 1: it is full", "it is full", "rank 1: it is full"]
            );
            assert_eq!(ranks[0].failure().as_deref(), Some("rank 1: it is full"));
            ranks[0].rejoin();
            let sums = on_all(&ranks, |kernels| {
                let x = kernels.rows(vec![2.0], 1, Use::Sums).unwrap();
                kernels.in_lockstep(|| kernels.all_reduce(&x)).unwrap();
                x.to_rows().unwrap()[0][0]
            });
            assert_eq!(sums, [6.0; 3]);
        }
    }

    #[test]
    fn arrays_of_several_sizes_are_an_error_on_every_rank() {
        let results = on_all(&connected(2), |kernels| {
            let x = kernels.zeros(1 + kernels.shard().rank, 2, Use::Sums);
            kernels.all_reduce(&x.unwrap()).unwrap_err().to_string()
        });
        for message in results {
            assert!(message.contains("several sizes"), "{message}");
        }
    }

    #[test]
    fn one_rank_has_its_sum() {
        let kernels = connected(1).remove(0);
        assert!(kernels.shard().is_whole());
        let x = kernels.rows(vec![1.5], 1, Use::Sums).unwrap();
        kernels.all_reduce(&x).unwrap();
        assert_eq!(x.to_rows().unwrap(), [[1.5]]);
    }
}
