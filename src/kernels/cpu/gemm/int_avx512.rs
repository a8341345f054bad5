//! Dot products of quads of bytes with AVX-512 VNNI.

use super::activations::{Group, Quads};
use super::ahead::Ahead;
use super::{STRIP, Sums, by_rows};
use crate::kernels::cpu::packed::{Form, Int4, Int8, Quantized};
use std::arch::x86_64::*;

/// The codes of a quad of inputs of all outputs of a strip; or of two, where a byte holds two.
type Line = [u8; STRIP * 4];
type Scales = [u8; STRIP * 2];

/// The sums of a strip of quantised weights for some rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn strip<Q: Quantized>(
    x: Quads<'_>,
    first: usize,
    num: usize,
    w: &[u8],
    ahead: &Ahead,
    sums: &mut Sums,
) {
    const INT8: usize = Int8::QUADS;
    const INT4: usize = Int4::QUADS;
    const HALF: usize = INT4 / 2;
    if Q::FORM == Form::Int8 {
        by_rows!(num, block::<INT8, INT8, 1>(x, first, w, ahead, sums));
    } else {
        by_rows!(num, block::<INT4, HALF, 2>(x, first, w, ahead, sums));
    }
}

/// The same of half-bytes that [`unpack`] wrote out.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn strip_of_bytes(
    x: Quads<'_>,
    first: usize,
    num: usize,
    w: &[u8],
    ahead: &Ahead,
    sums: &mut Sums,
) {
    const QUADS: usize = Int4::QUADS;
    by_rows!(num, block::<QUADS, QUADS, 1>(x, first, w, ahead, sums));
}

/// Bytes of a group after [`unpack`], and of a strip.
pub(super) const UNPACKED_GROUP: usize = Int4::GROUP_BYTES + Int4::CODE_BYTES;

pub(super) fn unpacked_len(w: &[u8]) -> usize {
    w.len() / Int4::GROUP_BYTES * UNPACKED_GROUP
}

/// Writes a strip of half-bytes out as the bytes of their codes, in the order that
/// [`Form::Int8`] has. Its lines and scales are cache lines.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn unpack(w: &[u8], out: &mut [u8]) {
    const LINES: usize = Int4::QUADS / 2;
    let groups = out.chunks_exact_mut(UNPACKED_GROUP);
    for (w, out) in w.chunks_exact(Int4::GROUP_BYTES).zip(groups) {
        let Some((lines, scales)) = split::<LINES>(w) else {
            return;
        };
        let (pairs, rest) = out.as_chunks_mut::<{ 2 * size_of::<Line>() }>();
        for (line, pair) in lines.iter().zip(pairs) {
            let [w0, w1] = load(line);
            let (high0, high1) = (_mm512_srli_epi16::<4>(w0), _mm512_srli_epi16::<4>(w1));
            let codes = [levels(w0), levels(w1), levels(high0), levels(high1)];
            // SAFETY: plain numbers of the same size.
            *pair = unsafe { std::mem::transmute::<[__m512i; 4], [u8; 256]>(codes) };
        }
        rest.copy_from_slice(scales);
    }
}

