//! Weights of linear layers in the order in which their kernels read them.

mod form;
mod quantize;
mod rotation;
mod source;

pub use form::{Form, Int4, Int8, Quantized, STRIP};
pub use quantize::largest_bits;
pub use rotation::{ROTATION, rotate_inline};
pub use source::RowSource;

use super::{AlignedBuffer, KernelSet, SplitMut, ThreadPool, math};
use rotation::rotate;

/// Type of a weight in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightType {
    F32,
    Bf16,
    /// Whole numbers of 8 bits, 64 inputs of an output to a bf16 scale: 8.25 bits a weight.
    Int8,
    /// One of 16 levels, 32 inputs of an output to a bf16 scale: 4.5 bits a weight.
    Int4,
}

/// How the outputs of a weight are put together from its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrangement {
    /// One source below the other.
    Stacked,
    /// Two sources of the same size, half a strip of the first beside half a strip of the second,
    /// so that a gate meets what it gates in one kernel.
    Paired,
}

/// A weight `[n, k]` of a linear layer in the order in which its kernel reads it.
///
/// The original is not kept. Outputs past `n`, and inputs past `k` that fill a pair or a rotation
/// up, are zero.
pub struct PackedWeight {
    n: usize,
    k: usize,
    arrangement: Arrangement,
    set: KernelSet,
    form: Form,
    data: AlignedBuffer,
}

/// What the inputs of each group of 4 bits count, those that fill it up included.
struct Importance {
    groups: Vec<[f32; Int4::GROUP]>,
}

impl Importance {
    fn new(importance: Option<&[f32]>, k: usize) -> Self {
        let groups = importance.map_or_else(Vec::new, |importance| {
            assert_eq!(importance.len(), k, "an importance for each input");
            let chunks = importance.chunks(Int4::GROUP);
            chunks
                .map(|chunk| {
                    let mut group = [0.0; Int4::GROUP];
                    group[..chunk.len()].copy_from_slice(chunk);
                    group
                })
                .collect()
        });
        Self { groups }
    }

    fn of(&self, group: usize) -> &[f32; Int4::GROUP] {
        self.groups.get(group).unwrap_or(&[1.0; Int4::GROUP])
    }
}

/// The row of the checkpoint that an output of a strip comes from; none for padding.
type Row<'a> = Option<(RowSource<'a>, usize)>;

impl PackedWeight {
    /// Packs `sources`, each of rows of `k` elements, for the kernels of `set`.
    ///
    /// Values that bf16 cannot hold are rounded to nearest even when `weight_type` is bf16.
    ///
    /// `importance`, for each input the mean of its square up to a factor, tells 4 bits where to
    /// err least; without it all inputs count alike.
    ///
    /// # Panics
    /// If `arrangement` is paired and `sources` are not two of the same size, or if there are not
    /// `k` importances.
    pub fn pack(
        sources: &[RowSource<'_>],
        k: usize,
        arrangement: Arrangement,
        weight_type: WeightType,
        importance: Option<&[f32]>,
        set: KernelSet,
        pool: &ThreadPool,
    ) -> Self {
        let form = Form::new(weight_type, set);
        let importance = Importance::new(importance, k);
        let rows = strip_rows(sources, k, arrangement);
        let num_rows: usize = sources.iter().map(|s| s.num_elements() / k.max(1)).sum();
        let strip_bytes = form.strip_bytes(k);
        let num_strips = rows.len() / STRIP;
        let mut data = AlignedBuffer::zeroed::<u8>(num_strips * strip_bytes);
        let out = SplitMut::new(data.as_mut_slice::<u8>());
        pool.run(num_strips, &|strip| {
            // SAFETY: each strip is written by its own tile.
            let out = unsafe { out.part(strip * strip_bytes, strip_bytes) };
            let rows = &rows[strip * STRIP..][..STRIP];
            pack_strip(form, set, rows, k, &importance, out);
        });
        Self {
            n: num_rows,
            k,
            arrangement,
            set,
            form,
            data,
        }
    }

    /// Number of outputs, the halves of pairs counted each.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Number of inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    pub fn arrangement(&self) -> Arrangement {
        self.arrangement
    }

