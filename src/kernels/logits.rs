use super::cpu::{SplitMut, elementwise};
use super::{Kernels, storage};
use candle_core::{CpuStorage, Error, Result, Storage, Tensor};

/// What greedy sampling and log-probabilities need of a row of logits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RowSummary {
    /// The first of the largest.
    pub argmax: usize,
    pub max: f32,
    /// ln of the sum of e^logit. NaN where the row is no distribution: it holds a NaN or
    /// +∞, or −∞ alone.
    pub log_sum_exp: f32,
}

impl Kernels {
    pub fn summarize(&self, logits: &[f32]) -> RowSummary {
        let (argmax, max, log_sum_exp) = elementwise::summarize(self.set, logits);
        RowSummary {
            argmax,
            max,
            log_sum_exp,
        }
    }

    /// Index and value of the largest, the first of equals; −∞ where nothing is larger.
    pub fn largest(&self, logits: &[f32]) -> (usize, f32) {
        elementwise::largest(self.set, logits)
    }

    /// Unnormalised probabilities of a row, `out = e^((logit - max) / temperature)`, and
    /// their sum. `out` is as long as `logits`; 1 is the largest.
    pub fn softmax_weights(
        &self,
        logits: &[f32],
        max: f32,
        temperature: f32,
        out: &mut [f32],
    ) -> f64 {
        // The reciprocal of a tiny temperature is infinite, and 0 times that no number; that
        // of an infinite one is 0, and -inf times that no number either.
        let scale = temperature.recip().clamp(f32::MIN_POSITIVE, f32::MAX);
        elementwise::weights(self.set, logits, max, scale, out)
    }

    /// Calls `with` with each row of `logits` `[rows, vocab]` and its summary, rows side by
    /// side on the pool.
    pub fn for_logits<R: Default + Clone + Send>(
        &self,
        logits: &Tensor,
        with: impl Fn(usize, &[f32], RowSummary) -> R + Sync,
    ) -> Result<Vec<R>> {
        let (num_rows, vocab) = logits.dims2()?;
        let (storage, layout) = logits.storage_and_layout();
        let values = match &*storage {
            Storage::Cpu(values @ CpuStorage::F32(_)) => {
                storage::f32s("for_logits", values, layout)?
            }
            _ => {
                return Err(Error::Msg(
                    "for_logits: logits must be f32 on the CPU".into(),
                ));
            }
        };
        let mut results = vec![R::default(); num_rows];
        let out = SplitMut::new(&mut results);
        self.pool.run(num_rows, &|row| {
            let logits = &values[row * vocab..][..vocab];
            // SAFETY: each element is written by its own tile.
            let result = unsafe { out.part(row, 1) };
            result[0] = with(row, logits, self.summarize(logits));
        });
        Ok(results)
    }
}
