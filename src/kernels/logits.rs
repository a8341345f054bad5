use super::cpu::{SplitMut, elementwise};
use super::{Array, Kernels, storage};
use candle_core::{CpuStorage, Error, Result, Storage};

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

    /// Calls `with` with each row of `logits` `[rows, vocab]` and its summary, rows side by side on
    /// the pool. A device may leave a row empty that `wants` does not need.
    pub fn for_logits<R: Default + Clone + Send>(
        &self,
        logits: &Array,
        wants: impl Fn(usize) -> bool,
        with: impl Fn(usize, &[f32], RowSummary) -> R + Sync,
    ) -> Result<Vec<R>> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return self.for_logits_of(cuda, logits, wants, with);
        }
        let _ = wants;
        if let Some(candle) = &self.candle {
            let values = candle.read(logits.candle("for_logits")?)?;
            let vocab = logits.num_elements() / logits.num_rows().max(1);
            return Ok(self.summarized(&values, vocab, with));
        }
        let logits = logits.cpu("for_logits")?;
        let (_, vocab) = logits.dims2()?;
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
        Ok(self.summarized(values, vocab, with))
    }

    /// What `with` makes of each row of `values`.
    fn summarized<R: Default + Clone + Send>(
        &self,
        values: &[f32],
        vocab: usize,
        with: impl Fn(usize, &[f32], RowSummary) -> R + Sync,
    ) -> Vec<R> {
        let row = |row: usize| &values[row * vocab..][..vocab];
        self.for_each(values.len() / vocab.max(1), |index| {
            with(index, row(index), self.summarize(row(index)))
        })
    }

    #[cfg(feature = "cuda")]
    fn for_logits_of<R: Default + Clone + Send>(
        &self,
        cuda: &super::cuda::Cuda,
        logits: &Array,
        wants: impl Fn(usize) -> bool,
        with: impl Fn(usize, &[f32], RowSummary) -> R + Sync,
    ) -> Result<Vec<R>> {
        let num_rows = logits.num_rows();
        let wanted: Vec<usize> = (0..num_rows).filter(|row| wants(*row)).collect();
        cuda.read_logits(logits, &wanted, |summaries, values| {
            let vocab = values.len() / wanted.len().max(1);
            self.for_each(num_rows, |row| {
                let values = match wanted.binary_search(&row) {
                    Ok(index) => &values[index * vocab..][..vocab],
                    Err(_) => &[],
                };
                with(row, values, summaries[row])
            })
        })
    }

    fn for_each<R: Default + Clone + Send>(
        &self,
        num_rows: usize,
        with: impl Fn(usize) -> R + Sync,
    ) -> Vec<R> {
        let mut results = vec![R::default(); num_rows];
        let out = SplitMut::new(&mut results);
        self.pool.run(num_rows, &|row| {
            // SAFETY: each element is written by its own tile.
            let result = unsafe { out.part(row, 1) };
            result[0] = with(row);
        });
        results
    }
}
