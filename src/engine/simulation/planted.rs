//! Every planted bug is found, by a seed that is written down.

use super::{check, for_seeds};
use crate::engine::faults::Bug;
use std::sync::atomic::{AtomicU64, Ordering};

/// Each bug with the first seed that finds it.
const FOUND_BY: &[(Bug, u64)] = &[];

#[test]
fn every_planted_bug_is_found_by_its_seed_which_is_clean_without_it() {
    for (bug, seed) in FOUND_BY {
        assert!(
            check(*seed, Some(*bug)).is_err(),
            "seed {seed} misses {bug:?}"
        );
        assert!(check(*seed, None).is_ok(), "seed {seed}");
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
        let why = check(seed.min(10_000), Some(bug)).err().unwrap_or_default();
        println!(
            "    (Bug::{bug:?}, {seed}), // {}",
            why.lines().next().unwrap_or_default()
        );
    }
}
