//! Causal attention over paged keys and values.
//!
//! A query row walks the positions that it sees from the first to its own, with a running
//! maximum and sum (online softmax; Milakov and Gimelshein 2018, Dao et al. 2022). The walk
//! is cut at absolute positions into splits of [`SPLIT`]; each starts from nothing, and they
//! are added up in order. What is computed for a row therefore depends on its position
//! alone, whether it is computed in a prefill, a chunk or a step of its own, and whether one
//! thread walks its splits or many.
//!
//! [`super::attention_avx512`] computes a split over bf16, [`super::attention_portable`]
//! everything else.

#[cfg(target_arch = "x86_64")]
use super::attention_avx512;
use super::kv::KvElement;
use super::math::{exp2, fma, sum16};
use super::versions::versions;
use super::{AlignedBuffer, KernelSet, attention_portable};
use crate::kernels::{KV_BLOCK_SIZE, PagedLayout};
use half::bf16;
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// Largest head that the scratch holds.
pub const MAX_HEAD_DIM: usize = 256;
/// Query rows that share one pass over the keys and values.
pub const MAX_ROWS: usize = 32;
/// Positions in a split: enough that adding up splits costs nothing beside computing them,
/// few enough that a single long sequence keeps many cores busy.
pub const SPLIT: usize = 512;

/// Positions that are computed together, at most: enough that the softmax of a row, and its
/// way through memory, are paid for by the products.
pub(super) const UNIT: usize = 128;
pub(super) const BLOCK: usize = KV_BLOCK_SIZE;

/// Consecutive tokens of one sequence, some KV heads, and the query heads that share them.
/// A row is one query head of one token; rows go by KV head, then token, then query head.
pub struct Query<'a> {
    /// The first token's first query head; others of its KV head follow.
    pub q: &'a [f32],
    /// From one token to the next, and from one KV head's query heads to the next's.
    pub token_stride: usize,
    pub kv_head_stride: usize,
    pub num_kv_heads: usize,
    /// Query heads of each KV head.
    pub num_heads: usize,
    pub head_dim: usize,
    pub reach: Reach,
    pub scale: f32,
    pub softcap: Option<f32>,
}

/// What consecutive tokens of a sequence see of it.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// Position of the first token.
    pub start: usize,
    pub num_tokens: usize,
    /// Tokens that a token sees, itself included.
    pub window: Option<usize>,
}

/// The blocks of one sequence, and the first of its KV heads.
pub struct Pages<'a, T> {
    pub cache: &'a [T],
    pub block_table: &'a [u32],
    pub layout: PagedLayout,
    pub first_head: usize,
}

/// What rows have added up over some of the positions that they see.
pub struct Partial<'a> {
    /// The greatest score; scores are logarithms to base 2.
    pub max: &'a mut [f32],
    /// Sums of `2^(score - max)`, lane by lane. All zero where nothing was seen: otherwise
    /// the greatest score has counted as one.
    pub sums: &'a mut [[f32; 16]],
    /// Sums of values times that.
    pub out: &'a mut [f32],
    pub padded: usize,
}

/// One thread's work space.
#[derive(Default)]
pub struct Scratch {
    #[cfg(target_arch = "x86_64")]
    avx512: attention_avx512::Scratch,
    portable: attention_portable::Scratch,
    split: AlignedBuffer,
}

impl Reach {
    /// Positions that a token sees; its own always.
    fn visible(&self, token: usize) -> Range<usize> {
        let position = self.start + token;
        let hidden = |window| (position + 1).saturating_sub(window);
        self.window.map_or(0, hidden).min(position)..position + 1
    }

    /// Positions that some token sees.
    pub fn seen(&self) -> Range<usize> {
        self.visible(0).start..self.start + self.num_tokens
    }

    /// The splits of these positions.
    pub fn splits(&self) -> Range<usize> {
        let seen = self.seen();
        seen.start / SPLIT..seen.end.div_ceil(SPLIT)
    }

