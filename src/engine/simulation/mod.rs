//! A deterministic simulation of the engine: the real schedule, cache, admission and
//! deadlines on a virtual clock, with a model that computes each token from everything the
//! sequence can see, under faults drawn from a seed.
//!
//! A run is right if every answer is that of the request alone, every bound holds and
//! nothing is left over. `docs/simulation.md` has the bugs of other engines that are planted
//! here, and what finds them.

mod checks;
mod client;
mod groups;
mod model;
mod planted;
mod random;
mod scenario;
mod simulator;

use super::faults::Bug;
use simulator::{Report, simulate};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

thread_local! {
    /// Planted bugs panic on purpose, thousands of times: on this thread nobody need hear.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a seed; a panic is a violation, too.
fn check(seed: u64, bug: Option<Bug>) -> Result<Report, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info| {
            if IS_QUIET.get() {
                LAST_PANIC.set(info.to_string());
            } else {
                hook(info);
            }
        }));
    });
    IS_QUIET.set(true);
    let result = catch(seed, bug);
    IS_QUIET.set(false);
    result
}

fn catch(seed: u64, bug: Option<Bug>) -> Result<Report, String> {
    catch_unwind(AssertUnwindSafe(|| simulate(seed, bug)))
        .unwrap_or_else(|_| Err(format!("seed {seed}: {}", LAST_PANIC.take())))
}

/// Calls `run` with each seed below `count`, on all cores.
fn for_seeds(count: u64, run: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let num_threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..num_threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        return;
                    }
                    run(seed);
                }
            });
        }
    });
}

/// Seeds that CI runs, unless `GUICHET_SEEDS` says otherwise.
const NUM_SEEDS: u64 = 20_000;

#[test]
fn no_seed_breaks_a_promise() {
    let num_seeds = std::env::var("GUICHET_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    let num_seeds = num_seeds.unwrap_or(NUM_SEEDS);
    let violation = Mutex::new(None);
    let total = Mutex::new(Report::default());
    for_seeds(num_seeds, |seed| match check(seed, None) {
        Ok(report) => {
            let mut total = total.lock().unwrap();
            total.num_steps += report.num_steps;
            total.num_preemptions += report.num_preemptions;
            total.num_cached_tokens += report.num_cached_tokens;
            total.num_windowed_cached_tokens += report.num_windowed_cached_tokens;
            total.num_slides += report.num_slides;
            total.num_refused += report.num_refused;
            total.num_timeouts += report.num_timeouts;
            total.num_left += report.num_left;
            total.num_deaths += report.num_deaths;
        }
        Err(text) => {
            let mut first = violation.lock().unwrap();
            if first.as_ref().is_none_or(|(other, _)| seed < *other) {
                *first = Some((seed, text));
            }
        }
    });
    if let Some((seed, text)) = violation.into_inner().unwrap() {
        panic!("{text}\nreplay it with GUICHET_SEED={seed} cargo test --lib replay -- --ignored");
    }
    let total = total.into_inner().unwrap();
    println!("{num_seeds} seeds: {total:?}");
    // Faults that never happen find nothing.
    assert!(total.num_preemptions > num_seeds && total.num_cached_tokens > num_seeds);
    assert!(total.num_windowed_cached_tokens > num_seeds && total.num_slides > num_seeds);
    assert!(total.num_timeouts > num_seeds / 20 && total.num_left > num_seeds / 2);
    assert!(total.num_deaths > num_seeds / 20 && total.num_refused > num_seeds / 20);
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in 0..200 {
        let [first, second] = [(); 2].map(|()| check(seed, None).unwrap().trace);
        assert_eq!(first, second, "seed {seed}");
        assert!(!first.is_empty());
    }
}

/// Prints what happens in the run of `GUICHET_SEED`.
#[test]
#[ignore = "for looking at one seed"]
fn replay() {
    let seed = std::env::var("GUICHET_SEED").expect("GUICHET_SEED is not set");
    let report = check(seed.parse().expect("GUICHET_SEED is not a number"), None);
    println!("{}", report.map_or_else(|text| text, |report| report.trace));
}
