//! AVX2 + FMA: half a strip at a time, up to 6 rows side by side (12 accumulators).

use super::columns_portable::ColumnWeight;
use super::{Rows, STRIP, Sums};
use std::arch::x86_64::*;

const HALF: usize = STRIP / 2;
/// What the 16 registers hold beside two vectors of weights and a value.
const MAX_ROWS: usize = 6;

/// The sums of a strip `[k][32]` for some rows.
#[target_feature(enable = "avx2,fma")]
pub(super) fn strip<W: ColumnWeight>(
    x: Rows<'_, f32>,
    first: usize,
    num: usize,
    w: &[W],
    sums: &mut Sums,
) {
    let mut row = 0;
    while row < num {
        let rows = (num - row).min(MAX_ROWS);
        let out = &mut sums.0[row..row + rows];
        match rows {
            1 => block::<1, W>(x, first + row, w, out),
            2 => block::<2, W>(x, first + row, w, out),
            3 => block::<3, W>(x, first + row, w, out),
            4 => block::<4, W>(x, first + row, w, out),
            5 => block::<5, W>(x, first + row, w, out),
            _ => block::<6, W>(x, first + row, w, out),
        }
        row += rows;
    }
}

#[target_feature(enable = "avx2,fma")]
fn block<const R: usize, W: ColumnWeight>(
    x: Rows<'_, f32>,
    first: usize,
    w: &[W],
    out: &mut [[f32; STRIP]],
) {
    let (w, _) = w.as_chunks::<STRIP>();
    let rows = x.get::<R>(first).map(|row| &row[..w.len()]);
    for half in 0..2 {
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        for (i, w) in w.iter().enumerate() {
            let w = load(&w.as_chunks::<HALF>().0[half]);
            for (row, sums) in rows.iter().zip(&mut sums) {
                let x = _mm256_set1_ps(row[i]);
                sums[0] = _mm256_fmadd_ps(x, w[0], sums[0]);
                sums[1] = _mm256_fmadd_ps(x, w[1], sums[1]);
            }
        }
        for (out, sums) in out.iter_mut().zip(&sums) {
            let (out, _) = out.as_chunks_mut::<8>();
            for (i, sum) in sums.iter().enumerate() {
                // SAFETY: a chunk is 8 numbers.
                unsafe { _mm256_storeu_ps(out[2 * half + i].as_mut_ptr(), *sum) };
            }
        }
    }
}

/// 16 weights, widened.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn load<W: ColumnWeight>(w: &[W; HALF]) -> [__m256; 2] {
    let (first, second) = w.split_at(HALF / 2);
    // SAFETY: a part holds 8 weights, and strips start on cache lines.
    unsafe { [widen(first.as_ptr()), widen(second.as_ptr())] }
}

/// # Safety
/// 8 weights at a multiple of 16 bytes, or of 32 if they are f32. They are read through the
/// vector type: with debug assertions the load intrinsics go through the stack.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn widen<W: ColumnWeight>(w: *const W) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe {
        if W::BF16 {
            let bits = _mm256_cvtepu16_epi32(*w.cast::<__m128i>());
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
        } else {
            *w.cast::<__m256>()
        }
    }
}
