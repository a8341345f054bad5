//! Codes and scales of a group of weights. A group of zeros is exact, and one that holds an
//! infinity or a NaN gets a scale that makes every output of it a NaN: nothing is hidden.

use super::form::{Int4, Int8, Quantized};
use crate::kernels::cpu::math;
use crate::kernels::cpu::versions::versions;

/// The smallest bf16 that is not below `x`, so that dividing by it never leaves the range of
/// the codes; 0 for what is too small for a reciprocal.
#[inline(always)]
fn scale_up(x: f32) -> u16 {
    let bits = x.to_bits();
    let up = (bits >> 16) as u16 + u16::from(bits & 0xffff != 0);
    if x < f32::MIN_POSITIVE * 4.0 { 0 } else { up }
}

#[inline(always)]
fn reciprocal(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// Largest magnitude; +∞ or more than any number where there is a NaN.
#[inline(always)]
pub fn largest_bits(x: &[f32]) -> u32 {
    let mut lanes = [0u32; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = (*lane).max(x.to_bits() & 0x7fff_ffff);
        }
    }
    let lanes = lanes.into_iter().max().unwrap_or(0);
    let rest = rest.iter().map(|x| x.to_bits() & 0x7fff_ffff).max();
    lanes.max(rest.unwrap_or(0))
}

const NAN: u16 = 0x7fc0;

/// Symmetric: the largest magnitude is 127 steps.
#[inline(always)]
fn int8_body<const FMA: bool>(x: &[f32; Int8::GROUP], codes: &mut [u8; Int8::GROUP]) -> u16 {
    let largest = largest_bits(x);
    if largest >= f32::INFINITY.to_bits() {
        *codes = [Int8::ZERO as u8; Int8::GROUP];
        return NAN;
    }
    let scale = scale_up(f32::from_bits(largest) / 127.0);
    let steps = reciprocal(math::from_bf16_bits(scale));
    for (code, x) in codes.iter_mut().zip(x) {
        *code = (math::round_to_i32(x * steps) + Int8::ZERO) as u8;
    }
    scale
}

versions!(
    /// The codes of a group of weights, and the bits of its bf16 scale.
    pub fn int8(x: &[f32; Int8::GROUP], codes: &mut [u8; Int8::GROUP]) -> u16 = int8_body
);

/// The number of a level for each weight, and the scale of either sign that leaves the smallest
/// error, among some that put the largest magnitude between 0.8 and 1.1 times the outermost
/// level; then fitted to its levels by least squares. Levels are further apart on one side, so
/// that the sign matters. An error counts by the importance of its input, and a little more where
/// the weight is large.
#[inline(always)]
fn int4_body<const FMA: bool>(
    x: &[f32; Int4::GROUP],
    importance: &[f32; Int4::GROUP],
    codes: &mut [u8; Int4::GROUP],
) -> u16 {
    const REACHES: [f32; 6] = [0.80, 0.86, 0.92, 0.98, 1.04, 1.10];
    let largest = largest_bits(x);
    // Nothing times a scale of 0 is anything else, and what is no number stays none.
    *codes = [0; Int4::GROUP];
    if largest >= f32::INFINITY.to_bits() {
        return NAN;
    }
    let largest = f32::from_bits(largest) / 127.0;
    if scale_up(largest / 2.0) == 0 {
        return 0;
    }
    let mut squares = [0.0f32; 16];
    for x in x.as_chunks::<16>().0 {
        for (square, x) in squares.iter_mut().zip(x) {
            *square += (x / largest) * (x / largest);
        }
    }
    let mean = math::sum16(squares) / Int4::GROUP as f32;
    // Relative to the largest, so that nothing vanishes that matters.
    let greatest = f32::from_bits(largest_bits(importance)).max(f32::MIN_POSITIVE);
    let mut weights = [0.0; Int4::GROUP];
    for ((weight, importance), x) in weights.iter_mut().zip(importance).zip(x) {
        let size = (2.0 * mean + (x / largest) * (x / largest)).sqrt();
        *weight = importance / greatest * size;
    }
    let (mut best, mut most) = (largest, 0.0);
    for reach in REACHES {
        for scale in [largest / reach, -largest / reach] {
            // With the best factor, what remains of the error falls as this grows.
            let (product, square) = int4_fit(x, &weights, 1.0 / scale);
            let explained = product * product / square.max(f32::MIN_POSITIVE);
            if explained > most {
                (best, most) = (product / square * scale, explained);
            }
        }
    }
    let scale = math::to_bf16_bits(best);
    let steps = reciprocal(math::from_bf16_bits(scale));
    for (code, x) in codes.iter_mut().zip(x) {
        *code = level(x * steps).0;
    }
    scale
}

/// The weighted sums of level times weight and of squared levels, both in steps.
#[inline(always)]
fn int4_fit(x: &[f32; Int4::GROUP], importance: &[f32; Int4::GROUP], steps: f32) -> (f32, f32) {
    let (mut products, mut squares) = ([0.0f32; 16], [0.0f32; 16]);
    let (x, _) = x.as_chunks::<16>();
    let (importance, _) = importance.as_chunks::<16>();
    for (x, importance) in x.iter().zip(importance) {
        for i in 0..16 {
            let x = x[i] * steps;
            let level = level(x).1;
            products[i] += importance[i] * level * x;
            squares[i] += importance[i] * level * level;
        }
    }
    (math::sum16(products), math::sum16(squares))
}

/// The nearest level, by its number and as it is; the lower of two that are as near.
#[inline(always)]
fn level(x: f32) -> (u8, f32) {
    let (mut number, mut level) = (0, f32::from(Int4::LEVELS[0]));
    for pair in Int4::LEVELS.windows(2) {
        let (low, high) = (f32::from(pair[0]), f32::from(pair[1]));
        let above = x > (low + high) / 2.0;
        number += u8::from(above);
        level = if above { high } else { level };
    }
    (number, level)
}

versions!(
    /// The numbers of a group's levels, one a byte, and the bits of its bf16 scale.
    pub fn int4(x: &[f32; Int4::GROUP], importance: &[f32; Int4::GROUP], codes: &mut [u8; Int4::GROUP]) -> u16 = int4_body
);
