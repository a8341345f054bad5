//! MXFP4 as GGML stores it: 32 numbers of four bits under one power of two
//! (OCP Microscaling Formats, version 1.0).

/// Numbers in a block.
pub(super) const BLOCK_SIZE: usize = 32;
/// One byte of scale, then two numbers a byte: the low nibbles are the first half.
pub(super) const BLOCK_BYTES: usize = 1 + BLOCK_SIZE / 2;

/// The numbers of E2M1, by their four bits.
const E2M1: [f32; 16] = [
    0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0,
];

/// All numbers of whole blocks, each exact. A scale that stands for no number makes them NaN.
pub(super) fn dequantize(blocks: &[u8]) -> Vec<f32> {
    let mut values = Vec::with_capacity(blocks.len() / BLOCK_BYTES * BLOCK_SIZE);
    for block in blocks.chunks_exact(BLOCK_BYTES) {
        let (scale, nibbles) = (power_of_two(block[0]), &block[1..]);
        let value = |nibble: u8| E2M1[usize::from(nibble)] * scale;
        values.extend(nibbles.iter().map(|byte| value(byte & 0xf)));
        values.extend(nibbles.iter().map(|byte| value(byte >> 4)));
    }
    values
}

/// E8M0: 2 to the power of `exponent - 127`, and NaN for 255.
fn power_of_two(exponent: u8) -> f32 {
    match exponent {
        // Below the smallest normal number.
        0 => f32::from_bits(1 << 22),
        255 => f32::NAN,
        exponent => f32::from_bits(u32::from(exponent) << 23),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_nibbles_are_the_first_half_of_a_block() {
        let mut block = [0; BLOCK_BYTES];
        block[0] = 128;
        block[1] = 0x72;
        block[16] = 0x9f;
        let values = dequantize(&block);
        assert_eq!(values.len(), BLOCK_SIZE);
        assert_eq!([values[0], values[16]], [2.0, 12.0]);
        assert_eq!([values[15], values[31]], [-12.0, -1.0]);
    }

    #[test]
    fn scales_reach_from_the_smallest_power_to_no_number() {
        let first = |exponent: u8| {
            let mut block = [0x22; BLOCK_BYTES];
            block[0] = exponent;
            dequantize(&block)[0]
        };
        assert_eq!(first(0), 2.0_f32.powi(-127));
        assert_eq!(first(1), 2.0_f32.powi(-126));
        assert_eq!(first(254), 2.0_f32.powi(127));
        assert!(first(255).is_nan());
    }
}
