use super::numbers::Groups;
use crate::kernels::{Fp8Matrix, Matrix};
use std::fmt::Debug;

/// Where a format keeps what a weight is made of: `weight = (code - zero) * scale`.
///
/// The difference is exact in f32 for every format, and the product is rounded once, or not at all
/// where the scale has 16 bits. The libraries that the formats come from round it to 16 bits.
pub trait Layout: Debug + Send + Sync {
    /// What is stored of an element, widened.
    fn code(&self, row: usize, input: usize) -> f32;

    /// The code of zero, for a row and a group of its inputs.
    fn zero(&self, row: usize, group: usize) -> f32;

    fn scale(&self, row: usize, group: usize) -> f32;

    /// The same numbers as FP8 E4M3, if that is what they are.
    fn fp8(&self) -> Option<&dyn Fp8Matrix> {
        None
    }
}

/// A matrix whose elements are worked out as they are read.
#[derive(Debug)]
pub struct Dequantized<L> {
    pub layout: L,
    pub groups: Groups,
}

impl<L: Layout> Matrix for Dequantized<L> {
    fn read(&self, row: usize, start: usize, mut out: &mut [f32]) {
        let mut input = start;
        while !out.is_empty() {
            let (group, len) = self.groups.get(input);
            let (zero, scale) = (self.layout.zero(row, group), self.layout.scale(row, group));
            let (now, later) = out.split_at_mut(len.min(out.len()));
            for out in now {
                *out = (self.layout.code(row, input) - zero) * scale;
                input += 1;
            }
            out = later;
        }
    }

    fn fp8(&self) -> Option<&dyn Fp8Matrix> {
        self.layout.fp8()
    }
}
