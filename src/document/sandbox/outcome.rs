//! What a child's end means.

use super::{Answer, Ended};
use crate::document::error::{DocumentError, Limit};
use crate::document::limits::ParseLimits;
use std::os::unix::process::ExitStatusExt as _;

/// What Rust's allocator says before it aborts.
const OUT_OF_MEMORY: &[u8] = b"memory allocation of";
/// What Rust says before it stops a stack that has grown into its guard.
const OUT_OF_STACK: &[u8] = b"overflowed its stack";

pub(super) fn judge(ended: Ended, limits: &ParseLimits) -> Result<Answer, DocumentError> {
    let exceeded = |limit, max| Err(DocumentError::LimitExceeded { limit, max });
    let failed = |reason: &str| {
        Err(DocumentError::ReaderFailed {
            reason: reason.to_owned(),
        })
    };
    if ended.is_too_long {
        return exceeded(Limit::OutputBytes, limits.max_output_bytes);
    }
    let Some(status) = ended.status else {
        return exceeded(Limit::WallSeconds, limits.max_wall_seconds);
    };
    if status.success() {
        return match serde_json::from_slice(&ended.answer) {
            Ok(answer) => Ok(answer),
            Err(_) => failed("what it answered is no answer"),
        };
    }
    let says = |what: &[u8]| {
        ended
            .complaint
            .windows(what.len())
            .any(|window| window == what)
    };
    match status.signal() {
        Some(libc::SIGXCPU) => exceeded(Limit::CpuSeconds, limits.max_cpu_seconds),
        Some(libc::SIGSYS) => Err(DocumentError::Forbidden),
        Some(_) if says(OUT_OF_MEMORY) => exceeded(Limit::MemoryBytes, limits.max_memory_bytes),
        Some(_) if says(OUT_OF_STACK) => exceeded(Limit::Nesting, limits.max_nesting),
        Some(libc::SIGKILL) => failed("the system has killed it"),
        Some(signal) => failed(&format!("signal {signal}")),
        None if status.code() == Some(super::child::NO_SANDBOX) => Err(DocumentError::Sandbox {
            reason: String::from_utf8_lossy(&ended.complaint).trim().to_owned(),
        }),
        // A panic; what it says may quote the document.
        None => failed("a check within it failed"),
    }
}
