use half::{bf16, f16};

/// Rows of a checkpoint tensor, little-endian, as they lie in its file.
#[derive(Debug, Clone, Copy)]
pub enum RowSource<'a> {
    F32(&'a [u8]),
    F16(&'a [u8]),
    Bf16(&'a [u8]),
    /// Numbers made of a seed, in place of a tensor of so many elements.
    Random {
        seed: u32,
        len: usize,
    },
    Ones {
        len: usize,
    },
}

impl RowSource<'_> {
    pub fn num_elements(&self) -> usize {
        match self {
            Self::F32(bytes) => bytes.len() / 4,
            Self::F16(bytes) | Self::Bf16(bytes) => bytes.len() / 2,
            Self::Random { len, .. } | Self::Ones { len } => *len,
        }
    }

    /// Elements from `start` on, which for each type are exact in f32.
    pub fn read(&self, start: usize, out: &mut [f32]) {
        match self {
            Self::F32(bytes) => {
                let (values, _) = bytes[4 * start..].as_chunks::<4>();
                for (out, value) in out.iter_mut().zip(values) {
                    *out = f32::from_le_bytes(*value);
                }
            }
            Self::F16(bytes) => {
                let (values, _) = bytes[2 * start..].as_chunks::<2>();
                for (out, value) in out.iter_mut().zip(values) {
                    *out = f16::from_le_bytes(*value).to_f32();
                }
            }
            Self::Bf16(bytes) => {
                let (values, _) = bytes[2 * start..].as_chunks::<2>();
                for (out, value) in out.iter_mut().zip(values) {
                    *out = bf16::from_le_bytes(*value).to_f32();
                }
            }
            Self::Random { seed, len } => {
                for (out, at) in out.iter_mut().zip(start..*len) {
                    *out = random_weight(*seed, at as u64);
                }
            }
            Self::Ones { .. } => out.fill(1.0),
        }
    }

    pub fn get(&self, i: usize) -> f32 {
        let mut value = [0.0];
        self.read(i, &mut value);
        value[0]
    }
}

/// Standard deviation of random weights, as models are initialised with.
const DEVIATION: f32 = 0.02;

/// The number at a place of a tensor of random weights: the sum of four random bytes, which is
/// nearly normally distributed. The same on every device (`fill_random_weights` in `cuda/weights.cu`).
fn random_weight(seed: u32, at: u64) -> f32 {
    let mut hash = seed ^ at as u32;
    hash = hash.wrapping_add(((at >> 32) as u32).wrapping_mul(0x9E37_79B9));
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x7FEB_352D);
    hash ^= hash >> 15;
    hash = hash.wrapping_mul(0x846C_A68B);
    hash ^= hash >> 16;
    let sum: u32 = hash.to_le_bytes().iter().map(|byte| u32::from(*byte)).sum();
    // The deviation of the sum of four uniform bytes is 147.8.
    (sum as f32 - 510.0) * (DEVIATION / 147.8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_weights_are_spread_as_a_models_are_and_differ_by_seed() {
        let mut values = vec![0.0; 100_000];
        RowSource::Random {
            seed: 7,
            len: 200_000,
        }
        .read(100, &mut values);
        let n = values.len() as f32;
        let mean = values.iter().sum::<f32>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n;
        assert!(mean.abs() < 3e-4, "{mean}");
        assert!((variance.sqrt() - DEVIATION).abs() < 2e-4, "{variance}");
        assert_eq!(values[5], random_weight(7, 105));
        assert_ne!(values[5], random_weight(8, 105));
        assert_ne!(random_weight(7, 1), random_weight(7, 1 + (1 << 32)));
    }
}
