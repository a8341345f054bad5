use super::{AlignedBuffer, KernelSet, SplitMut, ThreadPool, math};
use half::{bf16, f16};

/// Type of a weight in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightType {
    F32,
    Bf16,
}

/// Rows of a checkpoint tensor, little-endian, as they lie in its file.
#[derive(Debug, Clone, Copy)]
pub enum RowSource<'a> {
    F32(&'a [u8]),
    F16(&'a [u8]),
    Bf16(&'a [u8]),
}

/// A weight `[n, k]` of a linear layer in the order in which its kernel reads it.
///
/// The original is not kept. Columns past `n` and, for pairs, the element past an odd `k`
/// are zero.
pub struct PackedWeight {
    n: usize,
    k: usize,
    form: Form,
    data: AlignedBuffer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// bf16 `[n/32][k/2][32][2]`: what vdpbf16ps takes.
    Bf16Pairs,
    /// bf16 `[n/16][k][16]`.
    Bf16Columns,
    /// f32 `[n/16][k][16]`.
    F32Columns,
}

impl Form {
    pub(super) fn columns(self) -> usize {
        match self {
            Self::Bf16Pairs => 32,
            Self::Bf16Columns | Self::F32Columns => 16,
        }
    }

    /// Elements that one strip of `columns()` outputs takes.
    fn strip_len(self, k: usize) -> usize {
        match self {
            Self::Bf16Pairs => k.next_multiple_of(2) * 32,
            Self::Bf16Columns | Self::F32Columns => k * 16,
        }
    }

    fn index(self, column: usize, i: usize) -> usize {
        match self {
            Self::Bf16Pairs => (i / 2) * 64 + column * 2 + i % 2,
            Self::Bf16Columns | Self::F32Columns => i * 16 + column,
        }
    }
}

impl RowSource<'_> {
    pub fn num_elements(&self) -> usize {
        match self {
            Self::F32(bytes) => bytes.len() / 4,
            Self::F16(bytes) | Self::Bf16(bytes) => bytes.len() / 2,
        }
    }

    /// Element `i`, which for each type is exact in f32.
    #[inline(always)]
    pub fn get(&self, i: usize) -> f32 {
        match self {
            Self::F32(bytes) => f32::from_le_bytes([
                bytes[4 * i],
                bytes[4 * i + 1],
                bytes[4 * i + 2],
                bytes[4 * i + 3],
            ]),
            Self::F16(bytes) => f16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]).to_f32(),
            Self::Bf16(bytes) => bf16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]).to_f32(),
        }
    }
}

impl PackedWeight {
    /// Packs the concatenation of `sources` along the rows, each of rows of `k` elements.
    ///
    /// Values that bf16 cannot hold are rounded to nearest even when `weight_type` is bf16.
    pub fn pack(
        sources: &[RowSource<'_>],
        k: usize,
        weight_type: WeightType,
        set: KernelSet,
        pool: &ThreadPool,
    ) -> Self {
        let form = match (weight_type, set) {
            (WeightType::F32, _) => Form::F32Columns,
            (WeightType::Bf16, KernelSet::Avx512Bf16) => Form::Bf16Pairs,
            (WeightType::Bf16, KernelSet::Avx2 | KernelSet::Portable) => Form::Bf16Columns,
        };
        let rows: Vec<(RowSource<'_>, usize)> = sources
            .iter()
            .flat_map(|source| {
                (0..source.num_elements() / k.max(1)).map(move |row| (*source, row * k))
            })
            .collect();
        let n = rows.len();
        let num_strips = n.div_ceil(form.columns());
        let strip_len = form.strip_len(k);
        let mut data = match form {
            Form::F32Columns => AlignedBuffer::zeroed::<f32>(num_strips * strip_len),
            Form::Bf16Pairs | Form::Bf16Columns => {
                AlignedBuffer::zeroed::<u16>(num_strips * strip_len)
            }
        };
        let strips: Vec<_> = rows.chunks(form.columns()).collect();
        match form {
            Form::F32Columns => {
                let out = SplitMut::new(data.as_mut_slice::<f32>());
                pool.run(num_strips, &|strip| {
                    // SAFETY: each strip is written by its own tile.
                    let out = unsafe { out.part(strip * strip_len, strip_len) };
                    fill(strips[strip], k, |column, i, x| {
                        out[form.index(column, i)] = x
                    });
                });
            }
            Form::Bf16Pairs | Form::Bf16Columns => {
                let out = SplitMut::new(data.as_mut_slice::<u16>());
                pool.run(num_strips, &|strip| {
                    // SAFETY: each strip is written by its own tile.
                    let out = unsafe { out.part(strip * strip_len, strip_len) };
                    fill(strips[strip], k, |column, i, x| {
                        out[form.index(column, i)] = math::to_bf16_bits(x)
                    });
                });
            }
        }
        Self { n, k, form, data }
    }

    /// Number of outputs.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Number of inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    pub fn num_bytes(&self) -> usize {
        self.data.num_bytes()
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    pub(super) fn num_strips(&self) -> usize {
        self.n.div_ceil(self.form.columns())
    }

    /// A strip as elements, or, for pairs, as pairs.
    pub(super) fn strip<T: super::buffer::Plain>(&self, strip: usize) -> &[T] {
        let element = match self.form {
            Form::F32Columns => size_of::<f32>(),
            Form::Bf16Pairs | Form::Bf16Columns => size_of::<u16>(),
        };
        let len = self.form.strip_len(self.k) * element / size_of::<T>();
        &self.data.as_slice::<T>()[strip * len..][..len]
    }

    /// Row `row` of the weight, widened to f32: how a tied embedding is looked up.
    pub fn copy_row(&self, row: usize, out: &mut [f32]) {
        let (strip, column) = (row / self.form.columns(), row % self.form.columns());
        match self.form {
            Form::F32Columns => {
                let strip = self.strip::<f32>(strip);
                for (i, x) in out.iter_mut().enumerate() {
                    *x = strip[self.form.index(column, i)];
                }
            }
            Form::Bf16Pairs | Form::Bf16Columns => {
                let strip = self.strip::<u16>(strip);
                for (i, x) in out.iter_mut().enumerate() {
                    *x = math::from_bf16_bits(strip[self.form.index(column, i)]);
                }
            }
        }
    }
}

fn fill(rows: &[(RowSource<'_>, usize)], k: usize, mut put: impl FnMut(usize, usize, f32)) {
    for (column, (source, start)) in rows.iter().enumerate() {
        for i in 0..k {
            put(column, i, source.get(start + i));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was_packed() {
        let pool = ThreadPool::new(2).unwrap();
        for (n, k) in [(1, 1), (33, 7), (16, 8), (65, 130)] {
            let values: Vec<f32> = (0..n * k).map(|i| (i as f32 - 40.0) / 8.0).collect();
            let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            for set in KernelSet::ALL {
                let cut = (n / 2) * k * 4;
                let sources = [RowSource::F32(&bytes[..cut]), RowSource::F32(&bytes[cut..])];
                let packed = PackedWeight::pack(&sources, k, WeightType::F32, set, &pool);
                assert_eq!((packed.n(), packed.k()), (n, k));
                let mut row = vec![0.0; k];
                for r in 0..n {
                    packed.copy_row(r, &mut row);
                    assert_eq!(row, values[r * k..][..k]);
                }
            }
        }
    }
}
