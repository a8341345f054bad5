#[cfg(feature = "cuda")]
use super::cuda;
use super::{Array, AttentionShape, AttentionSpan, Kernels};
use candle_core::Result;

/// A step as a decoder sees it: a ragged batch of token ranges, row by row.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    pub token_ids: &'a [u32],
    /// Position of each token in its sequence.
    pub positions: &'a [u32],
    /// For each KV group, the rows of each sequence with its block table.
    pub spans: &'a [Vec<AttentionSpan<'a>>],
    /// Rows whose logits are needed.
    pub output_rows: &'a [u32],
}

/// A batch that the device has, too.
pub struct Step<'a> {
    batch: Batch<'a>,
    #[cfg(feature = "cuda")]
    cuda: Option<cuda::StepInputs>,
}

/// A number for each row of an op: ids, positions, rows of another array.
#[derive(Clone, Copy)]
pub struct Indices<'a> {
    pub(super) host: &'a [u32],
    #[cfg(feature = "cuda")]
    pub(super) cuda: Option<cuda::Address>,
}

/// The sequences of an op.
#[derive(Clone, Copy)]
pub struct Spans<'a> {
    pub(super) host: &'a [AttentionSpan<'a>],
    #[cfg(feature = "cuda")]
    pub(super) cuda: Option<&'a cuda::SpanInputs>,
}

impl Kernels {
    /// Brings a batch to the device, for attention of this shape.
    pub fn begin<'a>(&self, batch: Batch<'a>, shape: AttentionShape) -> Result<Step<'a>> {
        let _ = shape;
        Ok(Step {
            #[cfg(feature = "cuda")]
            cuda: self
                .cuda
                .as_ref()
                .map(|cuda| cuda.upload(&batch, shape, self.shard().is_whole()))
                .transpose()?,
            batch,
        })
    }

    /// Calls `compute`, which must do nothing but call ops with `step` and `cache`; a device may
    /// have recorded what the same call did for another step and this cache, and do that again.
    pub fn run<E: From<candle_core::Error>>(
        &self,
        step: &Step<'_>,
        cache: &Array,
        compute: impl FnOnce() -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        #[cfg(feature = "cuda")]
        if let (Some(cuda), Some(inputs)) = (&self.cuda, &step.cuda) {
            return cuda.run(inputs, cache, compute);
        }
        let _ = (step, cache);
        compute()
    }
}

impl Step<'_> {
    /// Rows that ops compute: those of the batch, and more where a device wants a round number.
    pub fn num_rows(&self) -> usize {
        #[cfg(feature = "cuda")]
        if let Some(inputs) = &self.cuda {
            return inputs.num_rows();
        }
        self.batch.token_ids.len()
    }

    /// Rows of logits that ops compute.
    pub fn num_outputs(&self) -> usize {
        #[cfg(feature = "cuda")]
        if let Some(inputs) = &self.cuda {
            return inputs.num_outputs();
        }
        self.batch.output_rows.len()
    }

    pub fn token_ids(&self) -> Indices<'_> {
        Indices {
            host: self.batch.token_ids,
            #[cfg(feature = "cuda")]
            cuda: self.cuda.as_ref().map(cuda::StepInputs::token_ids),
        }
    }

    pub fn positions(&self) -> Indices<'_> {
        Indices {
            host: self.batch.positions,
            #[cfg(feature = "cuda")]
            cuda: self.cuda.as_ref().map(cuda::StepInputs::positions),
        }
    }

    pub fn output_rows(&self) -> Indices<'_> {
        Indices {
            host: self.batch.output_rows,
            #[cfg(feature = "cuda")]
            cuda: self.cuda.as_ref().map(cuda::StepInputs::output_rows),
        }
    }

    pub fn spans(&self, kv_group: usize) -> Spans<'_> {
        Spans {
            host: &self.batch.spans[kv_group],
            #[cfg(feature = "cuda")]
            cuda: self.cuda.as_ref().map(|inputs| inputs.spans(kv_group)),
        }
    }
}

impl<'a> From<&'a [u32]> for Indices<'a> {
    fn from(host: &'a [u32]) -> Self {
        Self {
            host,
            #[cfg(feature = "cuda")]
            cuda: None,
        }
    }
}

impl<'a> From<&'a Vec<u32>> for Indices<'a> {
    fn from(host: &'a Vec<u32>) -> Self {
        Self::from(host.as_slice())
    }
}

impl<'a, const N: usize> From<&'a [u32; N]> for Indices<'a> {
    fn from(host: &'a [u32; N]) -> Self {
        Self::from(host.as_slice())
    }
}

impl<'a> From<&'a [AttentionSpan<'a>]> for Spans<'a> {
    fn from(host: &'a [AttentionSpan<'a>]) -> Self {
        Self {
            host,
            #[cfg(feature = "cuda")]
            cuda: None,
        }
    }
}

impl<'a> From<&'a Vec<AttentionSpan<'a>>> for Spans<'a> {
    fn from(host: &'a Vec<AttentionSpan<'a>>) -> Self {
        Self::from(host.as_slice())
    }
}

impl<'a, const N: usize> From<&'a [AttentionSpan<'a>; N]> for Spans<'a> {
    fn from(host: &'a [AttentionSpan<'a>; N]) -> Self {
        Self::from(host.as_slice())
    }
}
