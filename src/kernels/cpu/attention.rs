//! Causal attention over paged keys and values.
//!
//! A query row walks the positions that it sees from the first to its own, with a running
//! maximum and sum (online softmax; Milakov and Gimelshein 2018, Dao et al. 2022). The walk
//! is cut at absolute positions into splits of [`SPLIT`]; each starts from nothing, and they
//! are added up in order. What is computed for a row therefore depends on its position
//! alone, whether it is computed in a prefill, a chunk or a step of its own, and whether one
//! thread walks its splits or many.
//!
//! [`super::attention_avx512`] computes it over bf16 and whole numbers,
//! [`super::attention_portable`] everything else.

mod partial;
mod query;

pub use partial::{Partial, add, divide};
pub use query::{Pages, Query, Reach};

#[cfg(target_arch = "x86_64")]
use super::attention_avx512::{self, Unit};
use super::kv::KvElement;
use super::{AlignedBuffer, KernelSet, attention_portable};
use crate::kernels::KV_BLOCK_SIZE;
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

/// One thread's work space.
#[derive(Default)]
pub struct Scratch {
    #[cfg(target_arch = "x86_64")]
    avx512: attention_avx512::Scratch,
    #[cfg(target_arch = "x86_64")]
    wide: attention_avx512::Wide,
    portable: attention_portable::Scratch,
    split: AlignedBuffer,
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
    if set == KernelSet::Avx512Bf16 {
        let (avx512, wide) = (&mut scratch.avx512, &mut scratch.wide);
        // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
        unsafe { attention_avx512::prepare(query, avx512) };
        if let Some(pages) = pages.as_bf16() {
            let attend = |head, positions: Range<usize>, partial: &mut Partial<'_>| {
                let unit = Unit::of_bf16(query, &pages, head, &positions);
                // SAFETY: as above.
                unsafe { attention_avx512::attend(query, &unit, head, positions, avx512, partial) }
            };
            return walk(set, query, splits, split, total, attend);
        }
        if let Some(pages) = pages.as_int8() {
            let attend = |head, positions: Range<usize>, partial: &mut Partial<'_>| {
                // SAFETY: as above.
                unsafe {
                    let unit = Unit::of_int8(query, &pages, head, &positions, wide);
                    attention_avx512::attend(query, &unit, head, positions, avx512, partial);
                }
            };
            return walk(set, query, splits, split, total, attend);
        }
    }
    let scratch = &mut scratch.portable;
    attention_portable::prepare(query, scratch);
    let attend = |head, positions: Range<usize>, partial: &mut Partial<'_>| {
        attention_portable::attend(set, query, pages, head, positions, scratch, partial);
    };
    walk(set, query, splits, split, total, attend);
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
