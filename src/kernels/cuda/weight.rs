use super::Cuda;
use super::array::padded;
use super::device::{Address, Argument, Launch};
use super::memory::Memory;
use crate::kernels::cpu::SplitMut;
use crate::kernels::{Arrangement, Fp8Matrix, Kernels, RowSource, WeightType};
use candle_core::{Error, Result};
use half::bf16;

/// A weight `[n, k]`, row by row, each filled up to a multiple of 64 inputs; the scales of codes
/// follow all rows. Of a pair, all rows of the gate come first.
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
    /// Rows are not filled up.
    F32,
    Bf16,
    /// Codes of a byte, a scale for 64 of them.
    Int8,
    /// Codes of half a byte, a scale for 32 of them.
    Int4,
    /// FP8 E4M3 as a checkpoint has it, an f32 scale for 64 of them.
    Fp8,
}

/// Bytes of rows that are made ready at once.
const STAGE: usize = 64 << 20;

impl Form {
    fn new(weight_type: WeightType) -> Self {
        match weight_type {
            WeightType::F32 => Self::F32,
            WeightType::Bf16 => Self::Bf16,
            WeightType::Int8 => Self::Int8,
            WeightType::Int4 => Self::Int4,
        }
    }

    /// Bytes of a row of `k` inputs, without its scales.
    pub fn row_bytes(self, k: usize) -> usize {
        match self {
            Self::F32 => 4 * k,
            Self::Bf16 => 2 * padded(k),
            Self::Int8 | Self::Fp8 => padded(k),
            Self::Int4 => padded(k) / 2,
        }
    }

    pub fn scale_bytes(self, k: usize) -> usize {
        match self {
            Self::F32 | Self::Bf16 => 0,
            Self::Int8 => padded(k) / 64 * 2,
            Self::Int4 => padded(k) / 32 * 2,
            Self::Fp8 => padded(k) / 64 * 4,
        }
    }

    /// What names of kernels have of it.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::F32 | Self::Bf16 => "",
            Self::Int8 => "int8_",
            Self::Int4 => "int4_",
            Self::Fp8 => "fp8_",
        }
    }

    /// The kernel that looks rows up.
    pub fn embedding(self) -> Result<&'static str> {
        match self {
            Self::F32 => Err(Error::Msg("on CUDA no table of ids is f32".into())),
            Self::Bf16 => Ok("embedding"),
            Self::Int8 => Ok("embedding_int8"),
            Self::Int4 => Ok("embedding_int4"),
            Self::Fp8 => Ok("embedding_fp8"),
        }
    }

    /// The kernel that makes bf16 weights of codes.
    pub fn dequantize(self) -> Result<&'static str> {
        match self {
            Self::F32 | Self::Bf16 => Err(Error::Msg(format!("on CUDA {self:?} is no code"))),
            Self::Int8 => Ok("dequantize_int8"),
            Self::Int4 => Ok("dequantize_int4"),
            Self::Fp8 => Ok("dequantize_fp8"),
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
        let row_bytes = self.form.row_bytes(self.k);
        self.memory.address().offset(row * row_bytes)
    }

    pub fn scales_of_row(&self, row: usize) -> Address {
        let scale_bytes = self.form.scale_bytes(self.k);
        self.row(self.n).offset(row * scale_bytes)
    }

    /// What a kernel of its form takes first: the numbers, and scales if there are any.
    pub fn arguments(&self) -> Vec<Argument> {
        let numbers = self.row(0).into();
        match self.form {
            Form::F32 | Form::Bf16 => vec![numbers],
            Form::Int8 | Form::Int4 | Form::Fp8 => vec![numbers, self.scales_of_row(0).into()],
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
        let is_fp8 = !sources.is_empty() && sources.iter().all(is_fp8);
        let form = match Form::new(weight_type) {
            // The bf16 that a kernel makes of it is what would be kept otherwise.
            Form::Bf16 if is_fp8 => Form::Fp8,
            form => form,
        };
        let num_elements: usize = sources.iter().map(RowSource::num_elements).sum();
        let n = num_elements / k.max(1);
        let row_bytes = form.row_bytes(k) + form.scale_bytes(k);
        let weight = Weight {
            memory: Memory::zeroed(&self.device, n * row_bytes)?,
            n,
            k,
            form,
            arrangement,
        };
        // Those of several experts stand one behind the other, as their sources do.
        let importances: Vec<&[f32]> = importance
            .map(|all| all.chunks_exact(k.max(1)).collect())
            .unwrap_or_default();
        let mut row = 0;
        for (index, source) in sources.iter().enumerate() {
            let num_rows = source.num_elements() / k.max(1);
            match form {
                Form::F32 | Form::Bf16 => self.fill(&weight, row, source, kernels)?,
                Form::Int8 | Form::Int4 | Form::Fp8 => {
                    let importance = importances.get(index * importances.len() / sources.len());
                    self.fill_codes(&weight, row, source, importance.copied(), kernels)?;
                }
            }
            row += num_rows;
        }
        self.device.wait()?;
        Ok(weight)
    }

    /// Fills a weight's memory from row `first` on with the rows of `source`.
    fn fill(
        &self,
        weight: &Weight,
        first: usize,
        source: &RowSource<'_>,
        kernels: &Kernels,
    ) -> Result<()> {
        let (form, k) = (weight.form, weight.k);
        let num_rows = source.num_elements() / k.max(1);
        match source {
            RowSource::Random(random) if form == Form::Bf16 => self.device.launch(
                &Launch {
                    name: "fill_random_weights",
                    grid: [num_rows.min(1 << 16), 1, 1],
                    threads: 256,
                    shared: 0,
                },
                &[
                    weight.row(first).into(),
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
            RowSource::Bf16(bytes) if form == Form::Bf16 && padded(k) == k => {
                self.device.write(weight.row(first), bytes)
            }
            _ => {
                let row_bytes = form.row_bytes(k);
                let rows_at_once = (STAGE / row_bytes.max(1)).max(1);
                for row in (0..num_rows).step_by(rows_at_once) {
                    let count = rows_at_once.min(num_rows - row);
                    let mut stage = vec![0; count * row_bytes];
                    let parts = SplitMut::new(&mut stage);
                    kernels.pool.run(count, &|index| {
                        // SAFETY: each row is written by its own tile.
                        let out = unsafe { parts.part(index * row_bytes, row_bytes) };
                        let mut values = vec![0.0; k];
                        source.read((row + index) * k, &mut values);
                        write_row(form, &values, out);
                    });
                    self.device.write(weight.row(first + row), &stage)?;
                }
                Ok(())
            }
        }
    }
}

/// Whether a source is FP8 whose scales are those of a kernel's steps.
fn is_fp8(source: &RowSource<'_>) -> bool {
    let RowSource::Matrix(rows) = source else {
        return false;
    };
    rows.column.is_multiple_of(<dyn Fp8Matrix>::GROUP) && rows.matrix.fp8().is_some()
}

/// Numbers in the type of a form, little-endian.
fn write_row(form: Form, values: &[f32], out: &mut [u8]) {
    if form == Form::F32 {
        for (out, value) in out.as_chunks_mut().0.iter_mut().zip(values) {
            *out = value.to_le_bytes();
        }
        return;
    }
    for (out, value) in out.as_chunks_mut().0.iter_mut().zip(values) {
        *out = bf16::from_f32(*value).to_le_bytes();
    }
}
