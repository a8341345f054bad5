//! Dot products of quads of bytes with AVX-512 VNNI.

use super::activations::{Group, Quads};
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
    sums: &mut Sums,
) {
    const INT8: usize = Int8::QUADS;
    const INT4: usize = Int4::QUADS;
    const HALF: usize = INT4 / 2;
    if Q::FORM == Form::Int8 {
        by_rows!(num, block::<INT8, INT8>(x, first, w, sums));
    } else {
        by_rows!(num, block::<INT4, HALF>(x, first, w, sums));
    }
}

/// `QUADS` quads of inputs a group, in `LINES` lines.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn block<const R: usize, const QUADS: usize, const LINES: usize>(
    x: Quads<'_>,
    first: usize,
    w: &[u8],
    out: &mut Sums,
) {
    let mut quads: [&[[u32; QUADS]]; R] = [&[]; R];
    for (quads, row) in quads.iter_mut().zip(x.quads.get::<R>(first)) {
        *quads = row.as_chunks().0;
    }
    let groups: [&[Group]; R] = x.groups.get(first);
    // What is added up stays in memory, which leaves the registers to whole numbers.
    for out in &mut out.0[..R] {
        *out = [0.0; STRIP];
    }
    let group_bytes = LINES * size_of::<Line>() + size_of::<Scales>();
    for (g, w) in w.chunks_exact(group_bytes).enumerate() {
        let Some((lines, scales)) = split::<LINES>(w) else {
            return;
        };
        let mut sums = [[_mm512_setzero_si512(); 2]; R];
        let mut row_quads = [&[0; QUADS]; R];
        for r in 0..R {
            sums[r] = [_mm512_set1_epi32(groups[r][g].start); 2];
            row_quads[r] = &quads[r][g];
        }
        for (i, line) in lines.iter().enumerate() {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(4096).cast());
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(4096 + 64).cast());
            let [w0, w1] = load(line);
            if LINES == QUADS {
                multiply(&mut sums, &row_quads, i, w0, w1);
            } else {
                multiply(&mut sums, &row_quads, 2 * i, levels(w0), levels(w1));
                let (w0, w1) = (_mm512_srli_epi16::<4>(w0), _mm512_srli_epi16::<4>(w1));
                multiply(&mut sums, &row_quads, 2 * i + 1, levels(w0), levels(w1));
            }
        }
        let [scales0, scales1] = widen(scales);
        for r in 0..R {
            let scale = _mm512_set1_ps(groups[r][g].scale);
            let (totals, _) = out.0[r].as_chunks_mut::<16>();
            add(&mut totals[0], sums[r][0], scale, scales0);
            add(&mut totals[1], sums[r][1], scale, scales1);
        }
    }
}

#[inline(always)]
fn split<const LINES: usize>(group: &[u8]) -> Option<(&[Line; LINES], &Scales)> {
    let (lines, scales) = group.as_chunks().0.split_first_chunk()?;
    let _: &[Line] = scales;
    Some((lines, group.last_chunk()?))
}

#[target_feature(enable = "avx512f,avx512vnni")]
#[inline]
fn multiply<const R: usize, const QUADS: usize>(
    sums: &mut [[__m512i; 2]; R],
    quads: &[&[u32; QUADS]; R],
    i: usize,
    w0: __m512i,
    w1: __m512i,
) {
    for (sums, quads) in sums.iter_mut().zip(quads) {
        let quad = _mm512_set1_epi32(quads[i].cast_signed());
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

/// `total += sum * scale * scales`.
#[target_feature(enable = "avx512f")]
#[inline]
fn add(total: &mut [f32; 16], sum: __m512i, scale: __m512, scales: __m512) {
    let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
    // SAFETY: plain numbers of the same size.
    unsafe {
        let before: __m512 = std::mem::transmute(*total);
        *total = std::mem::transmute::<__m512, [f32; 16]>(_mm512_fmadd_ps(scaled, scales, before));
    }
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
