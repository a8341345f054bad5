//! Which processors threads run on, and which of a machine's memories they fill.

use std::io;
use std::marker::PhantomData;

/// Where kernel threads run, and where the memory lies that they are the first to touch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placement {
    /// Each thread stays on a logical processor of its own, in the order of their numbers.
    pub pin_threads: bool,
    /// Pages are dealt out over the nodes of a machine with several memories, so that no
    /// socket's bandwidth is the limit. Otherwise a page lies near whoever touches it first.
    pub interleave_memory: bool,
}

/// Why threads cannot be placed.
#[derive(Debug, thiserror::Error)]
pub enum PlacementError {
    #[error("engine.pin_threads: the system does not tell which processors there are: {0}")]
    Pin(io::Error),
    #[error("engine.pin_threads: there are {num_threads} threads and {num_cpus} processors")]
    TooManyThreads { num_threads: usize, num_cpus: usize },
    #[error(
        "engine.interleave_memory: the system does not allow it (containers need CAP_SYS_NICE): {0}"
    )]
    Interleave(io::Error),
}

/// Lets the thread that it was made on allocate interleaved memory until it is dropped there.
pub struct InterleaveScope {
    before: Option<system::Policy>,
    /// A policy is its thread's.
    _thread: PhantomData<*const ()>,
}

impl Placement {
    /// The processors of pinned threads in the order in which they are given out; none where
    /// threads are not pinned.
    pub(super) fn cpus(self, num_threads: usize) -> Result<Vec<usize>, PlacementError> {
        if !self.pin_threads {
            return Ok(Vec::new());
        }
        let cpus = system::cpus().map_err(PlacementError::Pin)?;
        if cpus.len() < num_threads {
            return Err(PlacementError::TooManyThreads {
                num_threads,
                num_cpus: cpus.len(),
            });
        }
        Ok(cpus)
    }

    /// Places the calling thread, number `index` of its pool. What cannot be done now although
    /// it could when the pool was made, because someone took processors away, is left alone:
    /// running anywhere is better than not at all.
    pub(super) fn apply(self, cpus: &[usize], index: usize) {
        if self.interleave_memory {
            let _ = system::interleave();
        }
        if let Some(cpu) = cpus.get(index) {
            let _ = system::pin(*cpu);
        }
    }

    /// Interleaves what the calling thread allocates, if that is wanted.
    pub fn interleave_scope(self) -> Result<InterleaveScope, PlacementError> {
        let before = self.interleave_memory.then(system::interleave).transpose();
        Ok(InterleaveScope {
            before: before.map_err(PlacementError::Interleave)?,
            _thread: PhantomData,
        })
    }
}

impl Drop for InterleaveScope {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The system has just told it to us.
            let _ = system::set_policy(before);
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    /// Nodes of the largest mask that the kernel takes.
    const MAX_NODES: libc::c_ulong = 1024;
    /// `MPOL_F_MEMS_ALLOWED` of linux/mempolicy.h.
    const MEMS_ALLOWED: libc::c_ulong = 1 << 2;
    type Nodes = [libc::c_ulong; MAX_NODES as usize / libc::c_ulong::BITS as usize];

    /// Where the pages lie that a thread touches first.
    #[derive(Default)]
    pub struct Policy {
        pub mode: libc::c_int,
        nodes: Nodes,
    }

