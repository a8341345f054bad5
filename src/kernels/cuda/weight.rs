use super::Cuda;
use super::array::padded;
use super::device::{Address, Launch};
use super::memory::Memory;
use crate::kernels::{Arrangement, RowSource, WeightType};
use candle_core::{Error, Result};
use half::bf16;

/// A weight `[n, k]` in bf16, row by row, each filled up with zeros to a multiple of 64 inputs. Of
/// a pair, all rows of the gate come first.
pub struct Weight {
    memory: Memory,
    n: usize,
    k: usize,
    pub arrangement: Arrangement,
}

/// Bytes of rows that are made ready at once.
const STAGE: usize = 64 << 20;

impl Weight {
    pub fn n(&self) -> usize {
        self.n
    }

    pub fn k(&self) -> usize {
        self.k
    }

    pub fn k_padded(&self) -> usize {
        padded(self.k)
    }

    pub fn num_bytes(&self) -> usize {
        self.memory.num_bytes()
    }

    pub fn address(&self) -> Address {
        self.memory.address()
    }
}

impl Cuda {
    pub fn pack(
        &self,
        sources: &[RowSource<'_>],
        k: usize,
        arrangement: Arrangement,
        weight_type: WeightType,
    ) -> Result<Weight> {
        if weight_type != WeightType::Bf16 {
            return Err(Error::Msg(format!(
                "on CUDA weights are bf16, not {weight_type:?}"
            )));
        }
        let num_elements: usize = sources.iter().map(RowSource::num_elements).sum();
        let n = num_elements / k.max(1);
        let row_bytes = 2 * padded(k);
        let memory = Memory::zeroed(&self.device, n * row_bytes)?;
        let mut row = 0;
        for source in sources {
            let to = memory.address().offset(row * row_bytes);
            let num_rows = source.num_elements() / k.max(1);
            self.fill(to, source, num_rows, k)?;
            row += num_rows;
        }
        self.device.wait()?;
        Ok(Weight {
            memory,
            n,
            k,
            arrangement,
        })
    }

    fn fill(&self, to: Address, source: &RowSource<'_>, num_rows: usize, k: usize) -> Result<()> {
        let row_bytes = 2 * padded(k);
        match source {
            RowSource::Random(random) => self.device.launch(
                &Launch {
                    name: "fill_random_weights",
                    grid: [num_rows.min(1 << 16), 1, 1],
                    threads: 256,
                    shared: 0,
                },
                &[
                    to.into(),
                    num_rows.into(),
                    k.into(),
                    padded(k).into(),
                    (random.seed as usize).into(),
                    random.first.into(),
                    random.column.into(),
                    random.row_len.into(),
                ],
            ),
            // As it lies in the file.
            RowSource::Bf16(bytes) if padded(k) == k => self.device.write(to, bytes),
            _ => {
                let rows_at_once = (STAGE / row_bytes).max(1);
                let mut stage = Vec::new();
                let mut row = vec![0.0; k];
                for first in (0..num_rows).step_by(rows_at_once) {
                    stage.clear();
                    for index in first..num_rows.min(first + rows_at_once) {
                        source.read(index * k, &mut row);
                        let values = row.iter().map(|value| bf16::from_f32(*value));
                        stage.extend(values.flat_map(bf16::to_le_bytes));
                        stage.resize(stage.len().next_multiple_of(row_bytes), 0);
                    }
                    self.device.write(to.offset(first * row_bytes), &stage)?;
                }
                Ok(())
            }
        }
    }
}
