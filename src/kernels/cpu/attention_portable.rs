//! Attention in plain Rust, compiled for each kernel set: keys and values are widened to f32
//! once for all rows, queries and probabilities stay f32.

use super::attention::{BLOCK, MAX_HEAD_DIM, MAX_ROWS, Pages, Partial, Query};
use super::kv::KvElement;
use super::math::{exp2, fma};
use super::versions::versions;
use std::ops::Range;

/// The queries of a tile, and a block of keys and values.
pub struct Scratch {
    queries: [[f32; MAX_HEAD_DIM]; MAX_ROWS],
    keys: [[f32; BLOCK]; MAX_HEAD_DIM],
    values: [f32; BLOCK * MAX_HEAD_DIM],
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            queries: [[0.0; MAX_HEAD_DIM]; MAX_ROWS],
            keys: [[0.0; BLOCK]; MAX_HEAD_DIM],
            values: [0.0; BLOCK * MAX_HEAD_DIM],
        }
    }
}

/// Scales the queries.
pub fn prepare(query: &Query<'_>, scratch: &mut Scratch) {
    let factor = query.score_factor();
    for (row, queries) in scratch.queries[..query.num_rows()].iter_mut().enumerate() {
        for (scaled, q) in queries.iter_mut().zip(query.row(row)) {
            *scaled = q * factor;
        }
    }
}

#[inline(always)]
fn attend_body<const FMA: bool, T: KvElement>(
    query: &Query<'_>,
    pages: &Pages<'_, T>,
    head: usize,
    positions: Range<usize>,
    scratch: &mut Scratch,
    partial: &mut Partial<'_>,
) {
    let padded = partial.padded;
    let Scratch {
        queries,
        keys,
        values,
    } = scratch;
    let keys = &mut keys[..query.head_dim];
    let first_row = head * query.rows_per_kv_head();
    for block in positions.start / BLOCK..positions.end.div_ceil(BLOCK) {
        T::widen_keys(pages.keys(block, head), keys);
        T::widen_values(pages.values(block, head), padded, values);
        for row in 0..query.rows_per_kv_head() {
            let slots = query.visible_in(row, &(block * BLOCK..(block + 1) * BLOCK));
            if slots.is_empty() {
                continue;
            }
            let row = first_row + row;
            let mut scores = score::<FMA>(&queries[row], keys, query.score_cap(), &slots);
            let mut max = partial.max[row];
            for score in &scores {
                max = if *score > max { *score } else { max };
            }
            let correction = exp2::<FMA>(partial.max[row] - max);
            partial.max[row] = max;
            for score in &mut scores {
                *score = exp2::<FMA>(*score - max);
            }
            let (low, high) = scores.split_at(16);
            for ((sum, low), high) in partial.sums[row].iter_mut().zip(low).zip(high) {
                *sum = fma::<FMA>(*sum, correction, low + high);
            }
            let weights = &scores[slots.clone()];
            let values = &values[slots.start * padded..slots.end * padded];
            let out = &mut partial.out[row * padded..][..padded];
            let mut lane = 0;
            while padded - lane >= 64 {
                accumulate::<FMA, 64>(weights, values, padded, lane, correction, out);
                lane += 64;
            }
            while padded - lane >= 16 {
                accumulate::<FMA, 16>(weights, values, padded, lane, correction, out);
                lane += 16;
            }
        }
    }
}

/// A row's scores of a block; those of slots that it does not see are minus infinity.
#[inline(always)]
fn score<const FMA: bool>(
    queries: &[f32],
    keys: &[[f32; BLOCK]],
    cap: Option<f32>,
    slots: &Range<usize>,
) -> [f32; BLOCK] {
    let mut scores = [0.0f32; BLOCK];
    for (q, keys) in queries.iter().zip(keys) {
        for (score, key) in scores.iter_mut().zip(keys) {
            *score = fma::<FMA>(*q, *key, *score);
        }
    }
    if let Some(cap) = cap {
        for score in &mut scores {
            *score = cap * (1.0 - 2.0 / (1.0 + exp2::<FMA>(*score)));
        }
    }
    // A select, not a product: what stands in an unwritten slot has no influence.
    for (slot, score) in scores.iter_mut().enumerate() {
        let visible = slots.start <= slot && slot < slots.end;
        *score = if visible { *score } else { f32::NEG_INFINITY };
    }
    scores
}

/// `out[lane..lane + W] = out * correction + weights · values`, slot by slot.
#[inline(always)]
fn accumulate<const FMA: bool, const W: usize>(
    weights: &[f32],
    values: &[f32],
    padded: usize,
    lane: usize,
    correction: f32,
    out: &mut [f32],
) {
    let mut lanes = [0.0f32; W];
    for (x, out) in lanes.iter_mut().zip(&out[lane..lane + W]) {
        *x = out * correction;
    }
    for (slot, weight) in weights.iter().enumerate() {
        let values = &values[slot * padded + lane..][..W];
        for (x, value) in lanes.iter_mut().zip(values) {
            *x = fma::<FMA>(*weight, *value, *x);
        }
    }
    out[lane..lane + W].copy_from_slice(&lanes);
}

versions!(
    /// The attention of one KV head's rows to `positions` of one unit, which some row sees.
    pub fn attend<T: KvElement>(
        query: &Query<'_>,
        pages: &Pages<'_, T>,
        head: usize,
        positions: Range<usize>,
        scratch: &mut Scratch,
        partial: &mut Partial<'_>,
    ) = attend_body
);
