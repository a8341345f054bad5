//! Texts in, vectors or scores out: batches of whole texts, without a cache and without steps.
//!
//! One thread a model takes what waits, callers in turn, and computes as many texts at a time as
//! fit. What a text comes to does not depend on those beside it.

mod load;
mod queue;
#[cfg(test)]
mod tests;
mod thread;

pub use crate::model::Pooling;
pub use load::{LoadedEncoder, TextModel, load_encoder};

use super::sequence::{EngineError, Origin, SubmitError};
use super::shared::EngineState;
use crate::model::{DecoderEmbedder, Encoder, EncoderInput};
use queue::{Item, Queue};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// A text in tokens, or two that are looked at together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizedText {
    pub token_ids: Vec<u32>,
    /// Where the second text begins; the length where there is none.
    pub second: usize,
}

/// What computes a batch.
pub trait TextRunner: Send {
    /// Called once on the thread that is going to call [`Self::run`].
    fn begin(&mut self) {}

    /// A vector or the scores of each text.
    fn run(&mut self, texts: &[EncoderInput<'_>]) -> Result<Vec<Vec<f32>>, String>;
}

impl TextRunner for Encoder {
    fn begin(&mut self) {
        self.kernels().pool().place_caller();
    }

    fn run(&mut self, texts: &[EncoderInput<'_>]) -> Result<Vec<Vec<f32>>, String> {
        self.forward(texts).map_err(|error| error.to_string())
    }
}

impl TextRunner for DecoderEmbedder {
    fn begin(&mut self) {
        self.kernels().pool().place_caller();
    }

    fn run(&mut self, texts: &[EncoderInput<'_>]) -> Result<Vec<Vec<f32>>, String> {
        self.forward(texts).map_err(|error| error.to_string())
    }
}

#[derive(Debug, Clone)]
pub struct EncodingConfig {
    pub vocab_size: usize,
    /// Longest text, in tokens.
    pub max_text_len: usize,
    /// Most tokens and texts of a batch; a text of any length fits.
    pub max_batched_tokens: usize,
    pub max_batched_texts: usize,
    /// Tokens of one caller that may wait before it is refused. A caller that has nothing waiting
    /// is not refused.
    pub max_waiting_tokens: usize,
    /// A batch that takes longer is stuck.
    pub stall_timeout: Duration,
}

/// Counters, read without stopping the engine.
#[derive(Debug, Default)]
pub struct EncodingStats {
    pub num_texts: AtomicU64,
    pub num_tokens: AtomicU64,
    pub num_batches: AtomicU64,
    pub num_waiting: AtomicU64,
    /// Microseconds in which batches were computed.
    pub busy_us: AtomicU64,
}

/// A handle to an encoder on its thread. Clones share it.
#[derive(Clone)]
pub struct EncodingEngine {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

struct Shared {
    config: EncodingConfig,
    stats: EncodingStats,
    queue: Mutex<Queue>,
    changed: Condvar,
    start: Instant,
    /// Milliseconds since the start at which the batch began that is being computed; 0: none is.
    batch_since: AtomicU64,
}

/// What texts came to, as it comes. Dropping it gives up what is not computed yet.
#[derive(Debug)]
pub struct EncodedTexts {
    results: mpsc::UnboundedReceiver<(usize, Result<Vec<f32>, EngineError>)>,
    num_texts: usize,
}

impl EncodedTexts {
    /// All of them, in order, or the first error.
    pub async fn all(mut self) -> Result<Vec<Vec<f32>>, EngineError> {
        let mut all = vec![Vec::new(); self.num_texts];
        for _ in 0..self.num_texts {
            let (index, result) = self.results.recv().await.ok_or(EngineError::Stopped)?;
            all[index] = result?;
        }
        Ok(all)
    }
}

impl EncodingEngine {
    pub fn start(runner: Box<dyn TextRunner>, config: EncodingConfig) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            config,
            stats: EncodingStats::default(),
            queue: Mutex::default(),
            changed: Condvar::new(),
            start: Instant::now(),
            batch_since: AtomicU64::new(0),
        });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("encoder".into())
            .spawn(move || thread::run(runner, &worker))?;
        Ok(Self {
            shared,
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    /// Queues the texts of one request: all or none.
    pub fn submit(
        &self,
        origin: Origin,
        texts: Vec<TokenizedText>,
    ) -> Result<EncodedTexts, SubmitError> {
        let config = &self.shared.config;
        for text in &texts {
            let num_prompt_tokens = text.token_ids.len();
            if num_prompt_tokens == 0 {
                return Err(SubmitError::Empty);
            }
            if num_prompt_tokens > config.max_text_len {
                return Err(SubmitError::NeverFits {
                    num_prompt_tokens,
                    max_tokens: 0,
                    limit: config.max_text_len,
                });
            }
            if let Some(id) = (text.token_ids.iter()).find(|id| **id as usize >= config.vocab_size)
            {
                return Err(SubmitError::UnknownToken {
                    id: *id,
                    vocab_size: config.vocab_size,
                });
            }
        }
        let num_texts = texts.len();
        let (sender, results) = mpsc::unbounded_channel();
        let items = texts.into_iter().enumerate().map(|(index, text)| Item {
            text,
            index,
            results: sender.clone(),
        });
        let mut queue = self.shared.queue();
        if queue.is_stopped {
            return Err(SubmitError::Stopped);
        }
        let waiting = queue.num_waiting_tokens(origin.flow);
        if waiting >= config.max_waiting_tokens {
            let retry_after = self.shared.time_for(waiting);
            return Err(SubmitError::Overloaded { retry_after });
        }
        queue.push(origin, items);
        self.shared.note_waiting(&queue);
        drop(queue);
        self.shared.changed.notify_one();
        Ok(EncodedTexts { results, num_texts })
    }

    pub fn config(&self) -> &EncodingConfig {
        &self.shared.config
    }

    pub fn stats(&self) -> &EncodingStats {
        &self.shared.stats
    }

    pub fn state(&self) -> EngineState {
        if self.shared.queue().is_stopped {
            return EngineState::Stopped;
        }
        let since = match self.shared.batch_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => (self.shared.start.elapsed()).saturating_sub(Duration::from_millis(since)),
        };
        if since > self.shared.config.stall_timeout {
            EngineState::Stuck { since }
        } else {
            EngineState::Running
        }
    }

    /// Takes no more texts, finishes those that wait, then ends the thread. Waits at most until
    /// `deadline` and one batch; what still waits then ends with [`EngineError::Stopped`].
    pub fn shutdown(&self, deadline: Instant) {
        let mut queue = self.shared.queue();
        queue.is_stopped = true;
        queue.deadline = Some(deadline);
        drop(queue);
        self.shared.changed.notify_one();
        let thread = (self.thread.lock())
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // The thread catches the panics of its runner.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_waiting(&self, queue: &Queue) {
        let waiting = queue.num_waiting() as u64;
        self.stats.num_waiting.store(waiting, Ordering::Relaxed);
    }

    /// What so many tokens take, by what was measured so far.
    fn time_for(&self, num_tokens: usize) -> Duration {
        let computed = self.stats.num_tokens.load(Ordering::Relaxed).max(1);
        let busy = Duration::from_micros(self.stats.busy_us.load(Ordering::Relaxed));
        busy.mul_f64(num_tokens as f64 / computed as f64)
    }
}