/// `QUADS` quads of inputs a group, in `LINES` lines.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn block<const R: usize, const QUADS: usize, const LINES: usize, const PER_LINE: usize>(
    x: Quads<'_>,
    first: usize,
    w: &[u8],
    ahead: &Ahead,
    out: &mut Sums,
) {
    let mut quads: [&[[u32; QUADS]]; R] = [&[]; R];
    for (quads, row) in quads.iter_mut().zip(x.quads.get::<R>(first)) {
        *quads = row.as_chunks().0;
    }
    let groups: [&[Group]; R] = x.groups.get(first);
    let mut totals = [[_mm512_setzero_ps(); 2]; R];
    let group_bytes = LINES * size_of::<Line>() + size_of::<Scales>();
    // Not known to the compiler, or it unrolls a group and keeps its inputs on the stack.
    let num_lines = std::hint::black_box(LINES).min(LINES);
    for (g, w) in w.chunks_exact(group_bytes).enumerate() {
        let Some((lines, scales)) = split::<LINES>(w) else {
            return;
        };
        let mut sums = [[_mm512_setzero_si512(); 2]; R];
        let mut row_quads: [&[[u32; PER_LINE]]; R] = [&[]; R];
        for r in 0..R {
            sums[r] = [_mm512_set1_epi32(groups[r][g].start); 2];
            row_quads[r] = &quads[r][g].as_chunks().0[..num_lines];
        }
        for (i, line) in lines[..num_lines].iter().enumerate() {
            ahead.prefetch(g.wrapping_mul(LINES).wrapping_add(i), g);
            let [w0, w1] = load(line);
            if PER_LINE == 1 {
                multiply(&mut sums, &row_quads, i, 0, w0, w1);
            } else {
                multiply(&mut sums, &row_quads, i, 0, levels(w0), levels(w1));
                let (w0, w1) = (_mm512_srli_epi16::<4>(w0), _mm512_srli_epi16::<4>(w1));
                multiply(&mut sums, &row_quads, i, 1, levels(w0), levels(w1));
            }
        }
        ahead.prefetch_scales(g.wrapping_add(1).wrapping_mul(LINES), g);
        let [scales0, scales1] = widen(scales);
        for r in 0..R {
            let scale = _mm512_set1_ps(groups[r][g].scale);
            totals[r][0] = add(totals[r][0], sums[r][0], scale, scales0);
            totals[r][1] = add(totals[r][1], sums[r][1], scale, scales1);
        }
    }
    for (out, totals) in out.0.iter_mut().zip(totals) {
        // SAFETY: plain numbers of the same size.
        *out = unsafe { std::mem::transmute::<[__m512; 2], [f32; STRIP]>(totals) };
    }
}

#[inline(always)]
fn split<const LINES: usize>(group: &[u8]) -> Option<(&[Line; LINES], &Scales)> {
    let (lines, _) = group.as_chunks::<{ size_of::<Line>() }>();
    Some((lines.first_chunk()?, group.last_chunk()?))
}

#[target_feature(enable = "avx512f,avx512vnni")]
#[inline]
fn multiply<const R: usize, const PER_LINE: usize>(
    sums: &mut [[__m512i; 2]; R],
    quads: &[&[[u32; PER_LINE]]; R],
    line: usize,
    i: usize,
    w0: __m512i,
    w1: __m512i,
) {
    for (sums, quads) in sums.iter_mut().zip(quads) {
        let quad = _mm512_set1_epi32(quads[line][i].cast_signed());
        sums[0] = _mm512_dpbusd_epi32(sums[0], w0, quad);
        sums[1] = _mm512_dpbusd_epi32(sums[1], w1, quad);
    }
}

/// The codes of the levels that the low halves of bytes count.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn levels(numbers: __m512i) -> __m512i {
    // SAFETY: plain numbers of the same size.
    let codes: __m128i = unsafe { std::mem::transmute(Int4::CODES) };
    let numbers = _mm512_and_si512(numbers, _mm512_set1_epi8(15));
    _mm512_shuffle_epi8(_mm512_broadcast_i32x4(codes), numbers)
}

/// `total + sum * scale * scales`.
#[target_feature(enable = "avx512f")]
#[inline]
fn add(total: __m512, sum: __m512i, scale: __m512, scales: __m512) -> __m512 {
    let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
    _mm512_fmadd_ps(scaled, scales, total)
}

/// Codes, read through the vector type: with debug assertions the load intrinsics go through
/// the stack.
#[target_feature(enable = "avx512f")]
#[inline]
fn load(line: &Line) -> [__m512i; 2] {
    // SAFETY: a line is 128 bytes, and groups are whole cache lines.
    unsafe { *line.as_ptr().cast::<[__m512i; 2]>() }
}

/// The scales of a strip, bf16.
#[target_feature(enable = "avx512f")]
#[inline]
fn widen(scales: &Scales) -> [__m512; 2] {
    // SAFETY: 64 bytes, at a cache line.
    let [first, second] = unsafe { *scales.as_ptr().cast::<[__m256i; 2]>() };
    [widen_half(first), widen_half(second)]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn widen_half(bits: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)))
}
