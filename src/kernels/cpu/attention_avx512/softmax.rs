//! Scores to probabilities.

use super::vector::{broadcast, load, store, store_pairs};
use super::{Scores, UNIT_BLOCKS, Weights};
use crate::kernels::cpu::attention::BLOCK;
use std::arch::x86_64::*;
use std::ops::Range;

/// `cap * tanh(score / cap)`; the queries' factor has made `score` the exponent of the
/// tanh, so that `cap * (1 - 2 / (1 + 2^score))` remains.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
pub fn cap_scores(scores: &mut Scores, cap: f32) {
    let (one, two, cap) = (
        _mm512_set1_ps(1.0),
        _mm512_set1_ps(2.0),
        _mm512_set1_ps(cap),
    );
    for half in scores.as_flattened_mut() {
        let e = exp2(_mm512_min_ps(_mm512_set1_ps(126.0), load(half)));
        let tanh = _mm512_sub_ps(one, _mm512_div_ps(two, _mm512_add_ps(one, e)));
        *half = store(_mm512_mul_ps(cap, tanh));
    }
}

/// Scores become probabilities, as yet undivided: `2^(score - max)`. A new maximum corrects
/// what was added up before; without one, there is nothing to correct.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
pub fn weigh<const MASKED: bool>(
    scores: &mut Scores,
    slots: &Range<usize>,
    weights: &mut Weights,
    max: &mut f32,
    sums: &mut [f32; 16],
    out: &mut [f32],
) {
    let blocks = if MASKED {
        slots.start / BLOCK..slots.end.div_ceil(BLOCK)
    } else {
        0..UNIT_BLOCKS
    };
    let least = _mm512_set1_ps(f32::MIN);
    let mut top = least;
    for block in blocks.clone() {
        for (half, scores) in scores[block].iter_mut().enumerate() {
            let mut x = load(scores);
            if MASKED {
                let visible = visible_lanes(slots, block * BLOCK + half * 16);
                x = _mm512_mask_blend_ps(visible, least, x);
                *scores = store(x);
            }
            top = _mm512_max_ps(x, top);
        }
    }
    let mut sum = load(sums);
    if _mm512_cmp_ps_mask::<_CMP_GT_OQ>(top, _mm512_set1_ps(*max)) != 0 {
        let new = _mm512_reduce_max_ps(top);
        let correction = exp2(_mm512_set1_ps(*max - new));
        *max = new;
        sum = _mm512_mul_ps(sum, correction);
        for out in out.as_chunks_mut::<16>().0 {
            *out = store(_mm512_mul_ps(load(out), correction));
        }
    }
    let max = _mm512_set1_ps(*max);
    let ones = broadcast(0x3f80_3f80);
    for block in blocks {
        let [low, high] = &scores[block];
        let low = exp2(_mm512_sub_ps(load(low), max));
        let high = exp2(_mm512_sub_ps(load(high), max));
        let pairs = _mm512_cvtne2ps_pbh(high, low);
        sum = _mm512_dpbf16_ps(sum, pairs, ones);
        weights[block] = store_pairs(pairs);
    }
    *sums = store(sum);
}

/// Lanes of the vector at `first` that `slots` holds.
#[inline]
fn visible_lanes(slots: &Range<usize>, first: usize) -> u16 {
    let below = |slot: usize| (1u32 << slot.saturating_sub(first).min(16)) - 1;
    (below(slots.end) & !below(slots.start)) as u16
}

/// 2^x with a relative error of 3e-6, a thousandth of what rounding to bf16 loses.
#[target_feature(enable = "avx512f")]
#[inline]
fn exp2(x: __m512) -> __m512 {
    let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
    let f = _mm512_sub_ps(x, n);
    let mut p = _mm512_set1_ps(0.009_582_853);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.055_906_426));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.240_240_99));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.693_124_2));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0));
    _mm512_scalef_ps(p, n)
}