    pub fn num_bytes(&self) -> usize {
        self.data.num_bytes()
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    pub(super) fn num_strips(&self) -> usize {
        match self.arrangement {
            Arrangement::Stacked => self.n.div_ceil(STRIP),
            Arrangement::Paired => (self.n / 2).div_ceil(STRIP / 2),
        }
    }

    /// A strip as elements, pairs or bytes.
    pub(super) fn strip<T: super::buffer::Plain>(&self, strip: usize) -> &[T] {
        let len = self.form.strip_bytes(self.k) / size_of::<T>();
        &self.data.as_slice::<T>()[strip * len..][..len]
    }

    /// Row `row` of a stacked weight, widened to f32: how a tied embedding is looked up.
    pub fn copy_row(&self, row: usize, out: &mut [f32]) {
        debug_assert_eq!(self.arrangement, Arrangement::Stacked);
        let (strip, column) = (row / STRIP, row % STRIP);
        match self.form {
            Form::F32Columns => {
                let (inputs, _) = self.strip::<f32>(strip).as_chunks::<STRIP>();
                for (x, input) in out.iter_mut().zip(inputs) {
                    *x = input[column];
                }
            }
            Form::Bf16Columns => {
                let (inputs, _) = self.strip::<u16>(strip).as_chunks::<STRIP>();
                for (x, input) in out.iter_mut().zip(inputs) {
                    *x = math::from_bf16_bits(input[column]);
                }
            }
            Form::Bf16Pairs => {
                let (pairs, _) = self.strip::<u16>(strip).as_chunks::<{ 2 * STRIP }>();
                for (x, pair) in out.chunks_mut(2).zip(pairs) {
                    for (i, x) in x.iter_mut().enumerate() {
                        *x = math::from_bf16_bits(pair[2 * column + i]);
                    }
                }
            }
            Form::Int8 => self.copy_quantized::<Int8>(strip, column, out, |codes, i| {
                i32::from(codes[i / 4 * STRIP * 4 + column * 4 + i % 4])
            }),
            Form::Int4 => self.copy_quantized::<Int4>(strip, column, out, |codes, i| {
                let byte = codes[i / 8 * STRIP * 4 + column * 4 + i % 4];
                let number = if i / 4 % 2 == 0 { byte & 15 } else { byte >> 4 };
                i32::from(Int4::CODES[usize::from(number)])
            }),
        }
    }

    fn copy_quantized<Q: Quantized>(
        &self,
        strip: usize,
        column: usize,
        out: &mut [f32],
        code: impl Fn(&[u8], usize) -> i32,
    ) {
        let groups = self.strip::<u8>(strip).chunks_exact(Q::GROUP_BYTES);
        let mut inputs = vec![0.0; Q::num_groups(self.k) * Q::GROUP];
        for (inputs, group) in inputs.chunks_exact_mut(Q::GROUP).zip(groups) {
            let (codes, scales) = group.split_at(Q::CODE_BYTES);
            let scale = u16::from_le_bytes([scales[2 * column], scales[2 * column + 1]]);
            let scale = math::from_bf16_bits(scale);
            for (i, x) in inputs.iter_mut().enumerate() {
                *x = (code(codes, i) - Q::ZERO) as f32 * scale;
            }
        }
        if Q::IS_ROTATED {
            for block in inputs.as_chunks_mut().0 {
                rotate(self.set, block);
            }
        }
        out.copy_from_slice(&inputs[..self.k]);
    }
}

/// The rows of every strip, in order.
fn strip_rows<'a>(sources: &[RowSource<'a>], k: usize, arrangement: Arrangement) -> Vec<Row<'a>> {
    let rows_of = |source: &RowSource<'a>| -> Vec<Row<'a>> {
        (0..source.num_elements() / k.max(1))
            .map(|row| Some((*source, row * k)))
            .collect()
    };
    let mut rows: Vec<Row<'a>> = match (arrangement, sources) {
        (Arrangement::Stacked, sources) => sources.iter().flat_map(rows_of).collect(),
        (Arrangement::Paired, [first, second]) => {
            assert_eq!(first.num_elements(), second.num_elements());
            let (first, second) = (rows_of(first), rows_of(second));
            let halves = first.chunks(STRIP / 2).zip(second.chunks(STRIP / 2));
            halves
                .flat_map(|(first, second)| {
                    let padded = |half: &[Row<'a>]| {
                        let mut half = half.to_vec();
                        half.resize(STRIP / 2, None);
                        half
                    };
                    [padded(first), padded(second)].concat()
                })
                .collect()
        }
        (Arrangement::Paired, _) => panic!("pairs are made from two sources"),
    };
    rows.resize(rows.len().next_multiple_of(STRIP), None);
    rows
}

