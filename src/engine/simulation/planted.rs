//! Every planted bug is found, by a seed that is written down.

use super::{check, for_seeds};
use crate::engine::faults::Bug;
use std::sync::atomic::{AtomicU64, Ordering};

/// Each bug with the first seed that finds it.
const FOUND_BY: [(Bug, u64); Bug::ALL.len()] = [
    (Bug::AdmitNeverFitting, 45),
    (Bug::LeakBlockOnCancel, 0),
    (Bug::LeakPlaceOnCancel, 0),
    (Bug::TrustHash, 1),
    (Bug::IgnoreNamespace, 1),
    (Bug::IgnoreParent, 8961),
    (Bug::DoubleFreeAfterPreemption, 0),
    (Bug::KeepComputedOnPreemption, 0),
    (Bug::PublishBeforeComputed, 1),
    (Bug::PublishPartialBlock, 9),
    (Bug::CacheWholePrompt, 0),
    (Bug::ForgetReader, 1),
    (Bug::EvictReferenced, 0),
    (Bug::KeepEvictedInIndex, 0),
    (Bug::StarvePrefill, 0),
    (Bug::StarveDecode, 0),
    (Bug::FirstComeFirstServed, 220),
    (Bug::KeepOverShare, 18),
    (Bug::ResumeOutOfOrder, 0),
    (Bug::OvertakeForEver, 15),
    (Bug::StarveBatch, 6),
    (Bug::IgnoreDeadlineWhileWaiting, 7),
    (Bug::RestartCountOnPreemption, 0),
    (Bug::WaitForCancelledLeader, 0),
    (Bug::SharedQueue, 0),
    (Bug::FreeOneTooEarly, 0),
    (Bug::FreeByLastToken, 0),
    (Bug::KeepFallenOut, 0),
    (Bug::HitWithoutWindow, 0),
    (Bug::CountPastWindow, 3),
];

#[test]
fn every_planted_bug_is_found_by_its_seed_which_is_clean_without_it() {
    for (bug, seed) in FOUND_BY {
        assert!(
            check(seed, Some(bug)).is_err(),
            "seed {seed} misses {bug:?}"
        );
        assert!(check(seed, None).is_ok(), "seed {seed}");
    }
}

/// Prints the first seed that finds each bug, for the table above.
#[test]
#[ignore = "searches for seeds"]
fn search() {
    for bug in Bug::ALL {
        let found = AtomicU64::new(u64::MAX);
        for_seeds(10_000, |seed| {
            if seed < found.load(Ordering::Relaxed) && check(seed, Some(bug)).is_err() {
                found.fetch_min(seed, Ordering::Relaxed);
            }
        });
        let seed = found.into_inner();
        assert!(seed < u64::MAX, "nothing finds {bug:?}");
        let why = check(seed, Some(bug)).err().unwrap_or_default();
        println!(
            "    (Bug::{bug:?}, {seed}), // {}",
            why.lines().next().unwrap_or_default()
        );
    }
}
