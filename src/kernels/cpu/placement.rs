use std::io;

/// Where kernel threads run, and where the memory lies that they are the first to touch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placement {
    /// Each thread stays on a core of its own, as far as there are cores.
    pub pin_threads: bool,
    /// Pages are dealt out over the nodes of a machine with several memories, so that no
    /// socket's bandwidth is the limit. Otherwise a page lies near whoever touches it first.
    pub interleave_memory: bool,
}

/// Undoes [`Placement::interleave_scope`] for the thread that it was made on.
pub struct InterleaveScope {
    is_on: bool,
}

impl Placement {
    /// Cores for threads that are pinned, in the order in which they are given out; none
    /// otherwise. Fails where the system cannot do what is asked for.
    pub(super) fn cores(self) -> io::Result<Vec<usize>> {
        if self.interleave_memory {
            system::interleave(true)?;
            system::interleave(false)?;
        }
        if self.pin_threads {
            system::cores()
        } else {
            Ok(Vec::new())
        }
    }

    /// Places the calling thread, number `index` of its pool.
    pub(super) fn apply(self, cores: &[usize], index: usize) {
        // What `cores` has tried can fail later only if someone else takes cores or nodes away,
        // and then running anywhere is better than not at all.
        if self.interleave_memory {
            let _ = system::interleave(true);
        }
        if !cores.is_empty() {
            let _ = system::pin(cores[index % cores.len()]);
        }
    }

    /// Lets the calling thread allocate interleaved memory until the scope ends.
    pub fn interleave_scope(self) -> InterleaveScope {
        InterleaveScope {
            is_on: self.interleave_memory && system::interleave(true).is_ok(),
        }
    }
}

impl Drop for InterleaveScope {
    fn drop(&mut self) {
        if self.is_on {
            // As in `apply`.
            let _ = system::interleave(false);
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    /// Nodes of the largest mask that the kernel takes.
    const MAX_NODES: usize = 1024;
    /// `MPOL_F_MEMS_ALLOWED` of linux/mempolicy.h.
    const MEMS_ALLOWED: libc::c_int = 1 << 2;
    type Nodes = [libc::c_ulong; MAX_NODES / libc::c_ulong::BITS as usize];

    /// The cores that this process may use.
    pub fn cores() -> io::Result<Vec<usize>> {
        // SAFETY: a set of cores is plain bits.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel fills the set, whose size it is told.
        let failed = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: every number lies inside the set.
        let has = |core: &usize| unsafe { libc::CPU_ISSET(*core, &set) };
        Ok((0..libc::CPU_SETSIZE as usize).filter(has).collect())
    }

    /// Keeps the calling thread on a core.
    pub fn pin(core: usize) -> io::Result<()> {
        // SAFETY: as above; `core` came out of such a set.
        let failed = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(core, &mut set);
            libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Where the pages lie that the calling thread touches first.
    pub fn interleave(is_on: bool) -> io::Result<()> {
        let mut nodes: Nodes = [0; _];
        let mode = if is_on {
            // SAFETY: the kernel fills the mask, whose size it is told, with the nodes that
            // this process may use.
            let failed = unsafe {
                libc::syscall(
                    libc::SYS_get_mempolicy,
                    std::ptr::null_mut::<libc::c_int>(),
                    nodes.as_mut_ptr(),
                    MAX_NODES,
                    std::ptr::null_mut::<libc::c_void>(),
                    MEMS_ALLOWED,
                )
            };
            if failed != 0 {
                return Err(io::Error::last_os_error());
            }
            libc::MPOL_INTERLEAVE
        } else {
            libc::MPOL_DEFAULT
        };
        let (mask, len) = if is_on {
            (nodes.as_ptr(), MAX_NODES)
        } else {
            (std::ptr::null(), 0)
        };
        // SAFETY: the kernel reads the mask, whose size it is told.
        let failed = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, len) };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    pub fn cores() -> io::Result<Vec<usize>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn pin(_core: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn interleave(_is_on: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
