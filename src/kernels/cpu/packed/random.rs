/// `k` columns from `column` on of `count` rows, from row `first` on, of a matrix whose rows have
/// `row_len` numbers made of a seed.
#[derive(Debug, Clone, Copy)]
pub struct RandomRows {
    pub seed: u32,
    pub row_len: usize,
    pub column: usize,
    pub k: usize,
    pub first: usize,
    pub count: usize,
}

impl RandomRows {
    /// All rows of a matrix of `count`.
    pub fn all(seed: u32, count: usize, k: usize) -> Self {
        Self {
            seed,
            row_len: k,
            column: 0,
            k,
            first: 0,
            count,
        }
    }

    /// Elements of a row from `column` on.
    pub fn read(&self, row: usize, column: usize, out: &mut [f32]) {
        let first = (self.first + row) * self.row_len + self.column + column;
        for (out, at) in out.iter_mut().zip(first..) {
            *out = random_weight(self.seed, at as u64);
        }
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
    use crate::kernels::RowSource;

    #[test]
    fn random_weights_are_spread_as_a_models_are_and_differ_by_seed() {
        let mut values = vec![0.0; 100_000];
        RowSource::Random(RandomRows::all(7, 200, 1000)).read(100, &mut values);
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
