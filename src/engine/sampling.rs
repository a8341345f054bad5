use crate::engine::TokenOutput;
use crate::kernels::{Kernels, RowSummary};
use std::cell::RefCell;
use std::sync::Arc;

/// How the next token is chosen from the logits.
///
/// A draw depends on `(seed, choice, position)` alone, so that an answer does not change
/// with its batch mates.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// Added to the logits of these ids, each named once.
    pub logit_bias: Arc<[(u32, f32)]>,
    /// Above 0; 1 changes nothing. Positive logits of tokens in the prompt or the answer are
    /// divided by it, negative ones multiplied (Keskar et al. 2019).
    pub repetition_penalty: f32,
    /// Subtracted once for each time that the token stands in the answer.
    pub frequency_penalty: f32,
    /// Subtracted if the token stands in the answer.
    pub presence_penalty: f32,
    /// 0 is greedy.
    pub temperature: f32,
    /// Only the k most probable tokens.
    pub top_k: Option<usize>,
    /// Smallest set of tokens whose probabilities reach this sum; in (0, 1].
    pub top_p: f32,
    /// Only tokens with at least this share of the most probable one's probability; 0 to 1.
    pub min_p: f32,
    pub seed: u64,
    /// Index of the choice within its request.
    pub choice: u32,
    /// How many of the most probable tokens to report at each place.
    pub num_top_logprobs: usize,
}

impl Default for SamplingParams {
    /// Draws from the model's own distribution.
    fn default() -> Self {
        Self {
            logit_bias: Arc::new([]),
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
            choice: 0,
            num_top_logprobs: 0,
        }
    }
}

