//! Row-wise bodies: RMSNorm, RoPE, and what sampling needs of a row of logits.

use super::math::{erf, exp, fma, gelu_tanh, sum16, tanh};
use super::versions::versions;

/// `out = x / rms(x) * weight`, rms over the row with `eps` inside the root.
#[inline(always)]
fn rms_norm_body<const FMA: bool>(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let mut lanes = [0.0f32; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = fma::<FMA>(*x, *x, *lane);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = fma::<FMA>(*x, *x, *lane);
    }
    let scale = 1.0 / (sum16(lanes) / x.len() as f32 + eps).sqrt();
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

versions!(pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = rms_norm_body);

/// `x = (x + bias - mean) / sqrt(var + eps) * weight + shift` over a row, in place; an empty bias is
/// none.
#[inline(always)]
fn layer_norm_body<const FMA: bool>(
    x: &mut [f32],
    bias: &[f32],
    weight: &[f32],
    shift: &[f32],
    eps: f32,
) {
    let len = x.len() as f32;
    for (x, bias) in x.iter_mut().zip(bias) {
        *x += bias;
    }
    let mean = sum_of::<FMA>(x, |sum, x| sum + x) / len;
    let variance = sum_of::<FMA>(x, |sum, x| fma::<FMA>(x - mean, x - mean, sum)) / len;
    let scale = 1.0 / (variance + eps).sqrt();
    for ((x, weight), shift) in x.iter_mut().zip(weight).zip(shift) {
        *x = fma::<FMA>((*x - mean) * scale, *weight, *shift);
    }
}

#[inline(always)]
fn sum_of<const FMA: bool>(x: &[f32], add: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = add(*lane, *x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = add(*lane, *x);
    }
    sum16(lanes)
}

versions!(pub fn layer_norm(x: &mut [f32], bias: &[f32], weight: &[f32], shift: &[f32], eps: f32) = layer_norm_body);

/// What follows a linear layer with a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    None,
    /// `x * P(X <= x)` of the normal distribution, by erf (Hendrycks and Gimpel 2016).
    Gelu,
    /// Its approximation by tanh.
    GeluTanh,
    Tanh,
    Relu,
}

/// `x = activation(x)` over a row, in place.
#[inline(always)]
fn activate<const FMA: bool>(x: &mut [f32], activation: Activation) {
    match activation {
        Activation::None => {}
        Activation::Relu => x.iter_mut().for_each(|x| *x = x.max(0.0)),
        Activation::Gelu => {
            for x in x {
                *x = 0.5 * *x * (1.0 + erf::<FMA>(*x * std::f32::consts::FRAC_1_SQRT_2));
            }
        }
        Activation::GeluTanh => {
            for x in x {
                *x = gelu_tanh::<FMA>(*x);
            }
        }
        Activation::Tanh => {
            for x in x {
                *x = tanh::<FMA>(*x);
            }
        }
    }
}

/// `x = activation(x + bias)` over a row, in place.
#[inline(always)]
fn bias_body<const FMA: bool>(x: &mut [f32], bias: &[f32], activation: Activation) {
    for (x, bias) in x.iter_mut().zip(bias) {
        *x += bias;
    }
    activate::<FMA>(x, activation);
}

versions!(pub fn bias(x: &mut [f32], bias: &[f32], activation: Activation) = bias_body);

/// `out = activation(first half of x) * second half` over a row (Shazeer 2020).
#[inline(always)]
fn gate_body<const FMA: bool>(x: &[f32], activation: Activation, out: &mut [f32]) {
    let (gates, values) = x.split_at(out.len());
    out.copy_from_slice(gates);
    activate::<FMA>(out, activation);
    for (out, value) in out.iter_mut().zip(values) {
        *out *= value;
    }
}

versions!(pub fn gate(x: &[f32], activation: Activation, out: &mut [f32]) = gate_body);

/// Rotates one head in place; `cos` and `sin` have half its length. The two halves of a
/// head are the two coordinates, as in Hugging Face checkpoints.
#[inline(always)]
fn rope_body<const FMA: bool>(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = head.split_at_mut(cos.len());
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        let (x, y) = (*a, *b);
        *a = fma::<FMA>(x, *cos, -(y * sin));
        *b = fma::<FMA>(y, *cos, x * sin);
    }
}

versions!(pub fn rope(head: &mut [f32], cos: &[f32], sin: &[f32]) = rope_body);

/// Index and value of the largest logit, the first of equals.
#[inline(always)]
fn largest_body<const FMA: bool>(logits: &[f32]) -> (usize, f32) {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let (chunks, rest) = logits.as_chunks::<16>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    let mut max = f32::NEG_INFINITY;
    for x in lanes.iter().chain(rest) {
        max = if *x > max { *x } else { max };
    }
    let argmax = logits.iter().position(|x| *x == max).unwrap_or(0);
    (argmax, max)
}

versions!(pub fn largest(logits: &[f32]) -> (usize, f32) = largest_body);

/// What [`largest_body`] says, and ln of the sum of e^logit.
#[inline(always)]
fn summarize_body<const FMA: bool>(logits: &[f32]) -> (usize, f32, f32) {
    let (argmax, max) = largest_body::<FMA>(logits);
    let (chunks, rest) = logits.as_chunks::<16>();
    let mut sums = [0.0f32; 16];
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += exp::<FMA>(*x - max);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += exp::<FMA>(*x - max);
    }
    (argmax, max, max + sum16(sums).ln())
}

versions!(pub fn summarize(logits: &[f32]) -> (usize, f32, f32) = summarize_body);

