//! From rows of a checkpoint to strips.

use super::form::{Form, Int4, Int8, Quantized, STRIP};
use super::rotation::{ROTATION, rotate};
use super::{Arrangement, RowSource, quantize};
use crate::kernels::cpu::{KernelSet, math};

/// What the inputs of each group of 4 bits count, those that fill it up included.
pub struct Importance {
    groups: Vec<[f32; Int4::GROUP]>,
}

impl Importance {
    pub fn new(importance: Option<&[f32]>, k: usize) -> Self {
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
pub(super) type Row<'a> = Option<(RowSource<'a>, usize)>;

/// The rows of every strip, in order.
pub(super) fn strip_rows<'a>(
    sources: &[RowSource<'a>],
    k: usize,
    arrangement: Arrangement,
) -> Vec<Row<'a>> {
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

pub(super) fn pack_strip(
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

/// Calls `with` with each group of the inputs of a row as a device takes them that does not round
/// activations: number, codes, scale. Nothing is rotated.
#[cfg(feature = "cuda")]
pub fn int8_groups(
    set: KernelSet,
    source: &RowSource<'_>,
    start: usize,
    k: usize,
    mut with: impl FnMut(usize, &[u8; Int8::GROUP], u16),
) {
    for_chunks::<{ Int8::GROUP }>(*source, start, k, |i, x| {
        let mut codes = [0; Int8::GROUP];
        let scale = quantize::int8(set, x, &mut codes);
        with(i / Int8::GROUP, &codes, scale);
    });
}

/// The same of 4 bits, where a code is the number of a level.
#[cfg(feature = "cuda")]
pub fn int4_groups(
    set: KernelSet,
    source: &RowSource<'_>,
    start: usize,
    k: usize,
    importance: &Importance,
    mut with: impl FnMut(usize, &[u8; Int4::GROUP], u16),
) {
    for_chunks::<{ Int4::GROUP }>(*source, start, k, |i, x| {
        let mut codes = [0; Int4::GROUP];
        let group = i / Int4::GROUP;
        let scale = quantize::int4(set, x, importance.of(group), &mut codes);
        with(group, &codes, scale);
    });
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
