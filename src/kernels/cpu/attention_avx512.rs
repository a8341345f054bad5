//! Attention over bf16 keys and values with AVX-512 BF16.
//!
//! A unit at a time: the scores of all rows, their softmax, their values. Register blocks only choose how many rows share a load; what one row adds up,
//! and in which order, depends on its position alone.
//!
//! Scores are logarithms to base 2. Queries and probabilities are rounded to bf16, and the
//! sum that divides a row adds the rounded probabilities, so that they add up to one.

use super::attention::{BLOCK, MAX_HEAD_DIM, MAX_ROWS, Pages, Partial, Query, UNIT};
use half::bf16;
use std::arch::x86_64::*;
use std::ops::Range;

const UNIT_BLOCKS: usize = UNIT / BLOCK;
/// Rows whose scores are taken side by side: 16 sums.
const SCORE_ROWS: usize = 8;
/// Rows that meet 64 dimensions of the values side by side: 16 sums.
const VALUE_ROWS: usize = 4;

/// A vector of pairs.
type Pairs = [bf16; 32];
/// A row of queries, in pairs of dimensions.
type Queries = [u32; MAX_HEAD_DIM / 2];
/// A row's scores of a unit, and its probabilities, in pairs of slots.
type Scores = [[[f32; 16]; 2]; UNIT_BLOCKS];
type Weights = [[u32; 16]; UNIT_BLOCKS];
/// 16 dimensions of a block's values.
type Column = [Pairs; BLOCK / 2];

/// The queries of a tile, and what one head of it computes of one unit.
pub struct Scratch {
    queries: [Queries; MAX_ROWS],
    scores: [Scores; MAX_ROWS],
    weights: [Weights; MAX_ROWS],
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            queries: [[0; MAX_HEAD_DIM / 2]; MAX_ROWS],
            scores: [[[[0.0; 16]; 2]; UNIT_BLOCKS]; MAX_ROWS],
            weights: [[[0; 16]; UNIT_BLOCKS]; MAX_ROWS],
        }
    }
}

/// Scales and rounds the queries.
#[target_feature(enable = "avx512f,avx512bf16")]
pub fn prepare(query: &Query<'_>, scratch: &mut Scratch) {
    let factor = _mm512_set1_ps(query.score_factor());
    let scaled = |x: &[f32; 16]| _mm512_mul_ps(load(x), factor);
    for row in 0..query.num_rows() {
        let (whole, rest) = query.row(row).as_chunks::<32>();
        let (pairs, _) = scratch.queries[row].as_chunks_mut::<16>();
        let mut last = [0.0; 32];
        last[..rest.len()].copy_from_slice(rest);
        for (pairs, x) in pairs.iter_mut().zip(whole.iter().chain([&last])) {
            let (low, high) = (x.as_chunks().0, x[16..].as_chunks().0);
            *pairs = store_pairs(_mm512_cvtne2ps_pbh(scaled(&high[0]), scaled(&low[0])));
        }
    }
}

