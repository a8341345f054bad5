//! Dot products of quads of bytes with AVX2, which has none of unsigned by signed bytes that
//! cannot overflow: both are widened to 16 bits, and pairs of products added (vpmaddwd).

use super::activations::Quads;
use super::{STRIP, Sums};
use crate::kernels::cpu::packed::{Form, Int4, Quantized};
use std::arch::x86_64::*;

/// Outputs of one vector of products.
const COLUMNS: usize = 4;
const HALF: usize = STRIP / 2;
const VECTORS: usize = HALF / COLUMNS;
/// What the 16 registers hold beside a vector of weights and one of activations.
const MAX_ROWS: usize = 3;

/// The sums of a strip of quantised weights for some rows.
#[target_feature(enable = "avx2,fma")]
pub(super) fn strip<Q: Quantized>(
    x: Quads<'_>,
    first: usize,
    num: usize,
    w: &[u8],
    sums: &mut Sums,
) {
    let mut row = 0;
    while row < num {
        let rows = (num - row).min(MAX_ROWS);
        let out = &mut sums.0[row..row + rows];
        match rows {
            1 => block::<1, Q>(x, first + row, w, out),
            2 => block::<2, Q>(x, first + row, w, out),
            _ => block::<3, Q>(x, first + row, w, out),
        }
        row += rows;
    }
}

#[target_feature(enable = "avx2,fma")]
fn block<const R: usize, Q: Quantized>(
    x: Quads<'_>,
    first: usize,
    w: &[u8],
    out: &mut [[f32; STRIP]],
) {
    let quads = x.quads.get::<R>(first);
    let groups = x.groups.get::<R>(first);
    for half in 0..2 {
        let mut totals = [[_mm256_setzero_ps(); 2]; R];
        for (g, w) in w.chunks_exact(Q::GROUP_BYTES).enumerate() {
            let (codes, scales) = w.split_at(Q::CODE_BYTES);
            let (lines, _) = codes.as_chunks::<{ STRIP * 4 }>();
            let quads = quads.map(|row| &row[g * Q::QUADS..][..Q::QUADS]);
            let mut sums = [[_mm256_setzero_si256(); VECTORS]; R];
            for (i, line) in lines.iter().enumerate() {
                let (codes, _) = line[half * HALF * 4..].as_chunks::<{ COLUMNS * 4 }>();
                if Q::FORM == Form::Int8 {
                    multiply(&mut sums, &quads, i, codes, |codes| codes);
                } else {
                    multiply(&mut sums, &quads, 2 * i, codes, |numbers| levels(numbers));
                    multiply(&mut sums, &quads, 2 * i + 1, codes, |numbers| {
                        levels(_mm_srli_epi16::<4>(numbers))
                    });
                }
            }
            let scales = widen(&scales[half * HALF * 2..][..HALF * 2]);
            for ((totals, sums), groups) in totals.iter_mut().zip(sums).zip(groups) {
                let group = groups[g];
                let scale = _mm256_set1_ps(group.scale);
                for (i, (total, scales)) in totals.iter_mut().zip(scales).enumerate() {
                    let pairs = _mm256_hadd_epi32(sums[2 * i], sums[2 * i + 1]);
                    // The addition interleaves halves of registers.
                    let sum = _mm256_permute4x64_epi64::<0b11_01_10_00>(pairs);
                    let sum = _mm256_add_epi32(sum, _mm256_set1_epi32(group.start));
                    let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale);
                    *total = _mm256_fmadd_ps(scaled, scales, *total);
                }
            }
        }
        for (out, totals) in out.iter_mut().zip(&totals) {
            let (out, _) = out.as_chunks_mut::<8>();
            for (i, total) in totals.iter().enumerate() {
                // SAFETY: a chunk is 8 numbers.
                unsafe { _mm256_storeu_ps(out[2 * half + i].as_mut_ptr(), *total) };
            }
        }
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn multiply<const R: usize>(
    sums: &mut [[__m256i; VECTORS]; R],
    quads: &[&[u32]; R],
    i: usize,
    codes: &[[u8; COLUMNS * 4]],
    unpack: impl Fn(__m128i) -> __m128i,
) {
    let mut x = [_mm256_setzero_si256(); R];
    for (x, quads) in x.iter_mut().zip(quads) {
        *x = _mm256_cvtepi8_epi16(_mm_set1_epi32(quads[i].cast_signed()));
    }
    for (vector, codes) in codes.iter().enumerate().take(VECTORS) {
        // SAFETY: 16 bytes, at a multiple of 16.
        let codes = unsafe { *codes.as_ptr().cast::<__m128i>() };
        let w = _mm256_cvtepu8_epi16(unpack(codes));
        for (sums, x) in sums.iter_mut().zip(x) {
            sums[vector] = _mm256_add_epi32(sums[vector], _mm256_madd_epi16(w, x));
        }
    }
}

/// The codes of the levels that the low halves of bytes count.
#[target_feature(enable = "avx2")]
#[inline]
fn levels(numbers: __m128i) -> __m128i {
    // SAFETY: plain numbers of the same size.
    let codes: __m128i = unsafe { std::mem::transmute(Int4::CODES) };
    _mm_shuffle_epi8(codes, _mm_and_si128(numbers, _mm_set1_epi8(15)))
}

/// The bf16 scales of half a strip.
#[target_feature(enable = "avx2")]
#[inline]
fn widen(scales: &[u8]) -> [__m256; 2] {
    assert_eq!(scales.len(), 2 * HALF);
    // SAFETY: 16 scales of 2 bytes, at a multiple of 32 bytes.
    let [first, second] = unsafe { *scales.as_ptr().cast::<[__m128i; 2]>() };
    [widen_half(first), widen_half(second)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn widen_half(bits: __m128i) -> __m256 {
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(bits)))
}
