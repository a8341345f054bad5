//! Row-wise bodies: RMSNorm, RoPE, and what sampling needs of a row of logits.

use super::math::{exp, fma, sum16};
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