/// The attention of one KV head's rows to `positions` of one unit, which some row sees.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub fn attend(
    query: &Query<'_>,
    pages: &Pages<'_, bf16>,
    head: usize,
    positions: Range<usize>,
    scratch: &mut Scratch,
    partial: &mut Partial<'_>,
) {
    let num_rows = query.rows_per_kv_head();
    let first_row = head * num_rows;
    let unit = positions.start / UNIT * UNIT..(positions.start / UNIT + 1) * UNIT;
    let queries = &scratch.queries[first_row..][..num_rows];
    let mut values: [&[Column]; UNIT_BLOCKS] = [&[]; UNIT_BLOCKS];
    for block in positions.start / BLOCK..positions.end.div_ceil(BLOCK) {
        let index = block % UNIT_BLOCKS;
        let keys = pages.keys(block, head);
        let keys = keys.as_chunks::<32>().0.as_chunks::<2>().0;
        let scores = scratch.scores[..num_rows].chunks_mut(SCORE_ROWS);
        for (queries, scores) in queries.chunks(SCORE_ROWS).zip(scores) {
            score_rows(queries, keys, index, scores);
        }
        values[index] = pages.values(block, head).as_chunks().0.as_chunks().0;
    }
    for row in 0..num_rows {
        let slots = query.visible_in(row, &unit);
        if slots.is_empty() {
            continue;
        }
        let (scores, weights) = (&mut scratch.scores[row], &mut scratch.weights[row]);
        if let Some(cap) = query.score_cap() {
            cap_scores(scores, cap);
        }
        let out = &mut partial.out[(first_row + row) * partial.padded..][..partial.padded];
        let max = &mut partial.max[first_row + row];
        let sums = &mut partial.sums[first_row + row];
        if slots.len() == UNIT {
            weigh::<false>(scores, &slots, weights, max, sums, out);
        } else {
            weigh::<true>(scores, &slots, weights, max, sums, out);
        }
    }
    // Rows that see the same slots share loads of the values.
    let mut row = 0;
    while row < num_rows {
        let slots = query.visible_in(row, &unit);
        let mut end = row + 1;
        while end < num_rows.min(row + VALUE_ROWS) && query.visible_in(end, &unit) == slots {
            end += 1;
        }
        if !slots.is_empty() {
            let out = (first_row + row) * partial.padded..(first_row + end) * partial.padded;
            let out = &mut partial.out[out];
            accumulate_rows(&scratch.weights[row..end], &values, &slots, out);
        }
        row = end;
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn score_rows(queries: &[Queries], keys: &[[Pairs; 2]], block: usize, scores: &mut [Scores]) {
    match scores.len() {
        8 => score::<8>(queries, keys, block, scores),
        7 => score::<7>(queries, keys, block, scores),
        6 => score::<6>(queries, keys, block, scores),
        5 => score::<5>(queries, keys, block, scores),
        4 => score::<4>(queries, keys, block, scores),
        3 => score::<3>(queries, keys, block, scores),
        2 => score::<2>(queries, keys, block, scores),
        _ => score::<1>(queries, keys, block, scores),
    }
}

/// The scores of one block for `R` rows. What unwritten slots yield is masked later.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn score<const R: usize>(
    queries: &[Queries],
    keys: &[[Pairs; 2]],
    block: usize,
    scores: &mut [Scores],
) {
    let queries: &[Queries; R] = queries.as_array().expect("R rows");
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for (pair, keys) in keys[..keys.len().min(MAX_HEAD_DIM / 2)].iter().enumerate() {
        let keys = [pairs(&keys[0]), pairs(&keys[1])];
        for (query, sums) in queries.iter().zip(&mut sums) {
            let query = broadcast(query[pair]);
            sums[0] = _mm512_dpbf16_ps(sums[0], query, keys[0]);
            sums[1] = _mm512_dpbf16_ps(sums[1], query, keys[1]);
        }
    }
    for (scores, sums) in scores.iter_mut().zip(sums) {
        scores[block] = [store(sums[0]), store(sums[1])];
    }
}

/// `cap * tanh(score / cap)`; the queries' factor has made `score` the exponent of the
/// tanh, so that `cap * (1 - 2 / (1 + 2^score))` remains.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn cap_scores(scores: &mut Scores, cap: f32) {
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
fn weigh<const MASKED: bool>(
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

/// `out += weights · values` over the visible slots, for up to [`VALUE_ROWS`] rows.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn accumulate_rows(
    weights: &[Weights],
    values: &[&[Column]; UNIT_BLOCKS],
    slots: &Range<usize>,
    out: &mut [f32],
) {
    match weights.len() {
        4 => accumulate_dims::<4>(weights, values, slots, out),
        3 => accumulate_dims::<3>(weights, values, slots, out),
        2 => accumulate_dims::<2>(weights, values, slots, out),
        _ => accumulate_dims::<1>(weights, values, slots, out),
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn accumulate_dims<const R: usize>(
    weights: &[Weights],
    values: &[&[Column]; UNIT_BLOCKS],
    slots: &Range<usize>,
    out: &mut [f32],
) {
    let num_columns = out.len() / R / 16;
    let mut column = 0;
    while num_columns - column >= 4 {
        accumulate::<R, 4>(weights, values, slots, column, out);
        column += 4;
    }
    while column < num_columns {
        accumulate::<R, 1>(weights, values, slots, column, out);
        column += 1;
    }
}

/// `C` columns of the values for `R` rows.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn accumulate<const R: usize, const C: usize>(
    weights: &[Weights],
    values: &[&[Column]; UNIT_BLOCKS],
    slots: &Range<usize>,
    column: usize,
    out: &mut [f32],
) {
    let weights: &[Weights; R] = weights.as_array().expect("R rows");
    let stride = out.len() / R / 16;
    let (out, _) = out.as_chunks_mut::<16>();
    let mut sums = [[_mm512_setzero_ps(); C]; R];
    for (row, sums) in sums.iter_mut().enumerate() {
        let out: &[_; C] = out[row * stride + column..]
            .first_chunk()
            .expect("C columns");
        for (sum, out) in sums.iter_mut().zip(out) {
            *sum = load(out);
        }
    }
    for (block, values) in values.iter().enumerate() {
        let start = slots.start.saturating_sub(block * BLOCK);
        let end = slots.end.saturating_sub(block * BLOCK).min(BLOCK);
        if start >= end {
            continue;
        }
        let columns: &[Column; C] = values[column..].first_chunk().expect("C columns");
        // Half a pair: an invisible slot has no weight, but what stands there may be NaN.
        if start % 2 == 1 {
            let pair = start / 2;
            let visible = columns
                .each_ref()
                .map(|column| mask(&column[pair], 0xffff_0000));
            add_products(&mut sums, weights, block, pair, visible);
        }
        for pair in start.div_ceil(2)..end / 2 {
            let visible = columns.each_ref().map(|column| pairs(&column[pair]));
            add_products(&mut sums, weights, block, pair, visible);
        }
        if end % 2 == 1 {
            let pair = end / 2;
            let visible = columns.each_ref().map(|column| mask(&column[pair], 0xffff));
            add_products(&mut sums, weights, block, pair, visible);
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let out = out[row * stride + column..].first_chunk_mut::<C>();
        for (sum, out) in sums.iter().zip(out.expect("C columns")) {
            *out = store(*sum);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn add_products<const R: usize, const C: usize>(
    sums: &mut [[__m512; C]; R],
    weights: &[Weights; R],
    block: usize,
    pair: usize,
    values: [__m512bh; C],
) {
    for (weights, sums) in weights.iter().zip(sums) {
        let weight = broadcast(weights[block][pair]);
        for (value, sum) in values.iter().zip(sums) {
            *sum = _mm512_dpbf16_ps(*sum, weight, *value);
        }
    }
}

// With debug assertions the load and store intrinsics go through the stack, and raw pointers
// are checked each time; arrays that become vectors do neither.

#[target_feature(enable = "avx512f")]
#[inline]
fn load(x: &[f32; 16]) -> __m512 {
    // SAFETY: plain numbers of the same size.
    unsafe { std::mem::transmute(*x) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store(x: __m512) -> [f32; 16] {
    // SAFETY: as above.
    unsafe { std::mem::transmute(x) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn pairs(x: &Pairs) -> __m512bh {
    // SAFETY: as above.
    unsafe { std::mem::transmute(*x) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store_pairs(x: __m512bh) -> [u32; 16] {
    // SAFETY: as above.
    unsafe { std::mem::transmute(x) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn broadcast(pair: u32) -> __m512bh {
    // SAFETY: as above.
    unsafe { std::mem::transmute(_mm512_set1_epi32(pair as i32)) }
}

/// The pairs with only the halves that `keep` has.
#[target_feature(enable = "avx512f")]
#[inline]
fn mask(x: &Pairs, keep: u32) -> __m512bh {
    // SAFETY: as above.
    unsafe {
        let x: __m512i = std::mem::transmute(*x);
        std::mem::transmute(_mm512_and_si512(x, _mm512_set1_epi32(keep as i32)))
    }
}