fn pack_strip(
    form: Form,
    set: KernelSet,
    rows: &[Row<'_>],
    k: usize,
    importance: &Importance,
    out: &mut [u8],
) {
    let rows = rows.iter().enumerate();
    for (column, (source, start)) in rows.filter_map(|(column, row)| Some((column, (*row)?))) {
        match form {
            Form::F32Columns => for_chunks::<16>(source, start, k, |i, x| {
                for (j, x) in x.iter().enumerate().take(k - i) {
                    put(out, ((i + j) * STRIP + column) * 4, x.to_le_bytes());
                }
            }),
            Form::Bf16Columns => for_chunks::<16>(source, start, k, |i, x| {
                for (j, x) in x.iter().enumerate().take(k - i) {
                    let bits = math::to_bf16_bits(*x).to_le_bytes();
                    put(out, ((i + j) * STRIP + column) * 2, bits);
                }
            }),
            Form::Bf16Pairs => for_chunks::<16>(source, start, k, |i, x| {
                let (pairs, _) = x.as_chunks::<2>();
                for (j, pair) in pairs.iter().enumerate().take((k - i).div_ceil(2)) {
                    let [a, b] = pair.map(|x| u32::from(math::to_bf16_bits(x)));
                    put(
                        out,
                        ((i / 2 + j) * STRIP + column) * 4,
                        (a | b << 16).to_le_bytes(),
                    );
                }
            }),
            Form::Int8 => for_groups::<Int8, { Int8::GROUP }>(set, source, start, k, |g, x| {
                let group = &mut out[g * Int8::GROUP_BYTES..][..Int8::GROUP_BYTES];
                let mut codes = [0; Int8::GROUP];
                let scale = quantize::int8(set, x, &mut codes);
                for (j, quad) in codes.as_chunks::<4>().0.iter().enumerate() {
                    put(group, (j * STRIP + column) * 4, *quad);
                }
                put(group, Int8::CODE_BYTES + column * 2, scale.to_le_bytes());
            }),
            Form::Int4 => for_groups::<Int4, { Int4::GROUP }>(set, source, start, k, |g, x| {
                let group = &mut out[g * Int4::GROUP_BYTES..][..Int4::GROUP_BYTES];
                let mut codes = [0; Int4::GROUP];
                let scale = quantize::int4(set, x, importance.of(g), &mut codes);
                for (j, quads) in codes.as_chunks::<8>().0.iter().enumerate() {
                    let bytes = std::array::from_fn::<u8, 4, _>(|i| quads[i] | quads[i + 4] << 4);
                    put(group, (j * STRIP + column) * 4, bytes);
                }
                put(group, Int4::CODE_BYTES + column * 2, scale.to_le_bytes());
            }),
        }
    }
}

/// Calls `with` with each group of the inputs of a row, rotated if they are to be, and its number.
fn for_groups<Q: Quantized, const GROUP: usize>(
    set: KernelSet,
    source: RowSource<'_>,
    start: usize,
    k: usize,
    mut with: impl FnMut(usize, &[f32; GROUP]),
) {
    if !Q::IS_ROTATED {
        return for_chunks::<GROUP>(source, start, k, |i, x| with(i / GROUP, x));
    }
    for_chunks::<ROTATION>(source, start, k, |i, x| {
        let mut x = *x;
        rotate(set, &mut x);
        for (g, x) in x.as_chunks::<GROUP>().0.iter().enumerate() {
            with(i / GROUP + g, x);
        }
    });
}

/// Calls `with` with each `N` elements of a row of `k`, the last ones filled up with zeros, and
/// the index of their first.
fn for_chunks<const N: usize>(
    source: RowSource<'_>,
    start: usize,
    k: usize,
    mut with: impl FnMut(usize, &[f32; N]),
) {
    for i in (0..k).step_by(N) {
        let mut x = [0.0; N];
        source.read(start + i, &mut x[..N.min(k - i)]);
        with(i, &x);
    }
}

fn put<const N: usize>(out: &mut [u8], at: usize, bytes: [u8; N]) {
    out[at..at + N].copy_from_slice(&bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(values: &[f32], k: usize, weight_type: WeightType, set: KernelSet) -> PackedWeight {
        let pool = ThreadPool::new(2).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let cut = (values.len() / k / 2) * k * 4;
        let sources = [RowSource::F32(&bytes[..cut]), RowSource::F32(&bytes[cut..])];
        PackedWeight::pack(
            &sources,
            k,
            Arrangement::Stacked,
            weight_type,
            None,
            set,
            &pool,
        )
    }

    fn rows(packed: &PackedWeight) -> Vec<f32> {
        let mut rows = vec![0.0; packed.n() * packed.k()];
        for (row, out) in rows.chunks_mut(packed.k()).enumerate() {
            packed.copy_row(row, out);
        }
        rows
    }

    #[test]
    fn a_row_comes_back_as_it_was_packed() {
        for (n, k) in [(1, 1), (33, 7), (16, 8), (65, 130)] {
            // Whole eighths of few digits are exact in bf16 too.
            let values: Vec<f32> = (0..n * k).map(|i| (i % 99) as f32 / 8.0 - 5.0).collect();
            for set in KernelSet::ALL {
                for weight_type in [WeightType::F32, WeightType::Bf16] {
                    let packed = pack(&values, k, weight_type, set);
                    assert_eq!((packed.n(), packed.k()), (n, k));
                    assert_eq!(rows(&packed), values, "{set} {weight_type:?}");
                }
            }
        }
    }

    /// Twelve uniform numbers added up: nearly a normal distribution, as weights have.
    fn bells(len: usize) -> Vec<f32> {
        let mut state = 3u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        (0..len)
            .map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0)
            .collect()
    }

    #[test]
    fn whole_numbers_come_near_to_what_they_round() {
        let (n, k) = (40, 300);
        let values = bells(n * k);
        for (weight_type, expected) in [(WeightType::Int8, 4e-5), (WeightType::Int4, 7e-3)] {
            let packed = pack(&values, k, weight_type, KernelSet::Portable);
            let error: f32 = rows(&packed)
                .iter()
                .zip(&values)
                .map(|(got, x)| (got - x).powi(2))
                .sum();
            let error = error / values.len() as f32;
            assert!(
                error < expected,
                "{weight_type:?}: a mean square of {error}"
            );
            for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
                assert_eq!(rows(&pack(&values, k, weight_type, set)), rows(&packed));
            }
        }
    }

    #[test]
    fn zeros_stay_zero_and_what_is_no_number_stays_none() {
        let k = 200;
        for weight_type in [WeightType::Int8, WeightType::Int4] {
            let mut values = vec![0.0; 4 * k];
            values[k..2 * k].fill(1e-42);
            values[2 * k + 70] = f32::NAN;
            values[3 * k + 70] = f32::NEG_INFINITY;
            let rows = rows(&pack(&values, k, weight_type, KernelSet::best()));
            assert!(rows[..k].iter().all(|x| *x == 0.0));
            assert!(rows[k..2 * k].iter().all(|x| x.abs() < 1e-41));
            assert!(rows[2 * k..3 * k].iter().any(|x| x.is_nan()));
            assert!(rows[3 * k..].iter().any(|x| !x.is_finite()));
        }
    }
}
