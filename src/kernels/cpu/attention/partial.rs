use super::Query;
use crate::kernels::PagedLayout;
use crate::kernels::cpu::math::{exp2, fma, sum16};
use crate::kernels::cpu::versions::versions;
use std::f32::consts::LOG2_E;

/// What rows have added up over some of the positions that they see.
pub struct Partial<'a> {
    /// The greatest score; scores are logarithms to base 2.
    pub max: &'a mut [f32],
    /// Sums of `2^(score - max)`, lane by lane. All zero where nothing was seen: otherwise
    /// the greatest score has counted as one.
    pub sums: &'a mut [[f32; 16]],
    /// Sums of values times that.
    pub out: &'a mut [f32],
    pub padded: usize,
}

impl<'a> Partial<'a> {
    /// Length of the buffer for `rows` of `padded` dimensions, in whole vectors.
    pub fn len(rows: usize, padded: usize) -> usize {
        rows * (padded + 16) + rows.next_multiple_of(16)
    }

    pub fn new(buffer: &'a mut [f32], query: &Query<'_>) -> Self {
        let rows = query.num_rows();
        let padded = PagedLayout::padded_head_dim(query.head_dim);
        let (out, rest) = buffer.split_at_mut(rows * padded);
        let (sums, max) = rest.split_at_mut(rows * 16);
        Self {
            max: &mut max[..rows],
            sums: sums.as_chunks_mut().0,
            out,
            padded,
        }
    }

    pub fn out(&self, row: usize) -> &[f32] {
        &self.out[row * self.padded..][..self.padded]
    }

    pub(super) fn clear(&mut self) {
        // The least number stands for "nothing yet": unlike an infinity, it can be
        // subtracted.
        self.max.fill(f32::MIN);
        self.sums.fill([0.0; 16]);
        self.out.fill(0.0);
    }
}

#[inline(always)]
fn add_body<const FMA: bool>(total: &mut Partial<'_>, later: &Partial<'_>) {
    for row in 0..total.max.len() {
        let (mine, theirs) = (sum16(total.sums[row]), sum16(later.sums[row]));
        // Rows whose window has not begun, or begins only now, take no part.
        if theirs == 0.0 {
            continue;
        }
        let (out, later_out) = (&mut total.out[row * total.padded..], later.out(row));
        let out = &mut out[..later_out.len()];
        if mine == 0.0 {
            (total.max[row], total.sums[row]) = (later.max[row], later.sums[row]);
            out.copy_from_slice(later_out);
            continue;
        }
        let max = if later.max[row] > total.max[row] {
            later.max[row]
        } else {
            total.max[row]
        };
        let mine = exp2::<FMA>(total.max[row] - max);
        let theirs = exp2::<FMA>(later.max[row] - max);
        total.max[row] = max;
        for (sum, later) in total.sums[row].iter_mut().zip(later.sums[row]) {
            *sum = fma::<FMA>(*sum, mine, later * theirs);
        }
        for (out, later) in out.iter_mut().zip(later_out) {
            *out = fma::<FMA>(*out, mine, later * theirs);
        }
    }
}

versions!(
    /// Adds what rows have seen of a later split.
    pub fn add(total: &mut Partial<'_>, later: &Partial<'_>) = add_body
);

#[inline(always)]
fn divide_body<const FMA: bool>(total: &mut Partial<'_>, row: usize, sink: Option<f32>) {
    let sink = match sink {
        Some(sink) => exp2::<FMA>(sink * LOG2_E - total.max[row]),
        None => 0.0,
    };
    let share = 1.0 / (sum16(total.sums[row]) + sink);
    for x in &mut total.out[row * total.padded..][..total.padded] {
        *x *= share;
    }
}

versions!(
    /// Divides a row by its sum, to which the score `sink` is added, with no value to it.
    pub fn divide(total: &mut Partial<'_>, row: usize, sink: Option<f32>) = divide_body
);
