use super::RandomRows;
use half::{bf16, f16};
use std::fmt::Debug;
use std::ops::Range;

/// Rows of a checkpoint tensor, little-endian, as they lie in its file.
#[derive(Debug, Clone, Copy)]
pub enum RowSource<'a> {
    F32(&'a [u8]),
    F16(&'a [u8]),
    Bf16(&'a [u8]),
    /// Rows, or elements of a row, that do not follow each other.
    Strided(Strided<'a>),
    /// Rows of a matrix that is worked out as it is read.
    Matrix(MatrixRows<'a>),
    /// Numbers made of a seed, in place of a tensor.
    Random(RandomRows),
    Ones {
        len: usize,
    },
}

/// A type of numbers as files have them, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Float {
    F32,
    F16,
    Bf16,
}

/// A matrix `[num_rows, k]` whose elements lie apart in `bytes`, which begin with its first.
#[derive(Debug, Clone, Copy)]
pub struct Strided<'a> {
    pub bytes: &'a [u8],
    pub float: Float,
    pub num_rows: usize,
    pub k: usize,
    /// Elements from a row to the next.
    pub row_step: usize,
    /// Elements from an element of a row to the next.
    pub step: usize,
}

/// A matrix that is worked out as it is read, such as one of a quantised checkpoint. Many threads
/// read it at once.
pub trait Matrix: Debug + Send + Sync {
    /// Elements of row `row` from `start` on, as many as `out` has room for.
    fn read(&self, row: usize, start: usize, out: &mut [f32]);

    /// The matrix as FP8 E4M3, if that is what it is made of.
    fn fp8(&self) -> Option<&dyn Fp8Matrix> {
        None
    }
}

/// A matrix of FP8 E4M3 of which `GROUP` inputs of an output share a scale at least.
pub trait Fp8Matrix: Sync {
    fn code(&self, row: usize, input: usize) -> u8;

    /// What an element is multiplied with.
    fn scale(&self, row: usize, input: usize) -> f32;
}

impl dyn Fp8Matrix {
    pub const GROUP: usize = 64;
}

/// `k` columns from `column` on of `count` rows of a matrix: `first`, `first + step` and so on.
#[derive(Debug, Clone, Copy)]
pub struct MatrixRows<'a> {
    pub matrix: &'a dyn Matrix,
    pub column: usize,
    pub k: usize,
    pub first: usize,
    pub step: usize,
    pub count: usize,
}

impl Float {
    pub const fn num_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Number `at` of `bytes`.
    ///
    /// # Panics
    /// If `bytes` have no such number.
    pub fn get(self, bytes: &[u8], at: usize) -> f32 {
        let mut value = [0.0];
        self.read(&bytes[self.num_bytes() * at..], &mut value);
        value[0]
    }

    /// The first numbers of `bytes`, which for each type are exact in f32.
    fn read(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => {
                for (out, value) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *out = f32::from_le_bytes(*value);
                }
            }
            Self::F16 => {
                for (out, value) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *out = f16::from_le_bytes(*value).to_f32();
                }
            }
            Self::Bf16 => {
                for (out, value) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *out = bf16::from_le_bytes(*value).to_f32();
                }
            }
        }
    }
}

impl<'a> RowSource<'a> {
    /// The numbers of `bytes` in order.
    pub fn plain(float: Float, bytes: &'a [u8]) -> Self {
        match float {
            Float::F32 => Self::F32(bytes),
            Float::F16 => Self::F16(bytes),
            Float::Bf16 => Self::Bf16(bytes),
        }
    }

    pub fn num_elements(&self) -> usize {
        match self {
            Self::F32(bytes) => bytes.len() / 4,
            Self::F16(bytes) | Self::Bf16(bytes) => bytes.len() / 2,
            Self::Strided(strided) => strided.num_rows * strided.k,
            Self::Matrix(rows) => rows.count * rows.k,
            Self::Random(rows) => rows.count * rows.k,
            Self::Ones { len } => *len,
        }
    }