/// `out = e^((logit - max) * scale)`, and the sum of it.
#[inline(always)]
fn weights_body<const FMA: bool>(logits: &[f32], max: f32, scale: f32, out: &mut [f32]) -> f64 {
    let mut sums = [0.0f64; 16];
    let (chunks, rest) = logits.as_chunks::<16>();
    let (out_chunks, out_rest) = out.as_chunks_mut::<16>();
    for (chunk, out) in chunks.iter().zip(out_chunks) {
        for ((x, out), sum) in chunk.iter().zip(out).zip(&mut sums) {
            *out = exp::<FMA>((*x - max) * scale);
            *sum += f64::from(*out);
        }
    }
    for ((x, out), sum) in rest.iter().zip(out_rest).zip(&mut sums) {
        *out = exp::<FMA>((*x - max) * scale);
        *sum += f64::from(*out);
    }
    sums.iter().sum()
}

versions!(pub fn weights(logits: &[f32], max: f32, scale: f32, out: &mut [f32]) -> f64 = weights_body);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::KernelSet;

    fn supported() -> impl Iterator<Item = KernelSet> {
        KernelSet::ALL.into_iter().filter(|set| set.is_supported())
    }

    fn ramp(len: usize) -> Vec<f32> {
        (0..len)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) / 17.0)
            .collect()
    }

    #[test]
    fn rms_norm_is_its_definition() {
        for set in supported() {
            for len in [1, 15, 16, 17, 576] {
                let (x, weight, mut out) = (ramp(len), ramp(len), vec![0.0; len]);
                rms_norm(set, &x, &weight, 1e-5, &mut out);
                let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / len as f64;
                for i in 0..len {
                    let exact = f64::from(x[i]) / (mean + 1e-5).sqrt() * f64::from(weight[i]);
                    assert!((f64::from(out[i]) - exact).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn layer_norm_is_its_definition() {
        for set in supported() {
            for len in [2, 15, 16, 17, 384] {
                let (mut x, bias, weight) = (ramp(len), ramp(len), ramp(len));
                let shift: Vec<f32> = ramp(len).iter().map(|x| x * 0.5).collect();
                layer_norm(set, &mut x, &bias, &weight, &shift, 1e-5);
                let sums: Vec<f64> = bias.iter().map(|b| 2.0 * f64::from(*b)).collect();
                let mean = sums.iter().sum::<f64>() / len as f64;
                let variance = sums.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / len as f64;
                for i in 0..len {
                    let exact = (sums[i] - mean) / (variance + 1e-5).sqrt() * f64::from(weight[i])
                        + f64::from(shift[i]);
                    assert!((f64::from(x[i]) - exact).abs() < 2e-5, "{set} {len}");
                }
            }
        }
    }

    #[test]
    fn activations_are_what_they_are_called() {
        // Of torch: gelu(x), gelu(x, approximate="tanh"), tanh(x).
        let known = [
            (-3.0f32, -0.004_049_694, -0.003_637_392, -0.995_054_7),
            (-0.5, -0.154_268_77, -0.154_286, -0.462_117_17),
            (0.0, 0.0, 0.0, 0.0),
            (1.0, 0.841_344_8, 0.841_192, 0.761_594_2),
            (4.0, 3.999_873_2, 3.999_929_7, 0.999_329_3),
        ];
        for set in supported() {
            for (x, gelu, gelu_tanh, tanh) in known {
                let of = |activation| {
                    let mut row = [x - 0.25; 17];
                    bias(set, &mut row, &[0.25; 17], activation);
                    row[16]
                };
                assert!((of(Activation::Gelu) - gelu).abs() < 1e-6, "{set} {x}");
                assert!(
                    (of(Activation::GeluTanh) - gelu_tanh).abs() < 1e-6,
                    "{set} {x}"
                );
                assert!((of(Activation::Tanh) - tanh).abs() < 1e-6, "{set} {x}");
                assert_eq!(of(Activation::Relu), x.max(0.0));
                assert_eq!(of(Activation::None), x);
            }
        }
    }

    #[test]
    fn a_gate_multiplies_what_its_activation_lets_through() {
        for set in supported() {
            let halves = [[1.0f32; 17], [-3.0; 17]].concat();
            let mut out = [f32::NAN; 17];
            gate(set, &halves, Activation::Gelu, &mut out);
            assert!(
                out.iter().all(|x| (x + 3.0 * 0.841_344_8).abs() < 1e-5),
                "{set}"
            );
        }
    }

    #[test]
    fn rope_turns_each_pair_by_its_angle() {
        for set in supported() {
            let angle = [0.3f32, 1.2, -2.0];
            let mut head = ramp(6);
            let before = head.clone();
            rope(set, &mut head, &angle.map(f32::cos), &angle.map(f32::sin));
            for i in 0..3 {
                let (sin, cos) = angle[i].sin_cos();
                assert!((head[i] - (before[i] * cos - before[i + 3] * sin)).abs() < 1e-6);
                assert!((head[i + 3] - (before[i + 3] * cos + before[i] * sin)).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_row_of_logits_with_a_nan_has_no_sum() {
        for set in supported() {
            for place in [3, 1001] {
                let mut logits = ramp(1003);
                logits[place] = f32::NAN;
                assert!(summarize(set, &logits).2.is_nan(), "{set} {place}");
            }
            assert!(summarize(set, &[f32::NEG_INFINITY; 20]).2.is_nan(), "{set}");
        }
    }

    #[test]
    fn a_row_of_logits_is_summarised_with_the_first_of_equal_maxima() {
        for set in supported() {
            let mut logits = ramp(1003);
            logits[700] = 9.0;
            logits[1001] = 9.0;
            let (argmax, max, log_sum_exp) = summarize(set, &logits);
            let exact = logits.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
            assert_eq!((argmax, max), (700, 9.0));
            assert_eq!(largest(set, &logits), (700, 9.0));
            assert!((f64::from(log_sum_exp) - exact).abs() < 1e-5);
        }
    }
}
