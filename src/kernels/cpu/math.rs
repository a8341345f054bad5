//! Scalar pieces of the vectorised bodies: written without branches or calls, so that the
//! compiler turns loops over them into vector code.

/// `a * b + c`, fused where the kernel set has it.
#[inline(always)]
pub fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// e^x with a relative error below 2e-7 for x in [-87, 88]; 0 below, infinity above.
///
/// Range reduction by powers of two and the polynomial of Cephes' `expf`.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    let clamped = x.clamp(-87.0, 88.0);
    let (n, exponent) = power_of_two(clamped * std::f32::consts::LOG2_E);
    let r = fma::<FMA>(n, -0.693_359_4, clamped);
    let r = fma::<FMA>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4f32;
    p = fma::<FMA>(p, r, 1.398_2e-3);
    p = fma::<FMA>(p, r, 8.333_452e-3);
    p = fma::<FMA>(p, r, 4.166_579_6e-2);
    p = fma::<FMA>(p, r, 1.666_666_5e-1);
    p = fma::<FMA>(p, r, 0.5);
    let y = fma::<FMA>(p, r * r, r) + 1.0;
    let y = if x > 88.0 {
        f32::INFINITY
    } else {
        y * exponent
    };
    if x < -87.0 { 0.0 } else { y }
}

/// x rounded to a whole number, and 2 to the power of it, for x in [-126, 127]. Conversions and
/// checked additions would keep the compiler from vectors.
#[inline(always)]
fn power_of_two(x: f32) -> (f32, f32) {
    let biased = round_to_i32(x).wrapping_add(127).cast_unsigned();
    (round(x), f32::from_bits(biased << 23))
}

const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer

/// The nearest whole number, ties to even, for |x| < 2^22.
#[inline(always)]
pub fn round(x: f32) -> f32 {
    (x + ROUND) - ROUND
}

/// [`round`] as an integer, without a conversion; any number for what is out of its range.
#[inline(always)]
pub fn round_to_i32(x: f32) -> i32 {
    (x + ROUND)
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .cast_signed()
}

/// The scale at which a largest magnitude, given as bits, is 127 steps, and how many steps 1 is.
/// What is no number or infinite gets a NaN for its scale.
#[inline(always)]
pub fn byte_steps(largest: u32) -> (f32, f32) {
    let scale = f32::from_bits(largest) / 127.0;
    // Below, the reciprocal could be infinite.
    let steps = if largest < (f32::MIN_POSITIVE * 256.0).to_bits() {
        0.0
    } else {
        1.0 / scale
    };
    let is_finite = largest < f32::INFINITY.to_bits();
    (if is_finite { scale } else { f32::NAN }, steps)
}

/// 2^x with a relative error below 3e-7 for x in [-126, 127]; 0 below, infinity above.
#[inline(always)]
pub fn exp2<const FMA: bool>(x: f32) -> f32 {
    let clamped = x.clamp(-126.0, 127.0);
    let (n, exponent) = power_of_two(clamped);
    let r = clamped - n;
    let mut p = 1.326_472_7e-3f32;
    p = fma::<FMA>(p, r, 9.671_513e-3);
    p = fma::<FMA>(p, r, 5.550_733_6e-2);
    p = fma::<FMA>(p, r, 2.402_224_2e-1);
    p = fma::<FMA>(p, r, std::f32::consts::LN_2);
    p = fma::<FMA>(p, r, 1.0);
    let y = p * exponent;
    let y = if x > 127.0 { f32::INFINITY } else { y };
    if x < -126.0 { 0.0 } else { y }
}

/// tanh with an absolute error below 2e-7.
#[inline(always)]
pub fn tanh<const FMA: bool>(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp::<FMA>(2.0 * x))
}

/// `x * P(X <= x)` of the normal distribution, approximated by tanh (Hendrycks and Gimpel 2016).
#[inline(always)]
pub fn gelu_tanh<const FMA: bool>(x: f32) -> f32 {
    let inner = fma::<FMA>(0.044_715 * x * x, x, x) * 0.797_884_6;
    0.5 * x * (1.0 + tanh::<FMA>(inner))
}

/// erf with an absolute error below 3e-7: Abramowitz and Stegun, 7.1.26.
#[inline(always)]
pub fn erf<const FMA: bool>(x: f32) -> f32 {
    let magnitude = x.abs();
    let t = 1.0 / fma::<FMA>(0.327_591_1, magnitude, 1.0);
    let mut p = 1.061_405_4f32;
    p = fma::<FMA>(p, t, -1.453_152);
    p = fma::<FMA>(p, t, 1.421_413_8);
    p = fma::<FMA>(p, t, -0.284_496_72);
    p = fma::<FMA>(p, t, 0.254_829_6);
    (1.0 - p * t * exp::<FMA>(-(magnitude * magnitude))).copysign(x)
}

/// The nearest bf16, ties to even, as vcvtneps2bf16 does for normal numbers.
#[inline(always)]
pub fn to_bf16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16;
    // A NaN must not round to infinity.
    if bits & 0x7fff_ffff > 0x7f80_0000 {
        ((bits >> 16) as u16) | 0x40
    } else {
        rounded
    }
}

#[inline(always)]
pub fn from_bf16_bits(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Adds 16 lanes in a fixed tree.
#[inline(always)]
pub fn sum16(lanes: [f32; 16]) -> f32 {
    let mut a = [0.0f32; 8];
    for i in 0..8 {
        a[i] = lanes[i] + lanes[i + 8];
    }
    ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;

    #[test]
    fn exp_is_within_two_in_ten_million() {
        for i in -87_000..88_000 {
            let x = i as f32 / 1000.0;
            let exact = f64::from(x).exp();
            for got in [exp::<true>(x), exp::<false>(x)] {
                assert!(
                    (f64::from(got) / exact - 1.0).abs() < 2e-7,
                    "exp({x}) = {got}, not {exact}"
                );
            }
        }
        assert_eq!(exp::<true>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp::<false>(0.0), 1.0);
    }

    #[test]
    fn exp2_is_within_three_in_ten_million() {
        for i in -126_000..127_000 {
            let x = i as f32 / 1000.0;
            let exact = f64::from(x).exp2();
            for got in [exp2::<true>(x), exp2::<false>(x)] {
                assert!(
                    (f64::from(got) / exact - 1.0).abs() < 3e-7,
                    "2^{x} = {got}, not {exact}"
                );
            }
        }
        assert_eq!(exp2::<true>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp2::<false>(0.0), 1.0);
        assert!(exp2::<true>(f32::NAN).is_nan());
    }

    #[test]
    fn bf16_rounding_agrees_with_the_half_crate() {
        for i in 0..2_000_000u32 {
            let x = f32::from_bits(i.wrapping_mul(2_654_435_761));
            if !x.is_nan() {
                assert_eq!(to_bf16_bits(x), bf16::from_f32(x).to_bits(), "{x}");
            }
        }
        assert!(bf16::from_bits(to_bf16_bits(f32::NAN)).is_nan());
    }
}
