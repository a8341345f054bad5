use super::Cuda;
use super::array::padded;
use super::device::{Address, Argument, Launch};
use super::memory::Memory;
use crate::kernels::{Arrangement, Kernels, RowSource, WeightType};
use candle_core::{Error, Result};
use half::bf16;

/// A weight `[n, k]`, row by row, each filled up to a multiple of 64 inputs; the scales of whole
/// numbers follow all rows. Of a pair, all rows of the gate come first.
pub struct Weight {
    memory: Memory,
    n: usize,
    k: usize,
    pub form: Form,
    pub arrangement: Arrangement,
}

/// What a weight's numbers are on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Bf16,
    /// Codes of a byte, a scale for 64 of them.
    Int8,
    /// Codes of half a byte, a scale for 32 of them.
    Int4,
}

/// Bytes of rows that are made ready at once.
const STAGE: usize = 64 << 20;

impl Form {
    fn new(weight_type: WeightType) -> Result<Self> {
        match weight_type {
            WeightType::Bf16 => Ok(Self::Bf16),
            WeightType::Int8 => Ok(Self::Int8),
            WeightType::Int4 => Ok(Self::Int4),
            WeightType::F32 => Err(Error::Msg("on CUDA weights are bf16, int8 or int4".into())),
        }
    }

    /// Bytes of a row of so many inputs, without its scales.
    pub fn row_bytes(self, k_padded: usize) -> usize {
        match self {
            Self::Bf16 => 2 * k_padded,
            Self::Int8 => k_padded,
            Self::Int4 => k_padded / 2,
        }
    }

    pub fn scale_bytes(self, k_padded: usize) -> usize {
        match self {
            Self::Bf16 => 0,
            Self::Int8 => k_padded / 64 * 2,
            Self::Int4 => k_padded / 32 * 2,
        }
    }

    /// What names of kernels have of it.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Bf16 => "",
            Self::Int8 => "int8_",
            Self::Int4 => "int4_",
        }
    }

    pub fn embedding(self) -> &'static str {
        match self {
            Self::Bf16 => "embedding",
            Self::Int8 => "embedding_int8",
            Self::Int4 => "embedding_int4",
        }
    }

    /// The kernel that makes bf16 weights of whole numbers.
    pub fn dequantize(self) -> &'static str {
        match self {
            Self::Int4 => "dequantize_int4",
            Self::Bf16 | Self::Int8 => "dequantize_int8",
        }
    }
}

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

    /// Where row `row` lies.
    pub fn row(&self, row: usize) -> Address {
        let row_bytes = self.form.row_bytes(self.k_padded());
        self.memory.address().offset(row * row_bytes)
    }

    pub fn scales_of_row(&self, row: usize) -> Address {
        let scale_bytes = self.form.scale_bytes(self.k_padded());
        self.row(self.n).offset(row * scale_bytes)
    }

    /// What a kernel of its form takes first: the numbers, and scales if there are any.
    pub fn arguments(&self) -> Vec<Argument> {
        let numbers = self.row(0).into();
        match self.form {
            Form::Bf16 => vec![numbers],
            Form::Int8 | Form::Int4 => vec![numbers, self.scales_of_row(0).into()],
        }
    }
}

impl Cuda {
    pub fn pack(
        &self,
        sources: &[RowSource<'_>],
        k: usize,
        arrangement: Arrangement,
        weight_type: WeightType,
        importance: Option<&[f32]>,
        kernels: &Kernels,
    ) -> Result<Weight> {
        let form = Form::new(weight_type)?;
        let num_elements: usize = sources.iter().map(RowSource::num_elements).sum();
        let n = num_elements / k.max(1);
        let row_bytes = form.row_bytes(padded(k)) + form.scale_bytes(padded(k));
        let weight = Weight {
            memory: Memory::zeroed(&self.device, n * row_bytes)?,
            n,
            k,
            form,
            arrangement,
        };
        let mut row = 0;
        for source in sources {
            let num_rows = source.num_elements() / k.max(1);
            match form {
                Form::Bf16 => self.fill(weight.row(row), source, num_rows, k)?,
                Form::Int8 | Form::Int4 => {
                    self.fill_codes(&weight, row, source, importance, kernels)?;
                }
            }
            row += num_rows;
        }
        self.device.wait()?;
        Ok(weight)
    }

    fn fill(&self, to: Address, source: &RowSource<'_>, num_rows: usize, k: usize) -> Result<()> {
        let row_bytes = 2 * padded(k);
        match source {
            RowSource::Random { seed, .. } => self.device.launch(
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
                    (*seed as usize).into(),
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