/// Draws the token at `position`. The order is temperature, top-k, top-p.
pub fn sample(
    kernels: &Kernels,
    logits: &[f32],
    summary: RowSummary,
    params: &SamplingParams,
    position: usize,
) -> TokenOutput {
    let id = if params.temperature == 0.0 || params.top_k == Some(1) {
        summary.argmax
    } else {
        SCRATCH.with_borrow_mut(|scratch| {
            let u = uniform(params.seed, params.choice, position as u64);
            scratch.weights.resize(logits.len(), 0.0);
            let total = kernels.softmax_weights(
                logits,
                summary.max,
                params.temperature,
                &mut scratch.weights,
            );
            scratch.draw(total, params, u).unwrap_or(summary.argmax)
        })
    };
    TokenOutput {
        id: id as u32,
        logprob: logits[id] - summary.log_sum_exp,
        top: Vec::new(),
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Work space of one thread, as long as the vocabulary.
#[derive(Default)]
struct Scratch {
    /// Probabilities times a constant that makes the largest 1.
    weights: Vec<f32>,
    /// Ids that top-k and top-p may keep.
    candidates: Vec<u32>,
}

impl Scratch {
    /// None if no token has any weight.
    fn draw(&mut self, total: f64, params: &SamplingParams, u: f64) -> Option<usize> {
        let top_k = params.top_k.filter(|k| *k < self.weights.len());
        if top_k.is_none() && params.top_p >= 1.0 {
            return pick(self.weights.iter().copied(), u * total);
        }
        let top_p = f64::from(params.top_p);
        match top_k {
            Some(k) => self.collect(|count, _| count >= k),
            None => self.collect(|_, sum| sum >= total * top_p),
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
            kept += f64::from(weight(id));
            num_kept += 1;
            if kept >= total * top_p {
                break;
            }
        }
        let kept_weights = self.candidates[..num_kept].iter().map(weight);
        Some(self.candidates[pick(kept_weights, u * kept)?] as usize)
    }

    /// Collects the ids of weights above a bound that falls until `enough` is told of enough
    /// (their count and their sum), so that no whole vocabulary is sorted where a few
    /// hundred ids carry the distribution.
    fn collect(&mut self, enough: impl Fn(usize, f64) -> bool) {
        let mut bound = 1.0 / 16.0;
        loop {
            self.candidates.clear();
            let mut sum = 0.0;
            for (id, weight) in self.weights.iter().enumerate() {
                if *weight > bound {
                    self.candidates.push(id as u32);
                    sum += f64::from(*weight);
                }
            }
            if enough(self.candidates.len(), sum) || bound == 0.0 {
                return;
            }
            bound = if bound > 1e-30 { bound / 64.0 } else { 0.0 };
        }
    }
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

/// A number in [0, 1) that depends on its arguments alone: Philox 4x32-10, a counter-based
/// generator (Salmon, Moraes, Dror and Shaw 2011), with the seed as its key.
fn uniform(seed: u64, choice: u32, position: u64) -> f64 {
    let [a, b, ..] = philox(
        [position as u32, (position >> 32) as u32, choice, 0],
        [seed as u32, (seed >> 32) as u32],
    );
    let bits = (u64::from(a) << 32 | u64::from(b)) >> 11;
    bits as f64 / (1u64 << 53) as f64
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [
                key[0].wrapping_add(0x9E37_79B9),
                key[1].wrapping_add(0xBB67_AE85),
            ];
        }
        let first = u64::from(counter[0]) * 0xD251_1F53;
        let second = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{KernelSet, ThreadPool};

    fn drawn(logits: &[f32], params: &SamplingParams, position: usize) -> TokenOutput {
        let kernels = Kernels::new(KernelSet::best(), ThreadPool::new(1).unwrap());
        sample(&kernels, logits, summary(logits), params, position)
    }

    fn params() -> SamplingParams {
        SamplingParams {
            seed: 42,
            ..SamplingParams::default()
        }
    }

    fn summary(logits: &[f32]) -> RowSummary {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let argmax = logits.iter().position(|x| *x == max).unwrap();
        let log_sum_exp = max + logits.iter().map(|x| (x - max).exp()).sum::<f32>().ln();
        RowSummary {
            argmax,
            max,
            log_sum_exp,
        }
    }

    fn draws(logits: &[f32], params: &SamplingParams, count: usize) -> Vec<usize> {
        let mut counts = vec![0; logits.len()];
        for position in 0..count {
            counts[drawn(logits, params, position).id as usize] += 1;
        }
        counts
    }

    #[test]
    fn philox_agrees_with_the_known_answers_of_its_authors() {
        assert_eq!(
            philox([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
    }

    #[test]
    fn a_draw_depends_on_seed_choice_and_position_alone() {
        let logits: Vec<f32> = (0..500)
            .map(|i| ((i * 7919) % 500) as f32 / 100.0)
            .collect();
        let at = |params: &SamplingParams, position| drawn(&logits, params, position);
        assert_eq!(at(&params(), 9), at(&params(), 9));
        for other in [
            SamplingParams {
                seed: 43,
                ..params()
            },
            SamplingParams {
                choice: 1,
                ..params()
            },
        ] {
            assert!((0..20).any(|position| at(&other, position) != at(&params(), position)));
        }
    }

    #[test]
    fn temperature_draws_follow_the_softmax() {
        let logits = [0.0f32, 1.0, 2.0, -1.0];
        for temperature in [0.5f32, 1.0, 2.0] {
            let counts = draws(
                &logits,
                &SamplingParams {
                    temperature,
                    ..params()
                },
                40_000,
            );
            let weights = logits.map(|x| f64::from(x / temperature).exp());
            let total: f64 = weights.iter().sum();
            for (count, weight) in counts.iter().zip(weights) {
                let expected = weight / total * 40_000.0;
                // Five standard deviations.
                assert!(
                    (*count as f64 - expected).abs() < 5.0 * expected.sqrt(),
                    "{counts:?} at {temperature}"
                );
            }
        }
    }

    #[test]
    fn top_k_and_top_p_leave_only_the_head_of_the_distribution() {
        let logits = [1.0f32, 3.0, 2.0, 3.0, -2.0];
        let ids = |params: SamplingParams| -> Vec<usize> {
            let counts = draws(&logits, &params, 3000);
            (0..5).filter(|id| counts[*id] > 0).collect()
        };
        assert_eq!(
            ids(SamplingParams {
                top_k: Some(1),
                ..params()
            }),
            [1]
        );
        assert_eq!(
            ids(SamplingParams {
                top_k: Some(2),
                ..params()
            }),
            [1, 3]
        );
        assert_eq!(
            ids(SamplingParams {
                top_k: Some(3),
                ..params()
            }),
            [1, 2, 3]
        );
        assert_eq!(
            ids(SamplingParams {
                top_k: Some(99),
                ..params()
            })
            .len(),
            5
        );
        // The two largest have 0.398 each, the third 0.147.
        assert_eq!(
            ids(SamplingParams {
                top_p: 0.3,
                ..params()
            }),
            [1]
        );
        assert_eq!(
            ids(SamplingParams {
                top_p: 0.7,
                ..params()
            }),
            [1, 3]
        );
        assert_eq!(
            ids(SamplingParams {
                top_p: 0.9,
                ..params()
            }),
            [1, 2, 3]
        );
        assert_eq!(
            ids(SamplingParams {
                top_p: 1e-9,
                ..params()
            }),
            [1]
        );
    }

    #[test]
    fn a_nucleus_wider_than_the_first_guess_is_found() {
        let logits = vec![0.0f32; 5000];
        let counts = draws(
            &logits,
            &SamplingParams {
                top_p: 0.5,
                ..params()
            },
            20_000,
        );
        assert_eq!(counts.iter().rposition(|count| *count > 0), Some(2499));
    }

    #[test]
    fn greedy_takes_the_first_of_equals_and_reports_its_log_probability() {
        let logits = [0.0f32, 2.0, 2.0];
        let token = drawn(
            &logits,
            &SamplingParams {
                temperature: 0.0,
                ..params()
            },
            0,
        );
        assert_eq!(token.id, 1);
        let exact = (2.0f64.exp() / (1.0 + 2.0 * 2.0f64.exp())).ln();
        assert!((f64::from(token.logprob) - exact).abs() < 1e-6);
    }

    #[test]
    fn extreme_parameters_and_logits_have_a_draw() {
        let logits = [0.0f32, f32::NEG_INFINITY, 1.0, 1.0, -1e30];
        for params in [
            SamplingParams {
                temperature: 1e-30,
                ..params()
            },
            SamplingParams {
                temperature: f32::from_bits(1),
                ..params()
            },
            SamplingParams {
                top_p: f32::MIN_POSITIVE,
                ..params()
            },
            SamplingParams {
                temperature: 0.01,
                top_k: Some(2),
                top_p: 0.999,
                ..params()
            },
        ] {
            let counts = draws(&logits, &params, 200);
            assert_eq!(counts[2] + counts[3], 200, "{params:?}: {counts:?}");
        }
        let counts = draws(
            &logits,
            &SamplingParams {
                top_k: Some(4),
                ..params()
            },
            2000,
        );
        assert_eq!(counts[1], 0, "an impossible token was drawn");
        assert_eq!(
            draws(
                &[3.5],
                &SamplingParams {
                    top_p: 0.5,
                    ..params()
                },
                10
            ),
            [10]
        );
        let damaged = [f32::NAN; 4];
        let summary = RowSummary {
            argmax: 0,
            max: f32::NEG_INFINITY,
            log_sum_exp: f32::NAN,
        };
        let kernels = Kernels::new(KernelSet::Portable, ThreadPool::new(1).unwrap());
        assert!(
            sample(&kernels, &damaged, summary, &params(), 0)
                .logprob
                .is_nan()
        );
    }
}
