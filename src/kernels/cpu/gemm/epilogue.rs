use super::STRIP;
use crate::kernels::cpu::SplitMut;
use crate::kernels::cpu::math::{exp, gelu_tanh};
use crate::kernels::cpu::versions::versions;

/// What a linear layer does with its sums, while they are at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    Store,
    /// Adds them to the output: the residual connection.
    Add,
    /// `silu(first half) * second half` of a paired weight (Shazeer 2020).
    SwiGlu,
    /// The same with gelu, by tanh.
    GeGlu,
}

/// Where the sums of a strip go.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub first_row: usize,
    pub row_len: usize,
    pub column: usize,
    /// Outputs of the strip that exist; the others are padding.
    pub num_columns: usize,
}

impl Place {
    /// Where the outputs of a row of the sums start.
    fn start(self, row: usize) -> usize {
        (self.first_row + row) * self.row_len + self.column
    }

    /// Asks for the cache lines of some rows, which a kernel has time to wait for and an
    /// epilogue has not.
    pub fn prefetch(self, out: &SplitMut<'_, f32>, num_rows: usize) {
        for row in 0..num_rows {
            out.prefetch(self.start(row));
            out.prefetch(self.start(row) + STRIP / 2);
        }
    }
}

#[inline(always)]
fn finish_body<const FMA: bool>(
    sums: &[[f32; STRIP]],
    out: &SplitMut<'_, f32>,
    place: Place,
    epilogue: Epilogue,
) {
    for (row, sums) in sums.iter().enumerate() {
        // SAFETY: strips write disjoint columns, and tiles disjoint strips or rows.
        let y = unsafe { out.part(place.start(row), place.num_columns) };
        match epilogue {
            Epilogue::Store => write(y, sums, |_, sum| sum),
            Epilogue::Add => write(y, sums, |y, sum| y + sum),
            Epilogue::SwiGlu => {
                let (gates, ups) = sums.split_at(STRIP / 2);
                let mut gated = [0.0; STRIP / 2];
                for ((gated, gate), up) in gated.iter_mut().zip(gates).zip(ups) {
                    *gated = gate / (1.0 + exp::<FMA>(-gate)) * up;
                }
                write(y, &gated, |_, gated| gated);
            }
            Epilogue::GeGlu => {
                let (gates, ups) = sums.split_at(STRIP / 2);
                let mut gated = [0.0; STRIP / 2];
                for ((gated, gate), up) in gated.iter_mut().zip(gates).zip(ups) {
                    *gated = gelu_tanh::<FMA>(*gate) * up;
                }
                write(y, &gated, |_, gated| gated);
            }
        }
    }
}

/// `y = with(y, values)`, in vectors of known length where all of them exist.
#[inline(always)]
fn write<const N: usize>(y: &mut [f32], values: &[f32; N], with: impl Fn(f32, f32) -> f32) {
    if let Ok(y) = <&mut [f32; N]>::try_from(&mut *y) {
        for (y, value) in y.iter_mut().zip(values) {
            *y = with(*y, *value);
        }
    } else {
        for (y, value) in y.iter_mut().zip(values) {
            *y = with(*y, *value);
        }
    }
}

versions!(
    /// Does what `epilogue` says with the sums of a strip.
    pub(super) fn finish(sums: &[[f32; STRIP]], out: &SplitMut<'_, f32>, place: Place, epilogue: Epilogue) = finish_body
);
