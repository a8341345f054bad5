use super::{BLOCK, KvElement, widen_key_pairs, widen_value_pairs, write_pairs};
use crate::kernels::KvType;
use crate::kernels::cpu::math;
use crate::kernels::cpu::packed::largest_bits;

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
        let (scale, steps) = math::byte_steps(largest_bits(row));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::KernelSet;
    use crate::kernels::cpu::kv;

    /// A key and a value of `row` in slot 5, rounded, written and widened again.
    fn round_trip(set: KernelSet, row: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (even, padded) = (
            row.len().next_multiple_of(2),
            row.len().next_multiple_of(16),
        );
        let mut rounded = vec![0u8; padded];
        let scale = kv::round(set, row, &mut rounded);
        let mut keys = vec![255u8; even * BLOCK + SCALE_BYTES];
        let mut values = vec![255u8; padded * BLOCK + SCALE_BYTES];
        let (to_keys, to_values) = (keys.as_mut_ptr(), values.as_mut_ptr());
        // SAFETY: all of a block, which nobody else has.
        unsafe {
            u8::write(
                to_keys,
                to_values,
                5,
                &rounded[..even],
                &rounded,
                [scale; 2],
            )
        };
        let mut wide_keys = vec![[0.0; BLOCK]; row.len()];
        u8::widen_keys(&keys, &mut wide_keys);
        let mut wide_values = vec![0.0; BLOCK * padded];
        u8::widen_values(&values, padded, &mut wide_values);
        (
            wide_keys.iter().map(|slots| slots[5]).collect(),
            wide_values[5 * padded..][..row.len()].to_vec(),
        )
    }

    #[test]
    fn what_is_read_is_what_was_written_to_half_a_step() {
        let mixed: Vec<f32> = (0..27).map(|i| (i as f32 - 13.0) * 0.37).collect();
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            for row in [
                &mixed[..],
                &[0.0; 3],
                &[1e-44, -3e-40],
                &[3e38, -1.0, -3e38],
            ] {
                let (key, value) = round_trip(set, row);
                let largest = row.iter().fold(0.0f32, |a, x| a.max(x.abs()));
                // Magnitudes that have no reciprocal become zero.
                let step = (largest / 127.0).max(f32::MIN_POSITIVE * 256.0);
                assert_eq!(key, value);
                for (x, y) in row.iter().zip(&key) {
                    assert!((x - y).abs() <= step * 0.501, "{set}: {y} for {x}");
                }
            }
            for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let (key, _) = round_trip(set, &[1.0, odd, 2.0]);
                assert!(key.iter().all(|x| x.is_nan()), "{set}: {key:?}");
            }
        }
    }

    #[test]
    fn every_kernel_set_rounds_alike() {
        let row: Vec<f32> = (0..64)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.013)
            .collect();
        let expected = round_trip(KernelSet::Portable, &row);
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            assert_eq!(round_trip(set, &row), expected, "{set}");
        }
    }
}
