//! How keys and values stand inside a block: what one product adds up stands together.

pub mod int8;

use super::math::{from_bf16_bits, to_bf16_bits};
use super::versions::versions;
use crate::kernels::{KV_BLOCK_SIZE, KvType};
use half::bf16;

const BLOCK: usize = KV_BLOCK_SIZE;
/// Dimensions of the values in a column.
const COLUMN: usize = 16;

/// What a KV cache may hold. A block has a head's keys, padded to an even number of
/// dimensions, and its values, padded to [`COLUMN`]; after each, the scales of its slots where
/// the type has scales.
pub trait KvElement: Copy + Send + Sync {
    const TYPE: KvType;
    const ZERO: Self;
    /// Rounds a key or a value, and says which scale it has.
    fn round(row: &[f32], rounded: &mut [Self]) -> f32;
    /// Writes a key and a value, padded to the widths above, and their scales into a slot of a
    /// block.
    ///
    /// # Safety
    /// `keys` and `values` point at all of a block's, and no other thread uses the slot.
    unsafe fn write(
        keys: *mut Self,
        values: *mut Self,
        slot: usize,
        key: &[Self],
        value: &[Self],
        scales: [f32; 2],
    );
    /// A block's keys as f32, `[dim][slot]`.
    fn widen_keys(keys: &[Self], wide: &mut [[f32; BLOCK]]);
    /// A block's values as f32, `[slot][padded]`.
    fn widen_values(values: &[Self], padded: usize, wide: &mut [f32]);
    /// The cache, if it holds bf16.
    fn as_bf16(_cache: &[Self]) -> Option<&[bf16]> {
        None
    }
    /// The cache, if it holds whole numbers.
    fn as_int8(_cache: &[Self]) -> Option<&[u8]> {
        None
    }
}

/// Keys `[dim][slot]`, values `[slot][padded]`.
impl KvElement for f32 {
    const TYPE: KvType = KvType::F32;
    const ZERO: Self = 0.0;

    #[inline(always)]
    fn round(row: &[f32], rounded: &mut [Self]) -> f32 {
        rounded[..row.len()].copy_from_slice(row);
        1.0
    }

    #[inline(always)]
    unsafe fn write(
        keys: *mut f32,
        values: *mut f32,
        slot: usize,
        key: &[f32],
        value: &[f32],
        _: [f32; 2],
    ) {
        // SAFETY: inside a block by the caller's promise.
        unsafe {
            for (dim, x) in key.iter().enumerate() {
                keys.add(dim * BLOCK + slot).write(*x);
            }
            let to = values.add(slot * value.len());
            to.copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
    }

    #[inline(always)]
    fn widen_keys(keys: &[f32], wide: &mut [[f32; BLOCK]]) {
        for (wide, keys) in wide.iter_mut().zip(keys.as_chunks().0) {
            *wide = *keys;
        }
    }

    #[inline(always)]
    fn widen_values(values: &[f32], padded: usize, wide: &mut [f32]) {
        wide[..BLOCK * padded].copy_from_slice(&values[..BLOCK * padded]);
    }
}

/// What `vdpbf16ps` multiplies: see [`write_pairs`].
impl KvElement for bf16 {
    const TYPE: KvType = KvType::Bf16;
    const ZERO: Self = bf16::ZERO;

    #[inline(always)]
    fn round(row: &[f32], rounded: &mut [Self]) -> f32 {
        for (rounded, x) in rounded.iter_mut().zip(row) {
            *rounded = bf16::from_bits(to_bf16_bits(*x));
        }
        1.0
    }

    #[inline(always)]
    unsafe fn write(
        keys: *mut bf16,
        values: *mut bf16,
        slot: usize,
        key: &[bf16],
        value: &[bf16],
        _: [f32; 2],
    ) {
        // SAFETY: the caller's promise.
        unsafe { write_pairs(keys, values, slot, key, value) };
    }

    #[inline(always)]
    fn widen_keys(keys: &[bf16], wide: &mut [[f32; BLOCK]]) {
        widen_key_pairs(keys, wide, |x, _| from_bf16_bits(x.to_bits()));
    }

    #[inline(always)]
    fn widen_values(values: &[bf16], padded: usize, wide: &mut [f32]) {
        widen_value_pairs(values, padded, wide, |x, _| from_bf16_bits(x.to_bits()));
    }

    fn as_bf16(cache: &[bf16]) -> Option<&[bf16]> {
        Some(cache)
    }
}

/// Writes into keys `[dim / 2][slot]` of pairs of dimensions, and values
/// `[padded / 16][slot / 2][16]` of pairs of slots.
///
/// # Safety
/// As [`KvElement::write`].
#[inline(always)]
unsafe fn write_pairs<T: Copy>(keys: *mut T, values: *mut T, slot: usize, key: &[T], value: &[T]) {
    // SAFETY: inside a block by the caller's promise. Two slots share a pair of a value,
    // but neither half of it.
    unsafe {
        let keys = keys.add(slot * 2);
        for (i, pair) in key.as_chunks::<2>().0.iter().enumerate() {
            keys.add(i * BLOCK * 2).cast::<[T; 2]>().write(*pair);
        }
        let values = values.add(slot / 2 * COLUMN * 2 + slot % 2);
        for (i, column) in value.as_chunks::<COLUMN>().0.iter().enumerate() {
            let values = values.add(i * BLOCK * COLUMN);
            for (dim, x) in column.iter().enumerate() {
                values.add(dim * 2).write(*x);
            }
        }
    }
}

/// Reads keys that [`write_pairs`] wrote, each element with its slot.
#[inline(always)]
fn widen_key_pairs<T: Copy>(
    keys: &[T],
    wide: &mut [[f32; BLOCK]],
    widen: impl Fn(T, usize) -> f32,
) {
    let keys = keys.as_chunks::<2>().0.as_chunks::<BLOCK>().0;
    for (wide, keys) in wide.chunks_mut(2).zip(keys) {
        for (dim, wide) in wide.iter_mut().enumerate() {
            for (slot, (wide, pair)) in wide.iter_mut().zip(keys).enumerate() {
                *wide = widen(pair[dim], slot);
            }
        }
    }
}

/// Reads values that [`write_pairs`] wrote, each element with its slot.
#[inline(always)]
fn widen_value_pairs<T: Copy>(
    values: &[T],
    padded: usize,
    wide: &mut [f32],
    widen: impl Fn(T, usize) -> f32,
) {
    let values = values[..BLOCK * padded].as_chunks::<2>().0;
    let values = values.as_chunks::<COLUMN>().0;
    for (column, values) in values.chunks_exact(BLOCK / 2).enumerate() {
        let slots = wide.chunks_exact_mut(2 * padded).zip(values);
        for (pair, (slots, values)) in slots.enumerate() {
            let (even, odd) = slots.split_at_mut(padded);
            let dims = even[column * COLUMN..].iter_mut();
            for ((even, odd), value) in dims.zip(&mut odd[column * COLUMN..]).zip(values) {
                *even = widen(value[0], 2 * pair);
                *odd = widen(value[1], 2 * pair + 1);
            }
        }
    }
}

#[inline(always)]
fn round_body<const FMA: bool, T: KvElement>(row: &[f32], rounded: &mut [T]) -> f32 {
    T::round(row, rounded)
}

versions!(
    /// Rounds a row to the type of the cache, and says which scale it has.
    pub fn round<T: KvElement>(row: &[f32], rounded: &mut [T]) -> f32 = round_body
);
