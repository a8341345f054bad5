//! AVX2 + FMA: strips of 16 outputs, up to 6 rows side by side (12 accumulators).

use super::gemm::{ColumnWeight, Output, Rows};
use std::arch::x86_64::*;

/// # Safety
/// As [`super::gemm_portable::strip`], on a processor with AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn strip<W: ColumnWeight>(x: Rows<f32>, m: usize, w: &[W], out: &Output) {
    let mut row = 0;
    // SAFETY: rows below m exist by the caller's promise.
    unsafe {
        while m - row >= 6 {
            block::<6, W>(x, row, w, out);
            row += 6;
        }
        match m - row {
            5 => block::<5, W>(x, row, w, out),
            4 => block::<4, W>(x, row, w, out),
            3 => block::<3, W>(x, row, w, out),
            2 => block::<2, W>(x, row, w, out),
            1 => block::<1, W>(x, row, w, out),
            _ => {}
        }
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn block<const R: usize, W: ColumnWeight>(
    x: Rows<f32>,
    first_row: usize,
    w: &[W],
    out: &Output,
) {
    // SAFETY: in bounds by the caller's promise; loads are unaligned.
    unsafe {
        let (w, _) = w.as_chunks::<16>();
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        let rows = x.slices::<R>(first_row, w.len());
        for (i, w) in w.iter().enumerate() {
            let w = load(w);
            for (row, sums) in rows.iter().zip(&mut sums) {
                let x = _mm256_set1_ps(row[i]);
                sums[0] = _mm256_fmadd_ps(x, w[0], sums[0]);
                sums[1] = _mm256_fmadd_ps(x, w[1], sums[1]);
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let y = out.ptr.add((first_row + r) * out.stride);
            if out.num_columns == 16 {
                for (half, sum) in sums.iter().enumerate() {
                    let y = y.add(8 * half);
                    let sum = if out.add {
                        _mm256_add_ps(_mm256_loadu_ps(y), *sum)
                    } else {
                        *sum
                    };
                    _mm256_storeu_ps(y, sum);
                }
            } else {
                let mut lanes = [0.0f32; 16];
                _mm256_storeu_ps(lanes.as_mut_ptr(), sums[0]);
                _mm256_storeu_ps(lanes.as_mut_ptr().add(8), sums[1]);
                for (column, sum) in lanes.iter().enumerate().take(out.num_columns) {
                    let y = &mut *y.add(column);
                    *y = if out.add { *y + sum } else { *sum };
                }
            }
        }
    }
}

/// 16 weights, widened.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn load<W: ColumnWeight>(w: &[W; 16]) -> [__m256; 2] {
    let (first, second) = w.split_at(8);
    let (first, second) = (first.as_ptr(), second.as_ptr());
    // SAFETY: each half holds 8 weights, and strips start on cache lines. Read through the
    // vector type: with debug assertions the load intrinsics go through the stack.
    unsafe {
        if W::BF16 {
            let widen = |half: *const W| {
                let bits = _mm256_cvtepu16_epi32(*half.cast::<__m128i>());
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
            };
            [widen(first), widen(second)]
        } else {
            [*first.cast::<__m256>(), *second.cast::<__m256>()]
        }
    }
}
