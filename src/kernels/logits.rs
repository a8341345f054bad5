use super::choice::{ChoiceLimits, RowResult, RowUse};
use super::cpu::{SplitMut, elementwise};
#[cfg(feature = "cuda")]
use super::cuda;
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

/// What differences of logits are multiplied by at a temperature. The reciprocal of a tiny one is
/// infinite, and 0 times that no number; that of an infinite one is 0, and -inf times that no number
/// either.
pub(super) fn scale_of(temperature: f32) -> f32 {
    temperature.recip().clamp(f32::MIN_POSITIVE, f32::MAX)
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
        elementwise::weights(self.set, logits, max, scale_of(temperature), out)
    }

    /// What the device that has logits can be asked to choose from them; `None` where rows are read
    /// as they are.
    pub fn choice_limits(&self) -> Option<ChoiceLimits> {
        #[cfg(feature = "cuda")]
        if self.cuda.is_some() {
            return Some(cuda::CHOICE_LIMITS);
        }
        None
    }

    /// Takes the memory that [`Self::for_logits`] needs for up to so many rows of so many logits, so
    /// that no step has to.
    pub fn reserve_logits(&self, num_rows: usize, vocab: usize) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.reserve_logits(num_rows, vocab);
        }
        let _ = (num_rows, vocab);
        Ok(())
    }

    /// Calls `with` with each row of `logits` `[rows, vocab]`, rows side by side on the pool. `uses`
    /// says what is needed of each row; a CPU gives each whole.
    pub fn for_logits<R: Default + Clone + Send>(
        &self,
        logits: &Array,
        uses: &[RowUse],
        with: impl Fn(usize, RowResult<'_>) -> R + Sync,
    ) -> Result<Vec<R>> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return self.for_logits_of(cuda, logits, uses, with);
        }
        let _ = uses;
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
        with: impl Fn(usize, RowResult<'_>) -> R + Sync,
    ) -> Vec<R> {
        let row = |row: usize| &values[row * vocab..][..vocab];
        self.for_each(values.len() / vocab.max(1), |index| {
            let result = RowResult {
                summary: self.summarize(row(index)),
                values: row(index),
                chosen: None,
            };
            with(index, result)
        })
    }

    #[cfg(feature = "cuda")]
    fn for_logits_of<R: Default + Clone + Send>(
        &self,
        cuda: &cuda::Cuda,
        logits: &Array,
        uses: &[RowUse],
        with: impl Fn(usize, RowResult<'_>) -> R + Sync,
    ) -> Result<Vec<R>> {
        let num_rows = logits.num_rows();
        let (summaries, chosen) = cuda.choose(logits, uses)?;
        let result = |row: usize| RowResult {
            summary: summaries[row],
            values: &[],
            chosen: chosen[row].as_ref(),
        };
        let is_read = |row: &usize| uses.get(*row) == Some(&RowUse::Values);
        let mut results = self.for_each(num_rows, |row| match is_read(&row) {
            true => R::default(),
            false => with(row, result(row)),
        });
        let read: Vec<usize> = (0..num_rows).filter(is_read).collect();
        for rows in read.chunks(cuda::ROWS_AT_ONCE) {
            let of_rows = cuda.read_rows(logits, rows, |values| {
                self.for_each(rows.len(), |index| {
                    let values = values[index];
                    with(
                        rows[index],
                        RowResult {
                            values,
                            ..result(rows[index])
                        },
                    )
                })
            })?;
            for (row, of_row) in rows.iter().zip(of_rows) {
                results[*row] = of_row;
            }
        }
        Ok(results)
    }

    /// The results of `with` for the numbers below `num_rows`, side by side on the pool.
    pub(crate) fn for_each<R: Default + Clone + Send>(
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
