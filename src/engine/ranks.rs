//! The ranks of a model beside the first: threads that compute the engine's steps along with it.
//!
//! Owns the threads and what they are told of a step. Refuses to know what a rank has of the model.

use crate::kernels::{AttentionSpan, Batch, Kernels};
use crate::model::ModelError;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// What a rank does in a step.
pub type Work = Box<dyn FnMut(&Batch<'_>) -> Result<(), ModelError> + Send>;

/// Dropped, it ends its threads and waits for them.
pub struct Followers {
    followers: Vec<Follower>,
}

struct Follower {
    /// None once it is to end.
    batches: Option<Sender<Arc<SharedBatch>>>,
    /// After each batch, whether it was computed.
    computed: Receiver<bool>,
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
}

/// A batch of which every thread has a part.
struct SharedBatch {
    token_ids: Vec<u32>,
    positions: Vec<u32>,
    /// Of each KV group.
    spans: Vec<Vec<SharedSpan>>,
    output_rows: Vec<u32>,
}

struct SharedSpan {
    rows: Range<usize>,
    start: usize,
    block_table: Vec<u32>,
}

impl Followers {
    /// Starts a thread for each rank but the first, which do their work with these kernels.
    pub fn start(ranks: Vec<(Kernels, Work)>) -> io::Result<Self> {
        let followers = ranks.into_iter().map(|(kernels, work)| {
            let (batches, receiver) = channel();
            let (sender, computed) = channel();
            let name = format!("rank-{}", kernels.shard().rank);
            let thread = std::thread::Builder::new()
                .name(name)
                .spawn(move || follow(&kernels, work, &receiver, &sender))?;
            Ok(Follower {
                batches: Some(batches),
                computed,
                is_busy: false,
                thread: Some(thread),
            })
        });
        Ok(Self {
            followers: followers.collect::<io::Result<_>>()?,
        })
    }

    /// Computes a step on all ranks, on the first by `compute`, with its kernels.
    ///
    /// Errors: what the first rank that failed has said. Nobody computes any more then, and the
    /// next step may succeed.
    pub fn step<T>(
        &mut self,
        kernels: &Kernels,
        batch: &Batch<'_>,
        compute: impl FnOnce() -> Result<T, ModelError>,
    ) -> Result<T, String> {
        // A step in which this rank panicked was not waited for.
        self.wait();
        if kernels.failure().is_some() {
            kernels.rejoin();
        }
        let batch = Arc::new(SharedBatch::new(batch));
        let followers = self.followers.iter_mut();
        let num_begun = followers.filter_map(|f| f.begin(&batch)).count();
        let computed = kernels.in_lockstep(|| match num_begun == self.followers.len() {
            true => compute(),
            false => Err(ModelError::Unsupported("a rank's thread has ended".into())),
        });
        let all_computed = self.wait();
        match computed {
            Ok(computed) if all_computed => Ok(computed),
            _ => Err(kernels
                .failure()
                .unwrap_or_else(|| "a rank has failed".into())),
        }
    }

    /// Waits until nobody computes; whether all have computed what they were told to.
    fn wait(&mut self) -> bool {
        let mut all_computed = true;
        for follower in &mut self.followers {
            if std::mem::take(&mut follower.is_busy) {
                all_computed &= follower.computed.recv().unwrap_or(false);
            }
        }
        all_computed
    }
}

impl Follower {
    /// None if its thread has ended.
    fn begin(&mut self, batch: &Arc<SharedBatch>) -> Option<()> {
        self.batches.as_ref()?.send(Arc::clone(batch)).ok()?;
        self.is_busy = true;
        Some(())
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        for follower in &mut self.followers {
            follower.batches = None;
        }
        for follower in &mut self.followers {
            if let Some(thread) = follower.thread.take() {
                // It catches the panics of its work.
                let _ = thread.join();
            }
        }
    }
}

fn follow(
    kernels: &Kernels,
    mut work: Work,
    batches: &Receiver<Arc<SharedBatch>>,
    computed: &Sender<bool>,
) {
    // Where this fails, so will the first step, and say why.
    let _ = kernels.enter();
    while let Ok(batch) = batches.recv() {
        let step = || kernels.in_lockstep(|| batch.with(&mut work));
        let result = catch_unwind(AssertUnwindSafe(step));
        if computed.send(matches!(result, Ok(Ok(())))).is_err() {
            return;
        }
    }
}

impl SharedBatch {
    fn new(batch: &Batch<'_>) -> Self {
        let spans = batch.spans.iter();
        Self {
            token_ids: batch.token_ids.to_vec(),
            positions: batch.positions.to_vec(),
            spans: spans
                .map(|spans| spans.iter().map(SharedSpan::new).collect())
                .collect(),
            output_rows: batch.output_rows.to_vec(),
        }
    }

    fn with<R>(&self, call: impl FnOnce(&Batch<'_>) -> R) -> R {
        let spans: Vec<Vec<_>> = (self.spans.iter())
            .map(|spans| spans.iter().map(SharedSpan::borrowed).collect())
            .collect();
        call(&Batch {
            token_ids: &self.token_ids,
            positions: &self.positions,
            spans: &spans,
            output_rows: &self.output_rows,
        })
    }
}

impl SharedSpan {
    fn new(span: &AttentionSpan<'_>) -> Self {
        Self {
            rows: span.rows.clone(),
            start: span.start,
            block_table: span.block_table.to_vec(),
        }
    }

    fn borrowed(&self) -> AttentionSpan<'_> {
        AttentionSpan {
            rows: self.rows.clone(),
            start: self.start,
            block_table: &self.block_table,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{KernelSet, ThreadPool, Use};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const FAILS: u32 = 1;
    const PANICS: u32 = 2;
    /// Ids from here on are for the rank of their distance.
    const OF_FIRST: u32 = 10;

    /// Counts what is dropped with the work of a rank.
    struct Dropped(Arc<AtomicUsize>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The sum over ranks of their numbers plus 1, unless the batch asks a rank to fail.
    fn compute(kernels: &Kernels, batch: &Batch<'_>) -> Result<f32, ModelError> {
        let rank = kernels.shard().rank;
        if let [what, whose] = batch.token_ids
            && whose - OF_FIRST == rank as u32
        {
            match *what {
                FAILS => return Err(ModelError::Unsupported("it is full".into())),
                PANICS => panic!("it broke"),
                _ => {}
            }
        }
        assert_eq!(batch.spans[0][0].block_table, [7]);
        let x = kernels.rows(vec![1.0 + rank as f32], 1, Use::Sums)?;
        kernels.all_reduce(&x)?;
        Ok(x.to_rows()?[0][0])
    }

    fn batch<R>(token_ids: &[u32], call: impl FnOnce(&Batch<'_>) -> R) -> R {
        let span = AttentionSpan {
            rows: 0..token_ids.len(),
            start: 0,
            block_table: &[7],
        };
        call(&Batch {
            token_ids,
            positions: &[0, 1][..token_ids.len()],
            spans: &[vec![span]],
            output_rows: &[],
        })
    }

    fn start(size: usize, num_dropped: &Arc<AtomicUsize>) -> (Kernels, Followers) {
        let kernels = |_| Kernels::new(KernelSet::Portable, ThreadPool::new(1).unwrap());
        let mut ranks = Kernels::connect((0..size).map(kernels).collect()).unwrap();
        let first = ranks.remove(0);
        let followers = ranks.into_iter().map(|kernels| {
            let dropped = Dropped(Arc::clone(num_dropped));
            let own = kernels.clone();
            let work: Work = Box::new(move |batch| {
                let _ = &dropped;
                compute(&own, batch).map(|_| ())
            });
            (kernels, work)
        });
        (first, Followers::start(followers.collect()).unwrap())
    }

    fn step(kernels: &Kernels, followers: &mut Followers, ids: &[u32]) -> Result<f32, String> {
        batch(ids, |batch| {
            followers.step(kernels, batch, || compute(kernels, batch))
        })
    }

    #[test]
    fn a_rank_that_fails_or_panics_ends_the_step_with_its_words_and_the_next_one_succeeds() {
        let (kernels, mut followers) = start(3, &Arc::default());
        for rank in 0..3 {
            assert_eq!(step(&kernels, &mut followers, &[5]), Ok(6.0));
            let failed = step(&kernels, &mut followers, &[FAILS, OF_FIRST + rank]);
            assert_eq!(failed, Err(format!("rank {rank}: it is full")));
            if rank > 0 {
                let failed = step(&kernels, &mut followers, &[PANICS, OF_FIRST + rank]);
                assert_eq!(failed, Err(format!("rank {rank}: it broke")));
            }
        }
        assert_eq!(step(&kernels, &mut followers, &[5]), Ok(6.0));
    }

    #[test]
    fn a_panic_of_the_first_rank_is_its_callers_and_the_next_step_succeeds() {
        let (kernels, mut followers) = start(2, &Arc::default());
        let panics = || step(&kernels, &mut followers, &[PANICS, OF_FIRST]);
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert_eq!(step(&kernels, &mut followers, &[5]), Ok(3.0));
    }

    #[test]
    fn dropped_followers_have_ended_whatever_became_of_their_last_step() {
        for last in [vec![5], vec![FAILS, OF_FIRST + 1], vec![PANICS, OF_FIRST]] {
            let num_dropped = Arc::default();
            let (kernels, mut followers) = start(3, &num_dropped);
            let step = || step(&kernels, &mut followers, &last);
            let _ = catch_unwind(AssertUnwindSafe(step));
            assert_eq!(num_dropped.load(Ordering::SeqCst), 0);
            drop(followers);
            assert_eq!(num_dropped.load(Ordering::SeqCst), 2);
        }
    }
}
