//! The temperature, the cuts and the draw.

use super::{Row, SamplingParams};
use crate::kernels::Kernels;

/// The work space of a draw.
#[derive(Default)]
pub struct Draw {
    /// Probabilities times a constant that makes the largest 1.
    weights: Vec<f32>,
    /// Ids that top-k and top-p may keep.
    candidates: Vec<u32>,
}

impl Draw {
    /// An id by the number `u` in [0, 1). None if no token has any weight.
    pub fn draw(
        &mut self,
        kernels: &Kernels,
        row: &Row<'_>,
        params: &SamplingParams,
        u: f64,
    ) -> Option<usize> {
        self.weights.resize(row.logits.len(), 0.0);
        let total =
            kernels.softmax_weights(row.logits, row.max, params.temperature, &mut self.weights);
        let top_k = params.top_k.filter(|k| *k < self.weights.len());
        if top_k.is_some() || params.top_p < 1.0 {
            self.draw_from_head(total, top_k, params, u)
        } else if params.min_p > 0.0 {
            let min_weight = least_weight(params);
            let kept = |weight: &f32| *weight >= min_weight;
            let total: f64 = self
                .weights
                .iter()
                .filter(|w| kept(w))
                .map(|w| f64::from(*w))
                .sum();
            // What is dropped keeps its place, with no weight.
            let weights = self.weights.iter().map(|w| if kept(w) { *w } else { 0.0 });
            pick(weights, u * total)
        } else {
            pick(self.weights.iter().copied(), u * total)
        }
    }

    /// A draw from the most probable tokens, in whose order top-k, top-p and min-p cut.
    fn draw_from_head(
        &mut self,
        total: f64,
        top_k: Option<usize>,
        params: &SamplingParams,
        u: f64,
    ) -> Option<usize> {
        let top_p = f64::from(params.top_p);
        let min_weight = least_weight(params);
        match top_k {
            // What min-p drops counts among the k, of which top-p takes its share.
            Some(k) => self.collect(0.0, |count, _| count >= k),
            None => self.collect(min_weight, |_, sum| sum >= total * top_p),
        }
        let weights = &self.weights;
        let weight = |id: &u32| weights[*id as usize];
        self.candidates
            .sort_unstable_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
        self.candidates.truncate(top_k.unwrap_or(usize::MAX));
        let total = match top_k {
            Some(_) => self.candidates.iter().map(|id| f64::from(weight(id))).sum(),
            None => total,
        };
        let mut kept = 0.0;
        let mut num_kept = 0;
        for id in &self.candidates {
            // In this order what follows is no more probable, so that the cut of min-p may
            // come before the end of that of top-p.
            if kept >= total * top_p || weight(id) < min_weight {
                break;
            }
            kept += f64::from(weight(id));
            num_kept += 1;
        }
        let kept_weights = self.candidates[..num_kept].iter().map(weight);
        Some(self.candidates[pick(kept_weights, u * kept)?] as usize)
    }

    /// Collects the ids of weights above a bound that falls until `enough` is told of enough
    /// (their count and their sum), so that no whole vocabulary is sorted where a few
    /// hundred ids carry the distribution. Weights below `least` are never among them.
    fn collect(&mut self, least: f32, enough: impl Fn(usize, f64) -> bool) {
        let mut bound = 1.0 / 16.0;
        loop {
            self.candidates.clear();
            let mut sum = 0.0;
            for (id, weight) in self.weights.iter().enumerate() {
                if *weight > bound && *weight >= least {
                    self.candidates.push(id as u32);
                    sum += f64::from(*weight);
                }
            }
            if enough(self.candidates.len(), sum) || bound < least || bound == 0.0 {
                return;
            }
            bound = if bound > 1e-30 { bound / 64.0 } else { 0.0 };
        }
    }
}

/// Below it min-p drops a token. The largest weight is 1 and always stays.
fn least_weight(params: &SamplingParams) -> f32 {
    params.min_p.min(1.0)
}

/// The index whose share of the running sum holds `target`; the last with any weight where
/// rounding leaves none.
fn pick(weights: impl Iterator<Item = f32>, target: f64) -> Option<usize> {
    let mut sum = 0.0;
    let mut last = None;
    for (index, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
        sum += f64::from(weight);
        last = Some(index);
        if target < sum {
            break;
        }
    }
    last
}
