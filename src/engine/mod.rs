//! Continuous batching: tokens in, tokens out.
//!
//! Owns sequences, KV blocks, the schedule and sampling. Refuses to know text, JSON,
//! HTTP or who is asking.

mod load;
mod runner;
mod sampling;
mod sequence;
mod stats;

pub use load::{load, Dtype, LoadError, LoadedModel, ModelOptions};
pub use runner::{RunnerError, StepItem, StepOutput, StepRunner, TokenOutput};
pub use sampling::SamplingParams;
pub use sequence::{EngineError, FinishReason, SequenceEvent, SequenceRequest, SubmitError};
pub use stats::EngineStats;

use tokio::sync::mpsc;

/// Limits of one engine. Derived from the configuration and the model, then frozen.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Most tokens computed in one step, over all sequences.
    pub max_num_batched_tokens: usize,
    /// Most sequences computed in one step.
    pub max_num_seqs: usize,
    /// Most sequences that wait; one more is refused with [`SubmitError::QueueFull`].
    pub max_num_waiting: usize,
    /// Longest prompt plus completion, in tokens.
    pub max_model_len: usize,
    /// Tokens in one KV block.
    pub block_size: usize,
    /// KV blocks that sequences share.
    pub num_blocks: usize,
}

/// The events of one sequence. Dropping it cancels the sequence.
pub type SequenceStream = mpsc::UnboundedReceiver<SequenceEvent>;

/// A handle to an engine thread. Clones share the thread.
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Starts the engine's thread, which owns `runner` until [`Engine::shutdown`].
    pub fn start(_runner: Box<dyn StepRunner>, _config: EngineConfig) -> std::io::Result<Self> {
        todo!()
    }

    /// Submits the sequences of one request, all or none.
    pub fn submit(&self, _requests: Vec<SequenceRequest>) -> Result<Vec<SequenceStream>, SubmitError> {
        todo!()
    }

    /// The limits this engine was started with.
    pub fn config(&self) -> &EngineConfig {
        todo!()
    }

    /// Gauges and counters, read without stopping the engine.
    pub fn stats(&self) -> &EngineStats {
        todo!()
    }

    /// Whether the engine's thread still takes sequences.
    pub fn is_alive(&self) -> bool {
        todo!()
    }

    /// Takes no more sequences, finishes the admitted ones, then ends the thread. Waits
    /// at most until `deadline`; what still runs then ends with [`EngineError::Stopped`].
    pub fn shutdown(&self, _deadline: std::time::Instant) {
        todo!()
    }
}
