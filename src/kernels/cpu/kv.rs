//! How keys and values stand inside a block: what one product adds up stands together.

use super::math::{from_bf16_bits, to_bf16_bits};
use super::versions::versions;
use crate::kernels::KV_BLOCK_SIZE;
use half::bf16;

const BLOCK: usize = KV_BLOCK_SIZE;
/// Dimensions of the values in a column.
const COLUMN: usize = 16;

/// What a KV cache may hold. A block has a head's keys, padded to an even number of
/// dimensions, and its values, padded to [`COLUMN`].
pub trait KvElement: Copy + Send + Sync {
    fn store(x: f32) -> Self;
    /// Writes a key and a value, padded to the widths above, into a slot of a block.
    ///
    /// # Safety
    /// `keys` and `values` point at all of a block's, and no other thread uses the slot.
    unsafe fn write(keys: *mut Self, values: *mut Self, slot: usize, key: &[Self], value: &[Self]);
    /// A block's keys as f32, `[dim][slot]`.
    fn widen_keys(keys: &[Self], wide: &mut [[f32; BLOCK]]);
    /// A block's values as f32, `[slot][padded]`.
    fn widen_values(values: &[Self], padded: usize, wide: &mut [f32]);
    /// The cache, if it holds bf16.
    fn as_bf16(cache: &[Self]) -> Option<&[bf16]>;
}

/// Keys `[dim][slot]`, values `[slot][padded]`.
impl KvElement for f32 {
    #[inline(always)]
    fn store(x: f32) -> Self {
        x
    }

    #[inline(always)]
    unsafe fn write(keys: *mut f32, values: *mut f32, slot: usize, key: &[f32], value: &[f32]) {
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

    fn as_bf16(_: &[f32]) -> Option<&[bf16]> {
        None
    }
}

/// What `vdpbf16ps` multiplies: keys `[dim / 2][slot]` of pairs of dimensions, values
/// `[padded / 16][slot / 2][16]` of pairs of slots.
impl KvElement for bf16 {
    #[inline(always)]
    fn store(x: f32) -> Self {
        bf16::from_bits(to_bf16_bits(x))
    }

    #[inline(always)]
    unsafe fn write(keys: *mut bf16, values: *mut bf16, slot: usize, key: &[bf16], value: &[bf16]) {
        // SAFETY: inside a block by the caller's promise. Two slots share a pair of a value,
        // but neither half of it.
        unsafe {
            let keys = keys.add(slot * 2);
            for (i, pair) in key.as_chunks::<2>().0.iter().enumerate() {
                keys.add(i * BLOCK * 2).cast::<[bf16; 2]>().write(*pair);
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

    #[inline(always)]
    fn widen_keys(keys: &[bf16], wide: &mut [[f32; BLOCK]]) {
        let keys = keys.as_chunks::<2>().0.as_chunks::<BLOCK>().0;
        for (wide, keys) in wide.chunks_mut(2).zip(keys) {
            for (dim, wide) in wide.iter_mut().enumerate() {
                for (wide, pair) in wide.iter_mut().zip(keys) {
                    *wide = from_bf16_bits(pair[dim].to_bits());
                }
            }
        }
    }

    #[inline(always)]
    fn widen_values(values: &[bf16], padded: usize, wide: &mut [f32]) {
        let values = values.as_chunks::<2>().0.as_chunks::<COLUMN>().0;
        for (column, values) in values.chunks_exact(BLOCK / 2).enumerate() {
            for (slots, values) in wide.chunks_exact_mut(2 * padded).zip(values) {
                let (even, odd) = slots.split_at_mut(padded);
                let dims = even[column * COLUMN..].iter_mut();
                for ((even, odd), pair) in dims.zip(&mut odd[column * COLUMN..]).zip(values) {
                    *even = from_bf16_bits(pair[0].to_bits());
                    *odd = from_bf16_bits(pair[1].to_bits());
                }
            }
        }
    }

    fn as_bf16(cache: &[bf16]) -> Option<&[bf16]> {
        Some(cache)
    }
}

#[inline(always)]
fn store_body<const FMA: bool, T: KvElement>(row: &[f32], stored: &mut [T]) {
    for (stored, x) in stored.iter_mut().zip(row) {
        *stored = T::store(*x);
    }
}

versions!(
    /// Rounds a row to the type of the cache.
    pub fn store<T: KvElement>(row: &[f32], stored: &mut [T]) = store_body
);
