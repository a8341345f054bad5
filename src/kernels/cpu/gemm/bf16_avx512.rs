//! Dot products of pairs of bf16 with AVX-512.

use super::ahead::Ahead;
use super::{Rows, STRIP, Sums, by_rows};
use std::arch::x86_64::*;

/// The sums of a strip of pairs `[k/2][32]` for some rows of pairs.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn strip(
    x: Rows<'_, u32>,
    first: usize,
    num: usize,
    w: &[u32],
    ahead: &Ahead,
    sums: &mut Sums,
) {
    by_rows!(num, block(x, first, w, ahead, sums));
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn block<const R: usize>(x: Rows<'_, u32>, first: usize, w: &[u32], ahead: &Ahead, out: &mut Sums) {
    let (w, _) = w.as_chunks::<STRIP>();
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    let rows = x.get::<R>(first).map(|row| &row[..w.len()]);
    for (i, w) in w.iter().enumerate() {
        let (first, second) = w.split_at(STRIP / 2);
        // Read through the vector type: with debug assertions the load intrinsics go through
        // the stack.
        // SAFETY: each half is 16 pairs, and strips start on cache lines.
        let w = unsafe {
            [
                *first.as_ptr().cast::<__m512bh>(),
                *second.as_ptr().cast::<__m512bh>(),
            ]
        };
        ahead.prefetch(i, 0);
        for (row, sums) in rows.iter().zip(&mut sums) {
            let pair = _mm512_set1_epi32(row[i].cast_signed());
            // SAFETY: both are 64 bytes of plain numbers.
            let pair: __m512bh = unsafe { std::mem::transmute(pair) };
            sums[0] = _mm512_dpbf16_ps(sums[0], pair, w[0]);
            sums[1] = _mm512_dpbf16_ps(sums[1], pair, w[1]);
        }
    }
    for (out, sums) in out.0.iter_mut().zip(&sums) {
        let (first, second) = out.split_at_mut(STRIP / 2);
        // SAFETY: each half is 16 numbers.
        unsafe {
            _mm512_storeu_ps(first.as_mut_ptr(), sums[0]);
            _mm512_storeu_ps(second.as_mut_ptr(), sums[1]);
        }
    }
}
