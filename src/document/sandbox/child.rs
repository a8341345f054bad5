//! The child's side: gives up what it does not need, then reads and answers.

use super::{Answer, CHILD, Strength};
use crate::document::error::{DocumentError, Limit};
use crate::document::limits::ParseLimits;
use crate::document::parse;
use std::io::{ErrorKind, Read as _, Write as _};
use std::process::ExitCode;

/// The child ends with this when it cannot lock itself up.
pub(super) const NO_SANDBOX: i32 = 70;

/// Runs the child if this process is one. `main` calls it before anything else: the child has one
/// thread, no configuration and no log.
pub fn run_if_child() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if CHILD
        .iter()
        .any(|word| arguments.next().as_deref() != Some(word))
    {
        return None;
    }
    let limits = arguments
        .next()
        .and_then(|told| serde_json::from_str(&told).ok());
    Some(
        match limits
            .ok_or("its limits are missing".to_owned())
            .and_then(|limits| run(&limits))
        {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                eprintln!("{reason}");
                ExitCode::from(u8::try_from(NO_SANDBOX).unwrap_or(1))
            }
        },
    )
}

fn run(limits: &ParseLimits) -> Result<(), String> {
    let strength = lock_up(limits)?;
    let mut bytes = Vec::new();
    let result = std::io::stdin()
        .lock()
        .take(limits.max_input_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| match error.kind() {
            ErrorKind::OutOfMemory => DocumentError::LimitExceeded {
                limit: Limit::MemoryBytes,
                max: limits.max_memory_bytes,
            },
            _ => DocumentError::Sandbox {
                reason: format!("the document did not come through: {error}"),
            },
        })
        .and_then(|_| parse(&bytes, limits));
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer(&mut stdout, &Answer { strength, result })
        .map_err(|error| error.to_string())?;
    stdout.flush().map_err(|error| error.to_string())
}

#[cfg(target_os = "linux")]
fn lock_up(limits: &ParseLimits) -> Result<Strength, String> {
    super::linux::lock_up(limits)
}

/// Elsewhere there is a process of its own, and that is all.
#[cfg(not(target_os = "linux"))]
fn lock_up(_: &ParseLimits) -> Result<Strength, String> {
    Ok(Strength {
        has_limits: false,
        has_seccomp: false,
        has_landlock: false,
    })
}
