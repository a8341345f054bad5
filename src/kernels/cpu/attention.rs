//! Causal attention over paged keys and values.
//!
//! A query row walks the KV blocks of its sequence from the first to its own, one block of
//! [`KV_BLOCK_SIZE`] absolute positions at a time, with a running maximum and sum (online
//! softmax; Milakov and Gimelshein 2018, Dao et al. 2022). The walk is the same whether
//! the row is computed alone, in a chunk or in a whole prefill, so its bits are too.

use super::math::{KvElement, exp, fma, sum16};
use super::versions::versions;
use crate::kernels::KV_BLOCK_SIZE;

/// Largest head that the scratch of [`attend`] holds.
pub const MAX_HEAD_DIM: usize = 256;
/// Query rows that share one pass over the keys and values.
pub const MAX_ROWS: usize = 8;

const BLOCK: usize = KV_BLOCK_SIZE;

/// Rows of one sequence and one head.
pub struct Query<'a> {
    /// The first row's query; rows follow at `stride`.
    pub q: &'a [f32],
    pub stride: usize,
    /// At most [`MAX_ROWS`].
    pub num_rows: usize,
    /// Position of the first row in its sequence.
    pub start: usize,
    pub head_dim: usize,
    pub scale: f32,
}

/// Keys `[head_dim][BLOCK]` and values `[BLOCK][padded head_dim]` of one head, block by block.
pub struct Pages<'a, T> {
    pub cache: &'a [T],
    pub block_table: &'a [u32],
    /// Elements from one block to the next.
    pub block_stride: usize,
    /// Where this head's keys and values start inside a block.
    pub k_offset: usize,
    pub v_offset: usize,
}

/// One thread's work space: a block of keys and values, widened, and the result.
pub struct Scratch {
    keys: [[f32; BLOCK]; MAX_HEAD_DIM],
    values: [f32; BLOCK * MAX_HEAD_DIM],
    pub out: [[f32; MAX_HEAD_DIM]; MAX_ROWS],
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            keys: [[0.0; BLOCK]; MAX_HEAD_DIM],
            values: [0.0; BLOCK * MAX_HEAD_DIM],
            out: [[0.0; MAX_HEAD_DIM]; MAX_ROWS],
        }
    }
}

/// Head dimensions are padded to this many lanes in the cache.
pub fn padded_head_dim(head_dim: usize) -> usize {
    head_dim.next_multiple_of(16)
}

#[inline(always)]
fn attend_body<const FMA: bool, T: KvElement>(
    query: &Query<'_>,
    pages: &Pages<'_, T>,
    scratch: &mut Scratch,
) {
    let Scratch { keys, values, out } = scratch;
    let (dim, padded) = (query.head_dim, padded_head_dim(query.head_dim));
    let mut max = [f32::NEG_INFINITY; MAX_ROWS];
    let mut sum = [0.0f32; MAX_ROWS];
    for row in out.iter_mut().take(query.num_rows) {
        row[..padded].fill(0.0);
    }
    let last = query.start + query.num_rows - 1;
    for block in 0..=last / BLOCK {
        let first = block * BLOCK;
        let page = pages.block_table[block] as usize * pages.block_stride;
        let k = &pages.cache[page + pages.k_offset..][..dim * BLOCK];
        for (keys, k) in keys.iter_mut().zip(k.as_chunks::<BLOCK>().0) {
            for (key, k) in keys.iter_mut().zip(k) {
                *key = k.load();
            }
        }
        // Slots past the last row of this chunk may be unwritten; they are not read.
        let num_written = (last + 1 - first).min(BLOCK);
        let v = &pages.cache[page + pages.v_offset..][..num_written * padded];
        for (value, v) in values.iter_mut().zip(v) {
            *value = v.load();
        }
        for row in 0..query.num_rows {
            let position = query.start + row;
            if position < first {
                continue;
            }
            let num_visible = (position + 1 - first).min(BLOCK);
            let q = &query.q[row * query.stride..][..dim];
            let mut scores = [0.0f32; BLOCK];
            for (q, keys) in q.iter().zip(keys.iter()) {
                let q = q * query.scale;
                for (score, key) in scores.iter_mut().zip(keys) {
                    *score = fma::<FMA>(q, *key, *score);
                }
            }
            // A select, not a product: what stands in an unwritten slot has no influence.
            for (slot, score) in scores.iter_mut().enumerate() {
                *score = if slot < num_visible {
                    *score
                } else {
                    f32::NEG_INFINITY
                };
            }
            let mut block_max = max[row];
            for score in &scores {
                block_max = if *score > block_max {
                    *score
                } else {
                    block_max
                };
            }
            let correction = if max[row] == f32::NEG_INFINITY {
                0.0
            } else {
                exp::<FMA>(max[row] - block_max)
            };
            max[row] = block_max;
            for score in &mut scores {
                *score = exp::<FMA>(*score - block_max);
            }
            let (halves, _) = scores.as_chunks::<16>();
            let mut lanes = [0.0f32; 16];
            for half in halves {
                for (lane, score) in lanes.iter_mut().zip(half) {
                    *lane += score;
                }
            }
            sum[row] = fma::<FMA>(sum[row], correction, sum16(lanes));
            let weights = &scores[..num_visible];
            let mut lane = 0;
            while padded - lane >= 64 {
                accumulate::<FMA, 64>(weights, values, padded, lane, correction, &mut out[row]);
                lane += 64;
            }
            while padded - lane >= 16 {
                accumulate::<FMA, 16>(weights, values, padded, lane, correction, &mut out[row]);
                lane += 16;
            }
        }
    }
    for (row, sum) in out.iter_mut().zip(sum).take(query.num_rows) {
        for x in &mut row[..padded] {
            *x /= sum;
        }
    }
}

/// `out[lane..lane + W] = out * correction + weights · values`, slot by slot.
#[inline(always)]
fn accumulate<const FMA: bool, const W: usize>(
    weights: &[f32],
    values: &[f32],
    padded: usize,
    lane: usize,
    correction: f32,
    out: &mut [f32; MAX_HEAD_DIM],
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
    /// The attention of some rows of one head, into the first `padded_head_dim` of each row
    /// of `scratch.out`.
    pub fn attend<T: KvElement>(query: &Query<'_>, pages: &Pages<'_, T>, scratch: &mut Scratch) = attend_body
);
