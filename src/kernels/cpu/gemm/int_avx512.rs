//! Dot products of quads of bytes with AVX-512 VNNI.

use super::activations::{Group, Quads};
use super::{STRIP, Sums, by_rows};
use crate::kernels::cpu::packed::Quantized;
use std::arch::x86_64::*;

/// Bytes that one quad of inputs takes in a strip, or two where a byte holds two codes.
const LINE_PAIR: usize = STRIP * 4;

/// The sums of a strip of quantised weights for some rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn strip<Q: Quantized>(
    x: Quads<'_>,
    first: usize,
    num: usize,
    w: &[u8],
    sums: &mut Sums,
) {
    by_rows!(num, block::<Q>(x, first, w, sums));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn block<const R: usize, Q: Quantized>(x: Quads<'_>, first: usize, w: &[u8], out: &mut Sums) {
    let quads = x.quads.get::<R>(first);
    let groups = x.groups.get::<R>(first);
    let mut totals = [[_mm512_setzero_ps(); 2]; R];
    for (g, w) in w.chunks_exact(Q::GROUP_BYTES).enumerate() {
        let (codes, scales) = w.split_at(Q::CODE_BYTES);
        let (codes, _) = codes.as_chunks::<LINE_PAIR>();
        let quads = quads.map(|row| &row[g * Q::QUADS..][..Q::QUADS]);
        let groups: [Group; R] = groups.map(|row| row[g]);
        let mut sums = groups.map(|group| [_mm512_set1_epi32(group.start); 2]);
        for (i, codes) in codes.iter().enumerate() {
            let w = load(codes);
            _mm_prefetch::<_MM_HINT_T0>(codes.as_ptr().wrapping_add(4096).cast());
            _mm_prefetch::<_MM_HINT_T0>(codes.as_ptr().wrapping_add(4096 + 64).cast());
            if Q::CODE_BYTES == Q::GROUP * STRIP {
                multiply(&mut sums, &quads, i, w);
            } else {
                let low = _mm512_set1_epi8(15);
                let even = w.map(|w| _mm512_and_si512(w, low));
                let odd = w.map(|w| _mm512_and_si512(_mm512_srli_epi16::<4>(w), low));
                multiply(&mut sums, &quads, 2 * i, even);
                multiply(&mut sums, &quads, 2 * i + 1, odd);
            }
        }
        let scales = widen(scales);
        for ((totals, sums), group) in totals.iter_mut().zip(sums).zip(groups) {
            let scale = _mm512_set1_ps(group.scale);
            for ((total, sum), scales) in totals.iter_mut().zip(sums).zip(scales) {
                let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
                *total = _mm512_fmadd_ps(scaled, scales, *total);
            }
        }
    }
    for (out, totals) in out.0.iter_mut().zip(&totals) {
        let (first, second) = out.split_at_mut(STRIP / 2);
        // SAFETY: each half is 16 numbers.
        unsafe {
            _mm512_storeu_ps(first.as_mut_ptr(), totals[0]);
            _mm512_storeu_ps(second.as_mut_ptr(), totals[1]);
        }
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
#[inline]
fn multiply<const R: usize>(
    sums: &mut [[__m512i; 2]; R],
    quads: &[&[u32]; R],
    i: usize,
    w: [__m512i; 2],
) {
    for (sums, quads) in sums.iter_mut().zip(quads) {
        let quad = _mm512_set1_epi32(quads[i].cast_signed());
        sums[0] = _mm512_dpbusd_epi32(sums[0], w[0], quad);
        sums[1] = _mm512_dpbusd_epi32(sums[1], w[1], quad);
    }
}

/// Codes, read through the vector type: with debug assertions the load intrinsics go through
/// the stack.
#[target_feature(enable = "avx512f")]
#[inline]
fn load(codes: &[u8; LINE_PAIR]) -> [__m512i; 2] {
    let (first, second) = codes.split_at(LINE_PAIR / 2);
    // SAFETY: each half is 64 bytes, and groups are whole cache lines.
    unsafe {
        [
            *first.as_ptr().cast::<__m512i>(),
            *second.as_ptr().cast::<__m512i>(),
        ]
    }
}

/// The scales of a strip, bf16.
#[target_feature(enable = "avx512f")]
#[inline]
fn widen(scales: &[u8]) -> [__m512; 2] {
    let (first, second) = scales.split_at(STRIP);
    [first, second].map(|half| {
        assert_eq!(half.len(), STRIP);
        // SAFETY: a half is 16 scales of 2 bytes, and lies at half a cache line.
        let bits = unsafe { *half.as_ptr().cast::<__m256i>() };
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)))
    })
}
