//! What the proofs compute of what they measured.

/// The nearest-rank percentile: of 30 values the 99th is the largest. NaN of none, which no
/// bound holds for.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The slope of the straight line through (x, y) that leaves the least squares.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let of = |pick: fn(&(f64, f64)) -> f64| mean(&points.iter().map(pick).collect::<Vec<_>>());
    let (mean_x, mean_y) = (of(|p| p.0), of(|p| p.1));
    let covariance: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    covariance / variance
}

/// The largest value less the smallest.
pub fn spread(values: &[f64]) -> f64 {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    max - min
}

/// A small generator (SplitMix64), so that every run of a proof asks the same.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to and without `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn within(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// From 0 up to and without 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Seconds to the next of arrivals that come independently of each other, `rate` a second.
    pub fn interval(&mut self, rate: f64) -> f64 {
        -(1.0 - self.unit()).ln() / rate
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[test]
fn percentiles_are_values_that_were_measured() {
    let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
    assert_eq!(percentile(&values, 50.0), 100.0);
    assert_eq!(percentile(&values, 99.0), 198.0);
    assert_eq!(percentile(&values[..30], 99.0), 200.0);
    assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(percentile(&[7.0], 1.0), 7.0);
    assert!(percentile(&[], 99.0).is_nan());
}

#[test]
fn the_slope_is_that_of_the_line_that_noise_was_added_to() {
    let mut random = Random::new(1);
    let line = |x: u32| f64::from(x).mul_add(0.25, 300.0);
    let points: Vec<_> = (0..1000)
        .map(|x| (f64::from(x), line(x) + random.unit() - 0.5))
        .collect();
    assert!((slope(&points) - 0.25).abs() < 1e-3);
    assert_eq!(slope(&[(0.0, 5.0), (1.0, 5.0), (2.0, 5.0)]), 0.0);
    assert_eq!(spread(&[4.0, 1.5, 3.0]), 2.5);
}

#[test]
fn arrivals_come_at_their_rate_and_are_spread_as_independent_ones_are() {
    let mut random = Random::new(2);
    let intervals: Vec<f64> = (0..50_000).map(|_| random.interval(40.0)).collect();
    assert!((mean(&intervals) * 40.0 - 1.0).abs() < 0.02);
    // Of independent arrivals the median interval is ln 2 of the mean.
    assert!((median(&intervals) * 40.0 - std::f64::consts::LN_2).abs() < 0.02);
}

#[test]
fn equal_seeds_draw_equal_numbers() {
    let draw = |seed| {
        let mut random = Random::new(seed);
        (0..100).map(|_| random.within(3, 9)).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert!((3..=9).all(|value| draw(1).contains(&value)));
    assert!(draw(1).iter().all(|value| (3..=9).contains(value)));
}
