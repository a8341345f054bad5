//! AVX-512 BF16: strips of 32 outputs, up to 8 rows side by side (16 accumulators).

use super::gemm::{Output, Rows};
use std::arch::x86_64::*;

/// One strip of 32 outputs for `m` rows. `w` is `[pairs][32]` pairs of bf16, `x` rows of
/// `pairs` pairs.
///
/// # Safety
/// `x` has `m` rows of `w.len() / 32` pairs, `out` `m` rows of `num_columns`; the processor
/// has AVX-512 F and BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn strip_bf16(x: Rows<u32>, m: usize, w: &[u32], out: &Output) {
    let mut row = 0;
    // SAFETY: rows below m exist by the caller's promise.
    unsafe {
        while m - row >= 8 {
            block::<8>(x, row, w, out);
            row += 8;
        }
        match m - row {
            7 => block::<7>(x, row, w, out),
            6 => block::<6>(x, row, w, out),
            5 => block::<5>(x, row, w, out),
            4 => block::<4>(x, row, w, out),
            3 => block::<3>(x, row, w, out),
            2 => block::<2>(x, row, w, out),
            1 => block::<1>(x, row, w, out),
            _ => {}
        }
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
unsafe fn block<const R: usize>(x: Rows<u32>, first_row: usize, w: &[u32], out: &Output) {
    // SAFETY: in bounds by the caller's promise; strips start on cache lines.
    unsafe {
        let (w, _) = w.as_chunks::<32>();
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        let rows = x.slices::<R>(first_row, w.len());
        for (i, w) in w.iter().enumerate() {
            // Read through the vector type: with debug assertions the load intrinsics go
            // through the stack.
            let (first, second) = w.split_at(16);
            let w0 = *first.as_ptr().cast::<__m512bh>();
            let w1 = *second.as_ptr().cast::<__m512bh>();
            // One strip is one stream; the next lines are asked for early because a single
            // row is bound by memory.
            _mm_prefetch::<_MM_HINT_T0>(w.as_ptr().wrapping_add(1024).cast());
            _mm_prefetch::<_MM_HINT_T0>(w.as_ptr().wrapping_add(1040).cast());
            for (row, sums) in rows.iter().zip(&mut sums) {
                let pair: __m512bh = std::mem::transmute(_mm512_set1_epi32(row[i] as i32));
                sums[0] = _mm512_dpbf16_ps(sums[0], pair, w0);
                sums[1] = _mm512_dpbf16_ps(sums[1], pair, w1);
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let y = out.ptr.add((first_row + r) * out.stride);
            for (half, sum) in sums.iter().enumerate() {
                let num_columns = out.num_columns.saturating_sub(16 * half).min(16);
                let mask = ((1u32 << num_columns) - 1) as u16;
                let y = y.wrapping_add(16 * half);
                let sum = if out.add {
                    _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), *sum)
                } else {
                    *sum
                };
                _mm512_mask_storeu_ps(y, mask, sum);
            }
        }
    }
}