    /// Positions of one of the splits that some token sees.
    pub fn seen_of(&self, split: usize) -> Range<usize> {
        let seen = self.seen();
        seen.start.max(split * SPLIT)..seen.end.min((split + 1) * SPLIT)
    }
}

impl Query<'_> {
    pub fn num_rows(&self) -> usize {
        self.num_kv_heads * self.rows_per_kv_head()
    }

    pub(super) fn rows_per_kv_head(&self) -> usize {
        self.reach.num_tokens * self.num_heads
    }

    /// A row's token, and where its query head stands among those of the token.
    pub fn place(&self, row: usize) -> (usize, usize) {
        let (kv_head, row) = (row / self.rows_per_kv_head(), row % self.rows_per_kv_head());
        let head = row % self.num_heads * self.head_dim;
        (row / self.num_heads, kv_head * self.kv_head_stride + head)
    }

    pub(super) fn row(&self, row: usize) -> &[f32] {
        let (token, head) = self.place(row);
        &self.q[token * self.token_stride + head..][..self.head_dim]
    }

    /// Those of `positions` that a KV head's row sees, counted from the first of them.
    pub(super) fn visible_in(&self, row: usize, positions: &Range<usize>) -> Range<usize> {
        let visible = self.reach.visible(row / self.num_heads);
        let inside = |at: usize| at.clamp(positions.start, positions.end) - positions.start;
        inside(visible.start)..inside(visible.end)
    }

    /// What queries are multiplied with, so that scores become logarithms to base 2, or the
    /// exponents that [`Self::score_cap`] goes on with: `tanh(x) = 1 - 2 / (1 + e^2x)`.
    pub(super) fn score_factor(&self) -> f32 {
        match self.softcap {
            Some(cap) => self.scale * (2.0 * LOG2_E / cap),
            None => self.scale * LOG2_E,
        }
    }

    /// The bound that scores approach.
    pub(super) fn score_cap(&self) -> Option<f32> {
        self.softcap.map(|cap| cap * LOG2_E)
    }
}

impl<'a, T: KvElement> Pages<'a, T> {
    fn as_bf16(&self) -> Option<Pages<'a, bf16>> {
        let cache = T::as_bf16(self.cache)?;
        Some(Pages {
            cache,
            block_table: self.block_table,
            layout: self.layout,
            first_head: self.first_head,
        })
    }

    pub(super) fn keys(&self, block: usize, head: usize) -> &[T] {
        let start = (self.layout).keys(self.block_table[block], self.first_head + head);
        &self.cache[start..start + self.layout.key_len()]
    }

    pub(super) fn values(&self, block: usize, head: usize) -> &[T] {
        let start = (self.layout).values(self.block_table[block], self.first_head + head);
        &self.cache[start..start + self.layout.value_len()]
    }
}

impl<'a> Partial<'a> {
    /// Length of the buffer for `rows` of `padded` dimensions, in whole vectors.
    pub fn len(rows: usize, padded: usize) -> usize {
        rows * (padded + 16) + rows.next_multiple_of(16)
    }

    pub fn new(buffer: &'a mut [f32], query: &Query<'_>) -> Self {
        let rows = query.num_rows();
        let padded = PagedLayout::padded_head_dim(query.head_dim);
        let (out, rest) = buffer.split_at_mut(rows * padded);
        let (sums, max) = rest.split_at_mut(rows * 16);
        Self {
            max: &mut max[..rows],
            sums: sums.as_chunks_mut().0,
            out,
            padded,
        }
    }

    pub fn out(&self, row: usize) -> &[f32] {
        &self.out[row * self.padded..][..self.padded]
    }

    fn clear(&mut self) {
        // The least number stands for "nothing yet": unlike an infinity, it can be
        // subtracted.
        self.max.fill(f32::MIN);
        self.sums.fill([0.0; 16]);
        self.out.fill(0.0);
    }
}

