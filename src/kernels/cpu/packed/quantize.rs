//! Codes and scales of a group of weights. Zero is always exact, and a group that holds an
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

/// The scale, of either sign, whose codes leave the smallest sum of squared errors, among some
/// that put the largest magnitude between 6.5 and 9 steps; then fitted to its codes by least
/// squares. Codes reach from -8 to 7, so that the sign matters.
#[inline(always)]
fn int4_body<const FMA: bool>(x: &[f32; Int4::GROUP], codes: &mut [u8; Int4::GROUP]) -> u16 {
    const CANDIDATES: u32 = 11;
    let largest = largest_bits(x);
    *codes = [Int4::ZERO as u8; Int4::GROUP];
    if largest >= f32::INFINITY.to_bits() {
        return NAN;
    }
    let largest = f32::from_bits(largest);
    if scale_up(largest / 8.0) == 0 {
        return 0;
    }
    let mut best = Candidate::default();
    for i in 0..CANDIDATES {
        let scale = largest / (6.5 + 0.25 * i as f32);
        best.consider(x, scale);
        best.consider(x, -scale);
    }
    let steps = 1.0 / math::from_bf16_bits(best.scale);
    let (mut product, mut square) = (0.0f32, 0.0f32);
    for x in x {
        let code = int4_code(*x, steps);
        product += code * x;
        square += code * code;
    }
    best.consider(x, product / square.max(1.0));
    let best = best.scale;
    let steps = reciprocal(math::from_bf16_bits(best));
    for (code, x) in codes.iter_mut().zip(x) {
        *code = (int4_code(*x, steps) as i32 + Int4::ZERO) as u8;
    }
    best
}

#[inline(always)]
fn int4_code(x: f32, steps: f32) -> f32 {
    math::round(x * steps).clamp(-8.0, 7.0)
}

/// The best scale so far.
struct Candidate {
    /// bf16.
    scale: u16,
    /// Sum of squares.
    error: f32,
}

impl Default for Candidate {
    fn default() -> Self {
        Self {
            scale: 0,
            error: f32::INFINITY,
        }
    }
}

impl Candidate {
    #[inline(always)]
    fn consider(&mut self, x: &[f32; Int4::GROUP], scale: f32) {
        let bits = math::to_bf16_bits(scale);
        let scale = math::from_bf16_bits(bits);
        let steps = 1.0 / scale;
        let mut errors = [0.0f32; 16];
        let (chunks, _) = x.as_chunks::<16>();
        for chunk in chunks {
            for (error, x) in errors.iter_mut().zip(chunk) {
                let difference = x - int4_code(*x, steps) * scale;
                *error += difference * difference;
            }
        }
        let error = math::sum16(errors);
        if error < self.error && steps.is_finite() {
            *self = Self { scale: bits, error };
        }
    }
}

versions!(
    /// The codes of a group of weights, one a byte, and the bits of its bf16 scale.
    pub fn int4(x: &[f32; Int4::GROUP], codes: &mut [u8; Int4::GROUP]) -> u16 = int4_body
);
