use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Gauges and counters that the engine's thread writes and anyone reads.
#[derive(Debug, Default)]
pub struct EngineStats {
    pub num_running: AtomicU64,
    pub num_waiting: AtomicU64,
    /// Blocks that running sequences hold.
    pub num_blocks_used: AtomicU64,
    /// Blocks that only the prefix cache holds.
    pub num_blocks_cached: AtomicU64,
    pub num_blocks_total: AtomicU64,
    /// Prompt tokens computed, recomputation after preemption not counted twice.
    pub num_prompt_tokens: AtomicU64,
    /// Prompt tokens found in the prefix cache instead.
    pub num_cached_tokens: AtomicU64,
    pub num_generated_tokens: AtomicU64,
    pub num_preemptions: AtomicU64,
    /// Steps executed; moves whenever there is work.
    pub num_steps: AtomicU64,
    /// How often the engine died of a failed step.
    pub num_deaths: AtomicU64,
    /// When the current step began, in milliseconds since the engine's start plus one; 0
    /// between steps.
    step_since: AtomicU64,
}

impl EngineStats {
    pub(super) fn begin_step(&self, now: Duration) {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX - 1);
        self.step_since.store(now + 1, Ordering::SeqCst);
    }

    pub(super) fn end_step(&self) {
        self.step_since.store(0, Ordering::SeqCst);
    }

    /// How long the current step takes already.
    pub(super) fn in_step_for(&self, now: Duration) -> Duration {
        match self.step_since.load(Ordering::SeqCst).checked_sub(1) {
            Some(since) => now.saturating_sub(Duration::from_millis(since)),
            None => Duration::ZERO,
        }
    }
}
