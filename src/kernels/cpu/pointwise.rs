//! Bodies that treat each number of a row by itself.

use super::math::{exp, fma, tanh};
use super::versions::versions;

/// What xIELU adds of its input, in checkpoints always this.
pub const XIELU_BETA: f32 = 0.5;
/// Where the exponential of xIELU begins.
pub const XIELU_EPS: f32 = -1e-6;

/// `x += scale * y`.
#[inline(always)]
fn add_scaled_body<const FMA: bool>(x: &mut [f32], y: &[f32], scale: f32) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = fma::<FMA>(scale, *y, *x);
    }
}

versions!(pub fn add_scaled(x: &mut [f32], y: &[f32], scale: f32) = add_scaled_body);

/// `x = cap * tanh(x / cap)`.
#[inline(always)]
fn softcap_body<const FMA: bool>(x: &mut [f32], cap: f32) {
    for x in x {
        *x = cap * tanh::<FMA>(*x / cap);
    }
}

versions!(pub fn softcap(x: &mut [f32], cap: f32) = softcap_body);

/// `alpha_p x² + beta x` above zero, `alpha_n (e^x - 1 - x) + beta x` below (Huang and Schlag
/// 2024).
#[inline(always)]
fn xielu_body<const FMA: bool>(x: &mut [f32], alpha_p: f32, alpha_n: f32) {
    for x in x {
        let linear = XIELU_BETA * *x;
        let above = fma::<FMA>(alpha_p * *x, *x, linear);
        let bent = exp::<FMA>(x.min(XIELU_EPS)) - 1.0 - *x;
        let below = fma::<FMA>(bent, alpha_n, linear);
        *x = if *x > 0.0 { above } else { below };
    }
}

versions!(pub fn xielu(x: &mut [f32], alpha_p: f32, alpha_n: f32) = xielu_body);

/// `out = (up + 1) * gate * sigmoid(alpha * gate)` within `limit`.
#[inline(always)]
fn clamped_swiglu_body<const FMA: bool>(
    gates: &[f32],
    ups: &[f32],
    alpha: f32,
    limit: f32,
    out: &mut [f32],
) {
    for ((out, gate), up) in out.iter_mut().zip(gates).zip(ups) {
        let gate = gate.min(limit);
        let up = up.max(-limit).min(limit);
        *out = (up + 1.0) * (gate / (1.0 + exp::<FMA>(-alpha * gate)));
    }
}

versions!(pub fn clamped_swiglu(gates: &[f32], ups: &[f32], alpha: f32, limit: f32, out: &mut [f32]) = clamped_swiglu_body);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::KernelSet;

    fn check(known: &[(f32, f32)], with: impl Fn(KernelSet, &mut [f32])) {
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            for (x, expected) in known {
                let mut row = [*x; 19];
                with(set, &mut row);
                for got in row {
                    assert!((got - expected).abs() < 1e-5, "{set} {x}: {got}");
                }
            }
        }
    }

    #[test]
    fn xielu_is_its_definition() {
        let known: Vec<_> = [-30.0f32, -2.0, -0.1, 0.0, 0.3, 4.0]
            .map(|x| {
                let wide = f64::from(x);
                let y = match x > 0.0 {
                    true => 0.8 * wide * wide + 0.5 * wide,
                    false => 1.3 * (wide.min(-1e-6).exp_m1() - wide) + 0.5 * wide,
                };
                (x, y as f32)
            })
            .into();
        check(&known, |set, row| xielu(set, row, 0.8, 1.3));
    }

    #[test]
    fn a_soft_cap_keeps_small_numbers_and_bounds_large_ones() {
        let known = [
            (0.01, 0.01),
            (1000.0, 30.0),
            (-1000.0, -30.0),
            (15.0, 13.863_514),
        ];
        check(&known, |set, row| softcap(set, row, 30.0));
    }

    #[test]
    fn the_clamped_swiglu_clamps_gates_above_and_ups_on_both_sides() {
        for (gate, up, expected) in [
            (1.0f32, 2.0f32, 3.0 / (1.0 + (-1.702f64).exp())),
            (9.0, 9.0, 8.0 * 7.0 / (1.0 + (-1.702f64 * 7.0).exp())),
            (-9.0, -9.0, -6.0 * -9.0 / (1.0 + (1.702f64 * 9.0).exp())),
        ] {
            check(&[(gate, expected as f32)], |set, row| {
                let gates = row.to_vec();
                clamped_swiglu(set, &gates, &vec![up; row.len()], 1.702, 7.0, row);
            });
        }
    }
}
