//! AVX-512 without BF16: activations stay f32, bf16 weights are widened in registers.

use super::columns_portable::ColumnWeight;
use super::{Rows, STRIP, Sums, by_rows};
use std::arch::x86_64::*;

/// The sums of a strip `[k][32]` for some rows.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn strip<W: ColumnWeight>(
    x: Rows<'_, f32>,
    first: usize,
    num: usize,
    w: &[W],
    sums: &mut Sums,
) {
    by_rows!(num, block::<W>(x, first, w, sums));
}

#[target_feature(enable = "avx512f,avx512bw")]
fn block<const R: usize, W: ColumnWeight>(x: Rows<'_, f32>, first: usize, w: &[W], out: &mut Sums) {
    let (w, _) = w.as_chunks::<STRIP>();
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    let rows = x.get::<R>(first).map(|row| &row[..w.len()]);
    for (i, w) in w.iter().enumerate() {
        _mm_prefetch::<_MM_HINT_T0>(w.as_ptr().wrapping_byte_add(4096).cast());
        let w = load(w);
        for (row, sums) in rows.iter().zip(&mut sums) {
            let x = _mm512_set1_ps(row[i]);
            sums[0] = _mm512_fmadd_ps(x, w[0], sums[0]);
            sums[1] = _mm512_fmadd_ps(x, w[1], sums[1]);
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

/// 32 weights, widened.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load<W: ColumnWeight>(w: &[W; STRIP]) -> [__m512; 2] {
    let (first, second) = w.split_at(STRIP / 2);
    // SAFETY: a half holds 16 weights, and strips start on cache lines.
    unsafe { [widen(first.as_ptr()), widen(second.as_ptr())] }
}

/// # Safety
/// 16 weights at a multiple of 32 bytes, or of 64 if they are f32. They are read through the
/// vector type: with debug assertions the load intrinsics go through the stack.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
unsafe fn widen<W: ColumnWeight>(w: *const W) -> __m512 {
    // SAFETY: the caller's promise.
    unsafe {
        if W::BF16 {
            let bits = _mm512_cvtepu16_epi32(*w.cast::<__m256i>());
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
        } else {
            *w.cast::<__m512>()
        }
    }
}
