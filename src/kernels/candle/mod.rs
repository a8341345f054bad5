//! The ops as candle's tensor operations, which compute on any of candle's devices.
//!
//! This is how Apple's GPUs compute a decoder (`metal`). Whatever is not about opening one is the
//! same on candle's CPU device, where tests hold it against the CPU forms and against golden
//! logits. Only operations for which candle's Metal backend has a kernel are used, and no number is
//! infinite on purpose: that backend compiles for fast mathematics, which need not know infinities.
//!
//! Activations, scores and sums are f32. A product is of its weight's type, so with bf16 weights
//! its inputs and results are rounded to bf16. candle chooses how it sums by the number of rows:
//! the last bits of a row depend on what else a step computes.

mod array;
mod attention;
mod heads;
#[cfg(feature = "metal")]
pub mod metal;
mod plan;
mod product;
mod rows;
mod step;
#[cfg(test)]
mod tests;
mod weight;

pub use array::Array;
pub use heads::Rope;
pub use step::{SpanInputs, StepInputs};
pub use weight::Weight;

use candle_core::{Device, Result, Tensor};

/// A device of candle as one model uses it.
pub struct Candle {
    device: Device,
}

impl Candle {
    pub fn new(device: Device) -> Self {
        Self { device }
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Waits until the operations that were called are done.
    pub fn wait(&self) -> Result<()> {
        self.device.synchronize()
    }

    /// `[values]`.
    pub fn vector<T: candle_core::WithDType>(&self, values: &[T]) -> Result<Tensor> {
        Tensor::from_slice(values, values.len(), &self.device)
    }
}
