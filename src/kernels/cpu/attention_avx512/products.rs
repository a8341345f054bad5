//! Queries times keys, probabilities times values.

use super::vector::{Pairs, broadcast, load, mask, pairs, prefetch, store};
use super::{Column, Queries, Scores, UNIT_BLOCKS, Weights};
use crate::kernels::cpu::attention::{BLOCK, MAX_HEAD_DIM};
use half::bf16;
use std::arch::x86_64::*;
use std::ops::Range;

/// The scores of one block for up to [`SCORE_ROWS`](super::SCORE_ROWS) rows; meanwhile asks for
/// the `next` keys.
/// What unwritten slots yield is masked later.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
pub fn score_rows(
    queries: &[Queries],
    keys: &[[Pairs; 2]],
    block: usize,
    next: Option<&[bf16]>,
    scores: &mut [Scores],
) {
    match scores.len() {
        8 => score::<8>(queries, keys, block, next, scores),
        7 => score::<7>(queries, keys, block, next, scores),
        6 => score::<6>(queries, keys, block, next, scores),
        5 => score::<5>(queries, keys, block, next, scores),
        4 => score::<4>(queries, keys, block, next, scores),
        3 => score::<3>(queries, keys, block, next, scores),
        2 => score::<2>(queries, keys, block, next, scores),
        _ => score::<1>(queries, keys, block, next, scores),
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn score<const R: usize>(
    queries: &[Queries],
    keys: &[[Pairs; 2]],
    block: usize,
    next: Option<&[bf16]>,
    scores: &mut [Scores],
) {
    let queries: &[Queries; R] = queries.as_array().expect("R rows");
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for (pair, keys) in keys[..keys.len().min(MAX_HEAD_DIM / 2)].iter().enumerate() {
        let keys = [pairs(&keys[0]), pairs(&keys[1])];
        if let Some(next) = next {
            prefetch(next, pair.wrapping_mul(2));
            prefetch(next, pair.wrapping_mul(2).wrapping_add(1));
        }
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

/// `out += weights · values` over the visible slots, for up to
/// [`VALUE_ROWS`](super::VALUE_ROWS) rows.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
pub fn accumulate_rows(
    weights: &[Weights],
    values: &[&[Column]; UNIT_BLOCKS],
    slots: &Range<usize>,
    next: &[Option<&[bf16]>; UNIT_BLOCKS],
    out: &mut [f32],
) {
    match weights.len() {
        4 => accumulate_dims::<4>(weights, values, slots, next, out),
        3 => accumulate_dims::<3>(weights, values, slots, next, out),
        2 => accumulate_dims::<2>(weights, values, slots, next, out),
        _ => accumulate_dims::<1>(weights, values, slots, next, out),
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn accumulate_dims<const R: usize>(
    weights: &[Weights],
    values: &[&[Column]; UNIT_BLOCKS],
    slots: &Range<usize>,
    next: &[Option<&[bf16]>; UNIT_BLOCKS],
    out: &mut [f32],
) {
    let num_columns = out.len() / R / 16;
    let mut column = 0;
    while num_columns - column >= 4 {
        accumulate::<R, 4>(weights, values, slots, next, column, out);
        column += 4;
    }
    while column < num_columns {
        accumulate::<R, 1>(weights, values, slots, next, column, out);
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
    next: &[Option<&[bf16]>; UNIT_BLOCKS],
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
    for (block, (values, next)) in values.iter().zip(next).enumerate() {
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
            if let Some(next) = next {
                for c in 0..C {
                    let column = column.wrapping_add(c);
                    prefetch(next, column.wrapping_mul(BLOCK / 2).wrapping_add(pair));
                }
            }
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
