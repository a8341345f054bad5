//! What the engine promises, proved against a real server process over loopback HTTP, or in
//! process where a server's settings do not reach; `make prove` runs it and `docs/proofs.md`
//! says what it shows.
//!
//! One file a proof. They take minutes and the whole machine, so they are ignored unless asked
//! for; what the harness computes itself is tested with everything else.

mod client;
mod hard_schemas;
mod pairs;
mod prompts;
mod raw_json;
mod report;
mod server;
mod settings;
mod statistics;
#[path = "../engine/way.rs"]
mod way;

mod disconnects;
mod fairness;
mod footprint;
mod identical;
mod invariance;
mod long_document;
mod overload;
mod prefix_cache;
mod quotations;
mod schemas;
mod soak;

use report::OutOfBounds;
use std::time::Duration;

/// Runs a proof on one thread, which leaves the cores to the server, and ends it at its deadline.
fn prove(
    deadline: Duration,
    proof: impl Future<Output = Result<(), OutOfBounds>>,
) -> Result<(), OutOfBounds> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let end = runtime.block_on(async { tokio::time::timeout(deadline, proof).await });
    end.unwrap_or_else(|_| panic!("the proof was not done after {} s", deadline.as_secs()))
}
