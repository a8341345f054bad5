//! Landlock: no path and no port, for a process that asks for none. Three system calls, which the
//! C library does not wrap.

const VERSION: u32 = 1;
/// `handled_access_fs` has so many bits from this version on.
const FILE_BITS: [(i64, u32); 4] = [(1, 13), (2, 14), (3, 15), (5, 16)];

#[repr(C)]
struct Ruleset {
    files: u64,
    network: u64,
    scoped: u64,
}

/// Refuses all files and ports; false where the kernel cannot.
pub(super) fn restrict() -> Result<bool, String> {
    // SAFETY: asks for the version, with a null pointer as the call wants it.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<Ruleset>(),
            0,
            VERSION,
        )
    };
    if version < 1 {
        return Ok(false);
    }
    let bits = FILE_BITS
        .iter()
        .rev()
        .find(|(since, _)| version >= *since)
        .map_or(13, |(_, bits)| *bits);
    // Nothing is allowed after it, so what is handled is refused.
    let ruleset = Ruleset {
        files: (1 << bits) - 1,
        network: 0b11,
        scoped: 0b11,
    };
    // Older kernels know a shorter one.
    let size: usize = match version {
        ..4 => 8,
        4..6 => 16,
        _ => size_of::<Ruleset>(),
    };
    // SAFETY: the pointer is to a live value of at least `size` bytes.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const ruleset,
            size,
            0,
        )
    };
    if descriptor < 0 {
        return Err(format!("landlock: {}", std::io::Error::last_os_error()));
    }
    // SAFETY: takes integers alone.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, descriptor, 0) };
    let error = std::io::Error::last_os_error();
    // SAFETY: the descriptor is ours, and nobody uses it afterwards.
    unsafe { libc::close(i32::try_from(descriptor).unwrap_or(-1)) };
    match result {
        0 => Ok(true),
        _ => Err(format!("landlock: {error}")),
    }
}
