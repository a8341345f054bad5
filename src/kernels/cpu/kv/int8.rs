use super::{BLOCK, KvElement, widen_key_pairs, widen_value_pairs, write_pairs};
use crate::kernels::KvType;
use crate::kernels::cpu::math;

const STEPS: f32 = 127.0;
/// Bytes of the scales of a block's keys, or of its values.
pub const SCALE_BYTES: usize = BLOCK * size_of::<f32>();

/// A whole number in two's complement; elements stand as those of bf16, and after them the scales
/// of the slots, f32.
///
/// The largest magnitude of a key or a value is 127 steps. One with an infinity or a NaN has a
/// NaN for its scale, and is no number as a whole.
impl KvElement for u8 {
    const TYPE: KvType = KvType::Int8;
    const ZERO: Self = 0;

    #[inline(always)]
    fn round(row: &[f32], rounded: &mut [Self]) -> f32 {
        let mut largest = 0u32;
        for x in row {
            // Magnitudes order as their bits, and what is no number comes last.
            largest = largest.max(x.abs().to_bits());
        }
        if largest >= f32::INFINITY.to_bits() {
            rounded[..row.len()].fill(0);
            return f32::NAN;
        }
        let scale = f32::from_bits(largest) / STEPS;
        // The reciprocal of less would be infinite.
        let is_tiny = scale < f32::MIN_POSITIVE;
        let steps = if is_tiny { 0.0 } else { 1.0 / scale };
        for (rounded, x) in rounded.iter_mut().zip(row) {
            *rounded = (math::round_to_i32(x * steps) as i8).cast_unsigned();
        }
        scale
    }

    #[inline(always)]
    unsafe fn write(
        keys: *mut u8,
        values: *mut u8,
        slot: usize,
        key: &[u8],
        value: &[u8],
        scales: [f32; 2],
    ) {
        // SAFETY: the caller's promise; scales follow the elements, one a slot.
        unsafe {
            write_pairs(keys, values, slot, key, value);
            for (start, len, scale) in [
                (keys, key.len(), scales[0]),
                (values, value.len(), scales[1]),
            ] {
                let scales = start.add(len * BLOCK).cast::<[u8; 4]>();
                scales.add(slot).write(scale.to_le_bytes());
            }
        }
    }

    #[inline(always)]
    fn widen_keys(keys: &[u8], wide: &mut [[f32; BLOCK]]) {
        let scales = scales(keys);
        widen_key_pairs(keys, wide, |x, slot| {
            f32::from(x.cast_signed()) * scales[slot]
        });
    }

    #[inline(always)]
    fn widen_values(values: &[u8], padded: usize, wide: &mut [f32]) {
        let scales = scales(values);
        widen_value_pairs(values, padded, wide, |x, slot| {
            f32::from(x.cast_signed()) * scales[slot]
        });
    }

    fn as_int8(cache: &[u8]) -> Option<&[u8]> {
        Some(cache)
    }
}

/// The scales at the end of a block's keys or values.
#[inline(always)]
pub fn scales(block: &[u8]) -> [f32; BLOCK] {
    let mut scales = [f32::NAN; BLOCK];
    let (bytes, _) = block[block.len() - SCALE_BYTES..].as_chunks();
    for (scale, bytes) in scales.iter_mut().zip(bytes) {
        *scale = f32::from_le_bytes(*bytes);
    }
    scales
}
