use std::ops::RangeInclusive;

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    pub fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        let (start, end) = range.into_inner();
        start + (self.next() % (end - start + 1) as u64) as usize
    }

    /// True once in `count` times.
    pub fn once_in(&mut self, count: u64) -> bool {
        self.next().is_multiple_of(count)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.within(0..=from.len() - 1)]
    }
}

/// Scatters the bits of a number.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