    /// Elements from `start` on, row after row.
    pub fn read(&self, start: usize, out: &mut [f32]) {
        match self {
            Self::F32(bytes) => Float::F32.read(&bytes[4 * start..], out),
            Self::F16(bytes) => Float::F16.read(&bytes[2 * start..], out),
            Self::Bf16(bytes) => Float::Bf16.read(&bytes[2 * start..], out),
            Self::Strided(strided) => strided.read(start, out),
            Self::Matrix(rows) => by_row(rows.k, start, out, |row, column, out| {
                let row = rows.first + row * rows.step;
                rows.matrix.read(row, rows.column + column, out);
            }),
            Self::Random(rows) => by_row(rows.k, start, out, |row, column, out| {
                rows.read(row, column, out);
            }),
            Self::Ones { .. } => out.fill(1.0),
        }
    }

    pub fn get(&self, i: usize) -> f32 {
        let mut value = [0.0];
        self.read(i, &mut value);
        value[0]
    }

    /// Some columns of some rows, of which each has `k` elements.
    ///
    /// # Panics
    /// If there are no such rows or columns.
    pub fn block(self, k: usize, rows: Range<usize>, columns: Range<usize>) -> Self {
        let num_rows = self.num_elements() / k.max(1);
        assert!(
            rows.end <= num_rows && columns.end <= k,
            "a part of a weight"
        );
        if rows.len() == num_rows && columns.len() == k {
            return self;
        }
        let plain = |float: Float, bytes: &'a [u8]| {
            let strided = Strided {
                bytes,
                float,
                num_rows,
                k,
                row_step: k,
                step: 1,
            };
            strided.block(rows.clone(), columns.clone())
        };
        match self {
            Self::F32(bytes) => plain(Float::F32, bytes),
            Self::F16(bytes) => plain(Float::F16, bytes),
            Self::Bf16(bytes) => plain(Float::Bf16, bytes),
            Self::Strided(strided) => strided.block(rows, columns),
            Self::Matrix(matrix) => Self::Matrix(MatrixRows {
                column: matrix.column + columns.start,
                k: columns.len(),
                first: matrix.first + rows.start * matrix.step,
                count: rows.len(),
                ..matrix
            }),
            Self::Random(random) => Self::Random(RandomRows {
                column: random.column + columns.start,
                k: columns.len(),
                first: random.first + rows.start,
                count: rows.len(),
                ..random
            }),
            Self::Ones { .. } => Self::Ones {
                len: rows.len() * columns.len(),
            },
        }
    }
}

impl<'a> Strided<'a> {
    fn block(self, rows: Range<usize>, columns: Range<usize>) -> RowSource<'a> {
        let first = rows.start * self.row_step + columns.start * self.step;
        let bytes = &self.bytes[(self.float.num_bytes() * first).min(self.bytes.len())..];
        // Rows that follow each other are read in one go.
        if self.step == 1 && self.row_step == columns.len() {
            let len = rows.len() * columns.len() * self.float.num_bytes();
            return RowSource::plain(self.float, &bytes[..len]);
        }
        RowSource::Strided(Self {
            bytes,
            num_rows: rows.len(),
            k: columns.len(),
            ..self
        })
    }
}

impl Strided<'_> {
    fn read(&self, start: usize, out: &mut [f32]) {
        by_row(self.k, start, out, |row, column, out| {
            let first = row * self.row_step + column * self.step;
            if self.step == 1 {
                self.float
                    .read(&self.bytes[self.float.num_bytes() * first..], out);
                return;
            }
            for (i, out) in out.iter_mut().enumerate() {
                *out = self.float.get(self.bytes, first + i * self.step);
            }
        });
    }
}

/// Calls `read` with the parts of `out` that lie in one row of `k` elements each, and where they
/// begin.
fn by_row(
    k: usize,
    start: usize,
    mut out: &mut [f32],
    mut read: impl FnMut(usize, usize, &mut [f32]),
) {
    let mut at = start;
    while !out.is_empty() {
        let (row, column) = (at / k, at % k);
        let (now, later) = out.split_at_mut(out.len().min(k - column));
        read(row, column, now);
        at += now.len();
        out = later;
    }
}

#[cfg(test)]
mod tests;
