//! Attention over bf16 keys and values, or whole numbers widened to them, with AVX-512 BF16.
//!
//! A unit at a time: the scores of all rows, their softmax, their values. Register blocks only
//! choose how many rows share a load; what one row adds up, and in which order, depends on its
//! position alone.
//!
//! Scores are logarithms to base 2. Queries and probabilities are rounded to bf16, and the
//! sum that divides a row adds the rounded probabilities, so that they add up to one.

mod products;
mod softmax;
mod unit;
mod vector;

pub use unit::{Unit, Wide};

use super::attention::{BLOCK, MAX_HEAD_DIM, MAX_ROWS, Partial, Query, UNIT};
use products::{accumulate_rows, score_rows};
use softmax::{cap_scores, weigh};
use std::arch::x86_64::*;
use std::ops::Range;
use vector::{Pairs, load, store_pairs};

const UNIT_BLOCKS: usize = UNIT / BLOCK;
/// Rows whose scores are taken side by side: 16 sums.
const SCORE_ROWS: usize = 8;
/// Rows that meet 64 dimensions of the values side by side: 16 sums.
const VALUE_ROWS: usize = 4;

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
    let round = |x: &[f32; 32]| {
        let (halves, _) = x.as_chunks::<16>();
        let [low, high] = [0, 1].map(|half| _mm512_mul_ps(load(&halves[half]), factor));
        store_pairs(_mm512_cvtne2ps_pbh(high, low))
    };
    for row in 0..query.num_rows() {
        let (whole, rest) = query.row(row).as_chunks();
        let (pairs, _) = scratch.queries[row].as_chunks_mut();
        for (pairs, x) in pairs.iter_mut().zip(whole) {
            *pairs = round(x);
        }
        if !rest.is_empty() {
            let mut last = [0.0; 32];
            last[..rest.len()].copy_from_slice(rest);
            pairs[whole.len()] = round(&last);
        }
    }
}

/// The attention of one KV head's rows to `positions` of one unit, which some row sees.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub fn attend(
    query: &Query<'_>,
    unit: &Unit<'_>,
    head: usize,
    positions: Range<usize>,
    scratch: &mut Scratch,
    partial: &mut Partial<'_>,
) {
    let num_rows = query.rows_per_kv_head();
    let first_row = head * num_rows;
    let queries = &scratch.queries[first_row..][..num_rows];
    let mut values: [&[Column]; UNIT_BLOCKS] = [&[]; UNIT_BLOCKS];
    let mut next_values = [None; UNIT_BLOCKS];
    for block in positions.start / BLOCK..positions.end.div_ceil(BLOCK) {
        let index = block % UNIT_BLOCKS;
        let block = &unit.blocks[index];
        let keys = block.keys.as_chunks::<32>().0.as_chunks::<2>().0;
        let scores = scratch.scores[..num_rows].chunks_mut(SCORE_ROWS);
        let (mut next_keys, next) = block.next.unzip();
        for (queries, scores) in queries.chunks(SCORE_ROWS).zip(scores) {
            score_rows(queries, keys, index, next_keys.take(), scores);
        }
        next_values[index] = next;
        values[index] = block.values.as_chunks().0.as_chunks().0;
    }
    let unit = positions.start / UNIT * UNIT..(positions.start / UNIT + 1) * UNIT;
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
            let weights = &scratch.weights[row..end];
            accumulate_rows(weights, &values, &slots, &next_values, out);
            next_values = [None; UNIT_BLOCKS];
        }
        row = end;
    }
}
