use super::placement::InterleaveScope;
use super::{Placement, PlacementError};
use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long an idle worker looks for the next op before it sleeps. The ops of one step
/// follow each other within microseconds; a longer spin would take cores from HTTP work.
const SPIN: Duration = Duration::from_micros(50);

/// The kernel threads of a process. The thread that calls [`ThreadPool::run`] is one of them.
pub struct ThreadPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// One op at a time; engines of several models take turns here.
    turn: Mutex<()>,
    placement: Placement,
    /// Of pinned threads, that of the caller of `run` first.
    cpus: Arc<[usize]>,
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("the kernel threads cannot be started: {0}")]
    Threads(#[from] io::Error),
    #[error(transparent)]
    Placement(#[from] PlacementError),
}

type Panic = Box<dyn Any + Send>;
type Task<'a> = &'a (dyn Fn(usize) + Sync);

/// The current op. `task` and `num_tiles` may be read by whoever holds a claim, because an
/// op does not end before every claimed tile is done.
struct Shared {
    /// Points at a `Task` on the stack of the thread inside `run`.
    task: AtomicPtr<Task<'static>>,
    num_tiles: AtomicUsize,
    /// Tiles nobody has claimed yet.
    unclaimed: AtomicUsize,
    done: AtomicUsize,
    /// What the first tile that panicked said.
    panic: Mutex<Option<Panic>>,
    stopping: AtomicBool,
    num_sleeping: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

impl ThreadPool {
    /// A pool of `num_threads` threads in all, the caller of `run` included.
    pub fn new(num_threads: usize) -> Result<Arc<Self>, PoolError> {
        Self::placed(num_threads, Placement::default())
    }

    /// The same with threads and their memory in certain places.
    pub fn placed(num_threads: usize, placement: Placement) -> Result<Arc<Self>, PoolError> {
        let cpus = placement.cpus(num_threads)?;
        Self::on_cpus(num_threads, placement, &cpus)
    }

    /// `num_pools` pools that have `num_threads` threads in all, or one each where those are
    /// fewer. Pinned threads of two pools have different processors.
    pub fn divided(
        num_threads: usize,
        num_pools: usize,
        placement: Placement,
    ) -> Result<Vec<Arc<Self>>, PoolError> {
        let num_threads = num_threads.max(num_pools);
        let cpus = placement.cpus(num_threads)?;
        let first = |pool: usize| pool * num_threads / num_pools;
        (0..num_pools)
            .map(|pool| {
                let range = first(pool)..first(pool + 1);
                let cpus = cpus.get(range.clone()).unwrap_or_default();
                Self::on_cpus(range.len(), placement, cpus)
            })
            .collect()
    }

    /// `cpus` of pinned threads, else none.
    fn on_cpus(
        num_threads: usize,
        placement: Placement,
        cpus: &[usize],
    ) -> Result<Arc<Self>, PoolError> {
        let cpus: Arc<[usize]> = cpus.into();
        let shared = Arc::new(Shared {
            task: AtomicPtr::new(std::ptr::null_mut()),
            num_tiles: AtomicUsize::new(0),
            unclaimed: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            panic: Mutex::new(None),
            stopping: AtomicBool::new(false),
            num_sleeping: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
        });
        let mut pool = Self {
            shared,
            workers: Vec::new(),
            turn: Mutex::new(()),
            placement,
            cpus,
        };
        for index in 1..num_threads.max(1) {
            let (shared, cpus) = (pool.shared.clone(), pool.cpus.clone());
            let worker = std::thread::Builder::new()
                .name(format!("kernel-{index}"))
                .spawn(move || {
                    placement.apply(&cpus, index);
                    shared.work_until_stopped();
                })?;
            pool.workers.push(worker);
        }
        Ok(Arc::new(pool))
    }

    /// Places the calling thread, which is going to call [`Self::run`] from now on.
    pub fn place_caller(&self) {
        self.placement.apply(&self.cpus, 0);
    }

    /// Interleaves what the calling thread allocates, if that is wanted.
    pub fn interleave_scope(&self) -> Result<InterleaveScope, PoolError> {
        Ok(self.placement.interleave_scope()?)
    }

    pub fn num_threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task(0)` … `task(num_tiles - 1)`, each once, on whichever threads are free,
    /// and returns when all are done. A task must not call `run` itself.
    pub fn run(&self, num_tiles: usize, task: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() || num_tiles <= 1 {
            (0..num_tiles).for_each(task);
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        let mut task: Task<'_> = task;
        shared.task.store((&raw mut task).cast(), Ordering::Relaxed);
        shared.num_tiles.store(num_tiles, Ordering::Relaxed);
        shared.done.store(0, Ordering::Relaxed);
        // SeqCst here and in `sleep_until_woken`: either the worker sees the tiles, or we
        // see that it sleeps.
        shared.unclaimed.store(num_tiles, Ordering::SeqCst);
        if shared.num_sleeping.load(Ordering::SeqCst) > 0 {
            let _sleep = shared.sleep.lock().unwrap_or_else(PoisonError::into_inner);
            shared.wake.notify_all();
        }
        shared.run_unclaimed();
        let mut spins = 0u32;
        while shared.done.load(Ordering::Acquire) < num_tiles {
            spins += 1;
            // A worker that the system took off its core in the middle of a tile needs one.
            if spins.is_multiple_of(4096) {
                std::thread::yield_now()
            } else {
                std::hint::spin_loop()
            }
        }
        let panic = shared
            .panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThreadPool({})", self.num_threads())
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        {
            let _sleep = self
                .shared
                .sleep
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            self.shared.wake.notify_all();
        }
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its tasks, so joining cannot fail.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn claim(&self) -> Option<usize> {
        let mut unclaimed = self.unclaimed.load(Ordering::Relaxed);
        loop {
            let rest = unclaimed.checked_sub(1)?;
            match self.unclaimed.compare_exchange_weak(
                unclaimed,
                rest,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(rest),
                Err(now) => unclaimed = now,
            }
        }
    }

    fn run_unclaimed(&self) {
        while let Some(rest) = self.claim() {
            let tile = self.num_tiles.load(Ordering::Relaxed) - 1 - rest;
            // SAFETY: `run` keeps the task alive until `done` counts this tile.
            let task = unsafe { *self.task.load(Ordering::Relaxed) };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| task(tile))) {
                let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(panic);
            }
            self.done.fetch_add(1, Ordering::Release);
        }
    }

    fn work_until_stopped(&self) {
        while !self.stopping.load(Ordering::Relaxed) {
            self.run_unclaimed();
            let mut idle_since = Instant::now();
            while self.unclaimed.load(Ordering::Relaxed) == 0
                && !self.stopping.load(Ordering::Relaxed)
            {
                // The clock costs as much as some looks.
                for _ in 0..32 {
                    if self.unclaimed.load(Ordering::Relaxed) > 0 {
                        break;
                    }
                    std::hint::spin_loop();
                }
                if idle_since.elapsed() > SPIN {
                    self.sleep_until_woken();
                    // Who wakes late finds the next op by spinning.
                    idle_since = Instant::now();
                }
            }
        }
    }

    /// Sleeps once; whoever wakes looks for work again.
    fn sleep_until_woken(&self) {
        let sleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.num_sleeping.fetch_add(1, Ordering::SeqCst);
        if self.unclaimed.load(Ordering::SeqCst) == 0 && !self.stopping.load(Ordering::SeqCst) {
            drop(self.wake.wait(sleep));
        }
        self.num_sleeping.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn every_tile_runs_once_with_more_threads_than_cores() {
        let pool = ThreadPool::new(16).unwrap();
        for num_tiles in [0, 1, 2, 3, 17, 1000] {
            for _ in 0..200 {
                let counts: Vec<AtomicU32> = (0..num_tiles).map(|_| AtomicU32::new(0)).collect();
                pool.run(num_tiles, &|tile| {
                    counts[tile].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts
                        .iter()
                        .all(|count| count.load(Ordering::Relaxed) == 1)
                );
            }
        }
    }

    #[test]
    fn threads_are_divided_and_each_pool_has_one() {
        let divided = |num_threads, num_pools| -> Vec<usize> {
            let pools = ThreadPool::divided(num_threads, num_pools, Placement::default());
            pools.unwrap().iter().map(|p| p.num_threads()).collect()
        };
        assert_eq!(divided(8, 2), [4, 4]);
        assert_eq!(divided(8, 3), [2, 3, 3]);
        assert_eq!(divided(5, 1), [5]);
        assert_eq!(divided(1, 3), [1, 1, 1]);
    }

    #[test]
    fn workers_that_fell_asleep_wake_for_the_next_op() {
        let pool = ThreadPool::new(4).unwrap();
        for _ in 0..50 {
            std::thread::sleep(SPIN * 4);
            let sum = AtomicUsize::new(0);
            pool.run(100, &|tile| {
                sum.fetch_add(tile, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 4950);
        }
    }

    #[test]
    fn a_panic_in_a_tile_reaches_the_caller_and_the_pool_goes_on() {
        let pool = ThreadPool::new(3).unwrap();
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.run(8, &|tile| assert_ne!(tile, 5))
        }));
        assert!(result.is_err());
        let sum = AtomicUsize::new(0);
        pool.run(8, &|tile| {
            sum.fetch_add(tile, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 28);
    }

    #[test]
    fn several_threads_may_share_a_pool() {
        let pool = ThreadPool::new(2).unwrap();
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        pool.run(10, &|tile| {
                            sum.fetch_add(tile, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 100 * 45);
    }
}
