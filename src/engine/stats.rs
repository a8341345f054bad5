use std::sync::atomic::AtomicU64;

/// Gauges and counters that the engine's thread writes and anyone reads.
#[derive(Debug, Default)]
pub struct EngineStats {
    pub num_running: AtomicU64,
    pub num_waiting: AtomicU64,
    pub num_blocks_used: AtomicU64,
    pub num_blocks_total: AtomicU64,
    /// Prompt tokens computed, recomputation after preemption not counted twice.
    pub num_prompt_tokens: AtomicU64,
    pub num_generated_tokens: AtomicU64,
    pub num_preemptions: AtomicU64,
    /// Steps executed; moves whenever there is work.
    pub num_steps: AtomicU64,
    /// Sequences between their submission and their last event.
    pub(super) num_open: AtomicU64,
}
