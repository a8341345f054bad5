use half::{bf16, f16};
use std::fmt::Debug;

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
    /// Numbers made of a seed, in place of a tensor of so many elements.
    Random {
        seed: u32,
        len: usize,
    },
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

/// A matrix of FP8 E4M3 of which [`Fp8Matrix::GROUP`] inputs of an output share a scale at least.
pub trait Fp8Matrix: Sync {
    fn code(&self, row: usize, input: usize) -> u8;

    /// What an element is multiplied with.
    fn scale(&self, row: usize, input: usize) -> f32;
}

impl dyn Fp8Matrix {
    pub const GROUP: usize = 64;
}

/// `count` rows of a matrix of `k` columns: `first`, `first + step` and so on.
#[derive(Debug, Clone, Copy)]
pub struct MatrixRows<'a> {
    pub matrix: &'a dyn Matrix,
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
            Self::Random { len, .. } | Self::Ones { len } => *len,
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
                rows.matrix.read(rows.first + row * rows.step, column, out);
            }),
            Self::Random { seed, len } => {
                for (out, at) in out.iter_mut().zip(start..*len) {
                    *out = random_weight(*seed, at as u64);
                }
            }
            Self::Ones { .. } => out.fill(1.0),
        }
    }

    pub fn get(&self, i: usize) -> f32 {
        let mut value = [0.0];
        self.read(i, &mut value);
        value[0]
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

/// Standard deviation of random weights, as models are initialised with.
const DEVIATION: f32 = 0.02;

/// The number at a place of a tensor of random weights: the sum of four random bytes, which is
/// nearly normally distributed. The same on every device (`fill_random_weights` in `cuda/weights.cu`).
fn random_weight(seed: u32, at: u64) -> f32 {
    let mut hash = seed ^ at as u32;
    hash = hash.wrapping_add(((at >> 32) as u32).wrapping_mul(0x9E37_79B9));
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x7FEB_352D);
    hash ^= hash >> 15;
    hash = hash.wrapping_mul(0x846C_A68B);
    hash ^= hash >> 16;
    let sum: u32 = hash.to_le_bytes().iter().map(|byte| u32::from(*byte)).sum();
    // The deviation of the sum of four uniform bytes is 147.8.
    (sum as f32 - 510.0) * (DEVIATION / 147.8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_weights_are_spread_as_a_models_are_and_differ_by_seed() {
        let mut values = vec![0.0; 100_000];
        RowSource::Random {
            seed: 7,
            len: 200_000,
        }
        .read(100, &mut values);
        let n = values.len() as f32;
        let mean = values.iter().sum::<f32>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n;
        assert!(mean.abs() < 3e-4, "{mean}");
        assert!((variance.sqrt() - DEVIATION).abs() < 2e-4, "{variance}");
        assert_eq!(values[5], random_weight(7, 105));
        assert_ne!(values[5], random_weight(8, 105));
        assert_ne!(random_weight(7, 1), random_weight(7, 1 + (1 << 32)));
    }

    /// A matrix whose elements say where they stand.
    #[derive(Debug)]
    struct Places;

    impl Matrix for Places {
        fn read(&self, row: usize, start: usize, out: &mut [f32]) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = (100 * row + start + i) as f32;
            }
        }
    }

    #[test]
    fn every_second_row_of_a_matrix_is_read_across_the_ends_of_rows() {
        let source = RowSource::Matrix(MatrixRows {
            matrix: &Places,
            k: 3,
            first: 1,
            step: 2,
            count: 2,
        });
        assert_eq!(source.num_elements(), 6);
        let mut values = [0.0; 5];
        source.read(1, &mut values);
        assert_eq!(values, [101.0, 102.0, 300.0, 301.0, 302.0]);
    }

    #[test]
    fn a_matrix_is_read_the_other_way_round_and_by_every_second_row() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        for (float, bytes) in [
            (
                Float::F32,
                values
                    .iter()
                    .flat_map(|x| x.to_le_bytes())
                    .collect::<Vec<u8>>(),
            ),
            (
                Float::F16,
                values
                    .iter()
                    .flat_map(|x| f16::from_f32(*x).to_le_bytes())
                    .collect(),
            ),
            (
                Float::Bf16,
                values
                    .iter()
                    .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
                    .collect(),
            ),
        ] {
            // [3, 4] as it lies there, read as the columns 1 and 3 and as the rows 0 and 2.
            let columns = Strided {
                bytes: &bytes[float.num_bytes()..],
                float,
                num_rows: 2,
                k: 3,
                row_step: 2,
                step: 4,
            };
            let rows = Strided {
                bytes: &bytes,
                float,
                num_rows: 2,
                k: 4,
                row_step: 8,
                step: 1,
            };
            let mut read = [0.0; 6];
            RowSource::Strided(columns).read(0, &mut read);
            assert_eq!(read, [1.0, 5.0, 9.0, 3.0, 7.0, 11.0]);
            RowSource::Strided(rows).read(2, &mut read);
            assert_eq!(read, [2.0, 3.0, 8.0, 9.0, 10.0, 11.0]);
        }
    }
}
