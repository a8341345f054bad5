//! What Linux has to lock a process up with. All of it is for good: no part can be undone.

mod landlock;
mod seccomp;

use super::Strength;
use crate::document::limits::ParseLimits;

/// Locks this process up.
///
/// # Errors
///
/// What the kernel has, but would not do. What it has not is missing from the answer.
pub(super) fn lock_up(limits: &ParseLimits) -> Result<Strength, String> {
    // What is mapped already is the program, and costs no memory of its own. Asked now: later
    // there are no files.
    let mapped = mapped_bytes().unwrap_or(0);
    // Neither of the locks may be had without it.
    // SAFETY: takes integers alone and touches no memory of ours.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(format!("no_new_privs: {}", std::io::Error::last_os_error()));
    }
    // If the server goes, so does the child.
    // SAFETY: as above.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) };
    let has_landlock = landlock::restrict()?;
    set_limits(limits, mapped)?;
    let has_seccomp = seccomp::restrict()?;
    Ok(Strength {
        has_limits: true,
        has_seccomp,
        has_landlock,
    })
}

fn set_limits(limits: &ParseLimits, mapped: u64) -> Result<(), String> {
    for (resource, max, name) in [
        (
            libc::RLIMIT_AS,
            limits.max_memory_bytes.saturating_add(mapped),
            "memory",
        ),
        (libc::RLIMIT_CPU, limits.max_cpu_seconds, "processor time"),
        (libc::RLIMIT_FSIZE, 0, "size of files"),
        // The three that are open, and no other.
        (libc::RLIMIT_NOFILE, 3, "open files"),
        (libc::RLIMIT_CORE, 0, "core dumps"),
    ] {
        // The second one kills for certain, should the first be caught.
        let hard = if resource == libc::RLIMIT_CPU {
            max.saturating_add(1)
        } else {
            max
        };
        let limit = libc::rlimit {
            rlim_cur: max,
            rlim_max: hard,
        };
        // SAFETY: the pointer is to a live value of the type that the call reads.
        if unsafe { libc::setrlimit(resource, &limit) } != 0 {
            return Err(format!(
                "the limit on {name}: {}",
                std::io::Error::last_os_error()
            ));
        }
    }
    Ok(())
}

fn mapped_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').next()?.parse().ok()?;
    // SAFETY: takes an integer alone.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.checked_mul(u64::try_from(page).ok()?)
}