/// The attention of the query's rows to `splits`.
pub fn attend<T: KvElement>(
    set: KernelSet,
    query: &Query<'_>,
    pages: &Pages<'_, T>,
    splits: Range<usize>,
    scratch: &mut Scratch,
    total: &mut Partial<'_>,
) {
    let split = &mut scratch.split;
    #[cfg(target_arch = "x86_64")]
    if set == KernelSet::Avx512Bf16
        && let Some(pages) = pages.as_bf16()
    {
        let scratch = &mut scratch.avx512;
        // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
        unsafe { attention_avx512::prepare(query, scratch) };
        walk(
            set,
            query,
            splits,
            split,
            total,
            |head, positions, partial| {
                // SAFETY: as above.
                unsafe {
                    attention_avx512::attend(query, &pages, head, positions, scratch, partial)
                }
            },
        );
        return;
    }
    let scratch = &mut scratch.portable;
    attention_portable::prepare(query, scratch);
    walk(
        set,
        query,
        splits,
        split,
        total,
        |head, positions, partial| {
            attention_portable::attend(set, query, pages, head, positions, scratch, partial);
        },
    );
}

/// Lets `attend` compute each split, and adds them up.
fn walk(
    set: KernelSet,
    query: &Query<'_>,
    splits: Range<usize>,
    buffer: &mut AlignedBuffer,
    total: &mut Partial<'_>,
    mut attend: impl FnMut(usize, Range<usize>, &mut Partial<'_>),
) {
    let mut attend = |split: usize, partial: &mut Partial<'_>| {
        partial.clear();
        let seen = query.reach.seen_of(split);
        for unit in (seen.start / UNIT * UNIT..seen.end).step_by(UNIT) {
            let positions = seen.start.max(unit)..seen.end.min(unit + UNIT);
            // Heads of a block are neighbours in memory: reading them one after another
            // lets the processor fetch ahead.
            for head in 0..query.num_kv_heads {
                attend(head, positions.clone(), partial);
            }
        }
    };
    attend(splits.start, total);
    for split in splits.skip(1) {
        buffer.resize::<f32>(Partial::len(query.num_rows(), total.padded));
        let mut later = Partial::new(buffer.as_mut_slice(), query);
        attend(split, &mut later);
        add(set, total, &later);
    }
}

#[inline(always)]
fn add_body<const FMA: bool>(total: &mut Partial<'_>, later: &Partial<'_>) {
    for row in 0..total.max.len() {
        let (mine, theirs) = (sum16(total.sums[row]), sum16(later.sums[row]));
        // Rows whose window has not begun, or begins only now, take no part.
        if theirs == 0.0 {
            continue;
        }
        let (out, later_out) = (&mut total.out[row * total.padded..], later.out(row));
        let out = &mut out[..later_out.len()];
        if mine == 0.0 {
            (total.max[row], total.sums[row]) = (later.max[row], later.sums[row]);
            out.copy_from_slice(later_out);
            continue;
        }
        let max = if later.max[row] > total.max[row] {
            later.max[row]
        } else {
            total.max[row]
        };
        let mine = exp2::<FMA>(total.max[row] - max);
        let theirs = exp2::<FMA>(later.max[row] - max);
        total.max[row] = max;
        for (sum, later) in total.sums[row].iter_mut().zip(later.sums[row]) {
            *sum = fma::<FMA>(*sum, mine, later * theirs);
        }
        for (out, later) in out.iter_mut().zip(later_out) {
            *out = fma::<FMA>(*out, mine, later * theirs);
        }
    }
}

versions!(
    /// Adds what rows have seen of a later split.
    pub fn add(total: &mut Partial<'_>, later: &Partial<'_>) = add_body
);

#[inline(always)]
fn divide_body<const FMA: bool>(total: &mut Partial<'_>, row: usize, sink: Option<f32>) {
    let sink = match sink {
        Some(sink) => exp2::<FMA>(sink * LOG2_E - total.max[row]),
        None => 0.0,
    };
    let sum = sum16(total.sums[row]) + sink;
    for x in &mut total.out[row * total.padded..][..total.padded] {
        *x /= sum;
    }
}

versions!(
    /// Divides a row by its sum, to which the score `sink` is added, with no value to it.
    pub fn divide(total: &mut Partial<'_>, row: usize, sink: Option<f32>) = divide_body
);
