use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// Only what computing needs: memory, time, random seeds for hash tables, and an end. Anything
/// else kills the process.
const ALWAYS: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Locks all other system calls; false where the kernel cannot.
pub(super) fn restrict() -> Result<bool, String> {
    // SAFETY: asks for the mode alone, with integers.
    if unsafe { libc::prctl(libc::PR_GET_SECCOMP) } < 0 {
        return Ok(false);
    }
    let program = program().map_err(|error| format!("the filter of system calls: {error}"))?;
    apply_filter(&program).map_err(|error| format!("the filter of system calls: {error}"))?;
    Ok(true)
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    use SeccompCmpOp::{Eq, MaskedEq};
    let rule = |conditions: Vec<SeccompCondition>| SeccompRule::new(conditions);
    let when = SeccompCondition::new;
    let no_code = || when(2, Qword, MaskedEq(libc::PROT_EXEC as u64), 0);
    let own = u64::from(std::process::id());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALWAYS.iter().map(|call| (*call, Vec::new())).collect();
    // The document comes from one descriptor, and the answer goes to two.
    rules.insert(libc::SYS_read, vec![rule(vec![when(0, Dword, Eq, 0)?])?]);
    rules.insert(
        libc::SYS_write,
        vec![
            rule(vec![when(0, Dword, Eq, 1)?])?,
            rule(vec![when(0, Dword, Eq, 2)?])?,
        ],
    );
    // Memory is for data, and is no file.
    let anonymous = libc::MAP_ANONYMOUS as u64;
    rules.insert(
        libc::SYS_mmap,
        vec![rule(vec![
            no_code()?,
            when(3, Qword, MaskedEq(anonymous), anonymous)?,
        ])?],
    );
    rules.insert(libc::SYS_mprotect, vec![rule(vec![no_code()?])?]);
    // To abort is to send oneself a signal.
    rules.insert(
        libc::SYS_tgkill,
        vec![rule(vec![when(0, Dword, Eq, own)?])?],
    );
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        architecture,
    )?
    .try_into()
}
