use super::{Rows, STRIP, Sums};
use crate::kernels::cpu::math;
use crate::kernels::cpu::versions::versions;

/// A weight of the forms `[k][32]`.
pub(super) trait ColumnWeight: Copy {
    const BF16: bool;
    fn widen(self) -> f32;
}

impl ColumnWeight for f32 {
    const BF16: bool = false;
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl ColumnWeight for u16 {
    const BF16: bool = true;
    #[inline(always)]
    fn widen(self) -> f32 {
        math::from_bf16_bits(self)
    }
}

/// The sums of a strip for some rows: the specification of the vector forms.
#[inline(always)]
fn strip_body<const FMA: bool, W: ColumnWeight>(
    x: Rows<'_, f32>,
    first: usize,
    num: usize,
    w: &[W],
    sums: &mut Sums,
) {
    let (inputs, _) = w.as_chunks::<STRIP>();
    for (row, sums) in (first..first + num).zip(&mut sums.0) {
        let [x] = x.get::<1>(row);
        *sums = [0.0; STRIP];
        for (x, w) in x.iter().zip(inputs) {
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = math::fma::<FMA>(*x, w.widen(), *sum);
            }
        }
    }
}

versions!(pub(super) fn strip<W: ColumnWeight>(x: Rows<'_, f32>, first: usize, num: usize, w: &[W], sums: &mut Sums) = strip_body);