    /// The logical processors that this process may use.
    pub fn cpus() -> io::Result<Vec<usize>> {
        // SAFETY: a set of processors is plain bits.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel fills the set, whose size it is told.
        check(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) }.into())?;
        // SAFETY: every number lies inside the set.
        let has = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
        Ok((0..libc::CPU_SETSIZE as usize).filter(has).collect())
    }

    /// Keeps the calling thread on a processor.
    pub fn pin(cpu: usize) -> io::Result<()> {
        // SAFETY: as above; `cpu` came out of such a set.
        check(unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu, &mut set);
            libc::sched_setaffinity(0, size_of_val(&set), &raw const set).into()
        })
    }

    /// Interleaves what the calling thread touches first over all nodes that it may use; what it
    /// did before.
    pub fn interleave() -> io::Result<Policy> {
        let before = policy(0)?;
        set_policy(&Policy {
            mode: libc::MPOL_INTERLEAVE,
            nodes: policy(MEMS_ALLOWED)?.nodes,
        })?;
        Ok(before)
    }

    /// The calling thread's, or, of what `flags` say, the nodes.
    pub fn policy(flags: libc::c_ulong) -> io::Result<Policy> {
        let mut policy = Policy::default();
        // SAFETY: the kernel fills mode and mask, whose size it is told.
        check(unsafe {
            libc::syscall(
                libc::SYS_get_mempolicy,
                &raw mut policy.mode,
                policy.nodes.as_mut_ptr(),
                MAX_NODES,
                std::ptr::null_mut::<libc::c_void>(),
                flags,
            )
        })?;
        Ok(policy)
    }

    pub fn set_policy(policy: &Policy) -> io::Result<()> {
        let (mask, len) = if policy.mode == libc::MPOL_DEFAULT {
            (std::ptr::null(), 0)
        } else {
            (policy.nodes.as_ptr(), MAX_NODES)
        };
        let mode = libc::c_long::from(policy.mode);
        // SAFETY: the kernel reads the mask, whose size it is told.
        check(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, len) })
    }

    fn check(result: libc::c_long) -> io::Result<()> {
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    pub struct Policy;

    pub fn cpus() -> io::Result<Vec<usize>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn pin(_cpu: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn interleave() -> io::Result<Policy> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn set_policy(_policy: &Policy) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::kernels::ThreadPool;
    use std::collections::HashSet;
    use std::sync::{Barrier, Mutex};

    #[test]
    fn each_pinned_thread_has_one_processor_of_its_own() {
        let placement = Placement {
            pin_threads: true,
            ..Placement::default()
        };
        let num_threads = system::cpus().unwrap().len().min(4);
        // On a thread of its own: the test's goes on to other tests.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let pool = ThreadPool::placed(num_threads, placement).unwrap();
                pool.place_caller();
                let (all, seen) = (Barrier::new(num_threads), Mutex::new(HashSet::new()));
                pool.run(num_threads, &|_| {
                    // None takes two tiles, because each waits for all.
                    all.wait();
                    let cpus = system::cpus().unwrap();
                    assert_eq!(cpus.len(), 1, "a thread may run on {cpus:?}");
                    seen.lock().unwrap().insert(cpus[0]);
                });
                assert_eq!(seen.into_inner().unwrap().len(), num_threads);
            });
        });
    }

    #[test]
    fn pinned_threads_of_two_pools_have_different_processors() {
        let placement = Placement {
            pin_threads: true,
            ..Placement::default()
        };
        let all = system::cpus().unwrap();
        if all.len() < 2 {
            return;
        }
        let pools = ThreadPool::divided(2, 2, placement).unwrap();
        let seen = pools.iter().map(|pool| {
            std::thread::scope(|scope| {
                let placed = scope.spawn(|| {
                    pool.place_caller();
                    system::cpus().unwrap()
                });
                placed.join().unwrap()
            })
        });
        assert_eq!(seen.collect::<Vec<_>>(), [vec![all[0]], vec![all[1]]]);
    }

    #[test]
    fn more_pinned_threads_than_processors_are_refused() {
        let placement = Placement {
            pin_threads: true,
            ..Placement::default()
        };
        let refused = ThreadPool::placed(100_000, placement).err().unwrap();
        assert!(refused.to_string().contains("engine.pin_threads"));
    }

    #[test]
    fn memory_is_interleaved_until_the_scope_ends() {
        let placement = Placement {
            interleave_memory: true,
            ..Placement::default()
        };
        let mode = || system::policy(0).unwrap().mode;
        match placement.interleave_scope() {
            Ok(scope) => {
                assert_eq!(mode(), libc::MPOL_INTERLEAVE);
                drop(scope);
                assert_eq!(mode(), libc::MPOL_DEFAULT);
            }
            // Containers mostly forbid it.
            Err(refusal) => assert!(refusal.to_string().contains("engine.interleave_memory")),
        }
    }
}
