//! The keys and values of a unit, wherever they come from.

use super::vector::{Pairs, prefetch, store_pairs};
use super::{SCORE_ROWS, UNIT_BLOCKS};
use crate::kernels::cpu::AlignedBuffer;
use crate::kernels::cpu::attention::{BLOCK, Pages, Query};
use crate::kernels::cpu::kv::{KvElement, int8};
use half::bf16;
use std::arch::x86_64::*;
use std::ops::Range;

/// One head's keys and values of some positions, block by block.
#[derive(Default)]
pub struct Unit<'a> {
    pub blocks: [Block<'a>; UNIT_BLOCKS],
}

#[derive(Clone, Copy, Default)]
pub struct Block<'a> {
    pub keys: &'a [bf16],
    pub values: &'a [bf16],
    /// The keys and values to ask memory for meanwhile.
    pub next: Option<(&'a [bf16], &'a [bf16])>,
}

/// Room for a unit that was widened.
#[derive(Default)]
pub struct Wide(AlignedBuffer);

impl<'a> Unit<'a> {
    /// As they stand in the cache.
    pub fn of_bf16(
        query: &Query<'_>,
        pages: &Pages<'a, bf16>,
        head: usize,
        positions: &Range<usize>,
    ) -> Self {
        let mut unit = Self::default();
        for block in blocks(positions) {
            unit.blocks[block % UNIT_BLOCKS] = Block {
                keys: pages.keys(block, head),
                values: pages.values(block, head),
                next: next_block(query, pages, head, block),
            };
        }
        unit
    }

    /// Widened into `wide`, once for all rows.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub fn of_int8(
        query: &Query<'_>,
        pages: &Pages<'_, u8>,
        head: usize,
        positions: &Range<usize>,
        wide: &'a mut Wide,
    ) -> Self {
        let (key_len, value_len) = (pages.layout.key_len(), pages.layout.value_len());
        let len = key_len + value_len;
        let wide = wide.0.resized::<bf16>(UNIT_BLOCKS * len);
        for (block, wide) in blocks(positions).zip(wide.chunks_exact_mut(len)) {
            let (keys, values) = wide.split_at_mut(key_len);
            let (next_keys, next_values) = next_block(query, pages, head, block).unzip();
            widen_keys(pages.keys(block, head), next_keys, keys);
            widen_values(pages.values(block, head), next_values, values);
        }
        let mut unit = Self::default();
        for (block, wide) in blocks(positions).zip(wide.chunks_exact(len)) {
            let (keys, values) = wide.split_at(key_len);
            unit.blocks[block % UNIT_BLOCKS] = Block {
                keys: &keys[..key_len - int8::SCALE_BYTES],
                values: &values[..value_len - int8::SCALE_BYTES],
                next: None,
            };
        }
        unit
    }
}

fn blocks(positions: &Range<usize>) -> Range<usize> {
    positions.start / BLOCK..positions.end.div_ceil(BLOCK)
}

/// The keys and values that will be read after those of a block, the next head's or the
/// next unit's. Few rows are bound by memory, and blocks lie scattered over pages, where the
/// processor does not fetch ahead by itself; many rows are bound by products.
fn next_block<'a, T: KvElement>(
    query: &Query<'_>,
    pages: &Pages<'a, T>,
    head: usize,
    block: usize,
) -> Option<(&'a [T], &'a [T])> {
    let (block, head) = if head + 1 < query.num_kv_heads {
        (block, head + 1)
    } else {
        (block + UNIT_BLOCKS, 0)
    };
    let is_seen = block * BLOCK < query.reach.seen().end;
    (is_seen && query.rows_per_kv_head() <= 2 * SCORE_ROWS)
        .then(|| (pages.keys(block, head), pages.values(block, head)))
}

/// Keys `[dim / 2][slot][2]`: each vector holds 16 slots.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn widen_keys(keys: &[u8], next: Option<&[u8]>, wide: &mut [bf16]) {
    let scales = int8::scales(keys);
    let (scales, _) = scales.as_chunks::<8>().0.as_chunks::<2>();
    // Each slot's scale, once for each of its two dimensions.
    let twice = |scales: &[f32; 8]| {
        let mut pairs = [0.0; 16];
        for (pair, scale) in pairs.as_chunks_mut::<2>().0.iter_mut().zip(scales) {
            *pair = [*scale; 2];
        }
        super::vector::load(&pairs)
    };
    let mut halves = [[_mm512_setzero_ps(); 2]; 2];
    for (half, scales) in halves.iter_mut().zip(scales) {
        *half = [twice(&scales[0]), twice(&scales[1])];
    }
    widen_all(keys, &halves, next, wide);
}

/// Values `[padded / 16][slot / 2][16][2]`: each vector holds two slots.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn widen_values(values: &[u8], next: Option<&[u8]>, wide: &mut [bf16]) {
    let scales = int8::scales(values);
    let mut slots = [[_mm512_setzero_ps(); 2]; BLOCK / 2];
    for (slots, pair) in slots.iter_mut().zip(scales.as_chunks::<2>().0) {
        // SAFETY: plain numbers of the same size.
        let pair: f64 = unsafe { std::mem::transmute(*pair) };
        *slots = [_mm512_castpd_ps(_mm512_set1_pd(pair)); 2];
    }
    widen_all(values, &slots, next, wide);
}

/// Widens a block's keys or values, whose vectors take the `scales` in turn; meanwhile asks for
/// the `next` ones.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn widen_all(codes: &[u8], scales: &[[__m512; 2]], next: Option<&[u8]>, wide: &mut [bf16]) {
    let (codes, _) = codes[..codes.len() - int8::SCALE_BYTES].as_chunks::<32>();
    let (wide, _) = wide.as_chunks_mut::<32>();
    let scales = scales.iter().cycle();
    for (i, ((codes, wide), scales)) in codes.iter().zip(wide).zip(scales).enumerate() {
        if let Some(next) = next
            && i % 2 == 0
        {
            prefetch(next, i / 2);
        }
        *wide = widen(codes, *scales);
    }
    prefetch_scales(next);
}

/// The scales of the block that follows, which it will want first.
#[target_feature(enable = "avx512f")]
#[inline]
fn prefetch_scales(next: Option<&[u8]>) {
    if let Some(next) = next {
        let first = next.len().wrapping_sub(int8::SCALE_BYTES) / 64;
        prefetch(next, first);
        prefetch(next, first.wrapping_add(1));
    }
}

/// 32 whole numbers times their scales.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn widen(codes: &[u8; 32], scales: [__m512; 2]) -> Pairs {
    // SAFETY: plain numbers of the same size.
    let [low, high]: [__m128i; 2] = unsafe { std::mem::transmute(*codes) };
    let low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(low));
    let high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(high));
    let pairs = store_pairs(_mm512_cvtne2ps_pbh(
        _mm512_mul_ps(high, scales[1]),
        _mm512_mul_ps(low, scales[0]),
    ));
    // SAFETY: as above.
    unsafe { std::mem::transmute(pairs) }
}
