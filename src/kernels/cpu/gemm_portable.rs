use super::gemm::{ColumnWeight, Output, Rows};

/// One strip of 16 outputs for `m` rows: the specification of the vector forms.
///
/// # Safety
/// `x` has `m` rows of `w.len() / 16` elements, `out` `m` rows of `num_columns`.
pub(super) unsafe fn strip<W: ColumnWeight>(x: Rows<f32>, m: usize, w: &[W], out: &Output) {
    let (columns, _) = w.as_chunks::<16>();
    for row in 0..m {
        let mut sums = [0.0f32; 16];
        for (i, column) in columns.iter().enumerate() {
            // SAFETY: in bounds by the caller's promise.
            let x = unsafe { *x.ptr.add(row * x.stride + i) };
            for (sum, w) in sums.iter_mut().zip(column) {
                *sum += x * w.widen();
            }
        }
        for (column, sum) in sums.iter().enumerate().take(out.num_columns) {
            // SAFETY: in bounds by the caller's promise.
            let y = unsafe { &mut *out.ptr.add(row * out.stride + column) };
            *y = if out.add { *y + sum } else { *sum };
        }
    }
}
