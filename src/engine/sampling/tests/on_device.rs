//! What a device is asked for is what is sampled here.

use super::super::on_device::{output, use_to_sample, use_to_score};
use super::*;
use crate::kernels::{Choice, ChoiceLimits, Chosen, Draw, RowSummary, RowUse, TokenChoice};

#[path = "../../../../tests/gpu/plain_choice.rs"]
mod plain_choice;

const LIMITS: ChoiceLimits = ChoiceLimits {
    max_vocab: 1000,
    max_edits: 40,
    max_top: 20,
};

fn use_of(asked: &Asked, vocab: usize) -> RowUse {
    use_to_sample(vocab, &asked.request(), 7, LIMITS)
}

#[track_caller]
fn choice_of(asked: &Asked, vocab: usize) -> Choice {
    match use_of(asked, vocab) {
        RowUse::Choice(choice) => choice,
        other => panic!("{other:?}"),
    }
}

/// Numbers without a pattern, in [0, 1).
fn noise(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 24) as f32
    }
}

fn random_request(next: &mut impl FnMut() -> f32, vocab: usize) -> Asked {
    let mut maybe = |value: f32, otherwise: f32| if next() < 0.5 { value } else { otherwise };
    let warm = maybe(0.6, 1.5);
    let params = SamplingParams {
        repetition_penalty: maybe(1.4, 1.0),
        frequency_penalty: maybe(0.3, 0.0),
        presence_penalty: maybe(-0.2, 0.0),
        temperature: maybe(warm, 0.0),
        top_p: maybe(0.8, 1.0),
        min_p: maybe(0.05, 0.0),
        top_k: (maybe(1.0, 0.0) > 0.0).then_some(5),
        num_top_logprobs: maybe(3.0, 0.0) as usize,
        ..params()
    };
    let mut ids = |count: usize| -> Vec<u32> {
        (0..count)
            .map(|_| (next() * (vocab + 2) as f32) as u32)
            .collect()
    };
    let (prompt, generated, banned, mut biased) = (ids(9), ids(9), ids(3), ids(4));
    biased.sort_unstable();
    biased.dedup();
    let allowed = ids(vocab);
    Asked {
        params: SamplingParams {
            logit_bias: biased.iter().map(|id| (*id, next() * 4.0 - 2.0)).collect(),
            seed: (next() * 1e6) as u64,
            ..params
        },
        prompt,
        generated,
        banned,
        only: if next() < 0.5 { only(&allowed) } else { None },
    }
}

#[test]
fn a_choice_is_what_is_sampled_on_the_cpu() {
    let mut next = noise(5);
    let mut num_choices = 0;
    for round in 0..2000 {
        let vocab = 1 + round % 130;
        let mut logits: Vec<f32> = (0..vocab).map(|_| next() * 9.0 - 4.0).collect();
        if round % 3 == 0 {
            // Few different ones, some impossible.
            let coarse = |x: f32| {
                if x < -3.0 {
                    f32::NEG_INFINITY
                } else {
                    x.round()
                }
            };
            logits.iter_mut().for_each(|logit| *logit = coarse(*logit));
        }
        let asked = random_request(&mut next, vocab);
        let summary = kernels().summarize(&logits);
        if summary.log_sum_exp.is_nan() {
            continue;
        }
        let sampled = sample(&kernels(), &logits, summary, &asked.request(), 7);
        let choice = match use_of(&asked, vocab) {
            RowUse::Choice(choice) => choice,
            RowUse::Summary => {
                assert_eq!(sampled.unwrap().id as usize, summary.argmax);
                continue;
            }
            RowUse::Values => panic!("{asked:?}"),
        };
        num_choices += 1;
        let id = sampled.as_ref().ok().map(|token| token.id);
        let miss = plain_choice::miss(&logits, &choice, id);
        assert!(
            miss < 1e-6,
            "{miss}: {asked:?}, {choice:?}, {logits:?}, {id:?}"
        );
        let chosen = Chosen {
            id: id.unwrap_or(0),
            logit: logits[id.unwrap_or(0) as usize],
            is_stuck: id.is_none(),
            top: plain_choice::top(&logits, choice.num_top),
        };
        assert_eq!(output(&chosen, summary), sampled, "{asked:?}");
    }
    assert!(num_choices > 1500, "{num_choices}");
}

#[test]
fn a_row_of_which_the_largest_is_taken_is_not_asked_about() {
    assert_eq!(use_of(&asked(greedy()), 100), RowUse::Summary);
    let drawn = choice_of(&asked(params()), 100);
    let expected = Draw {
        temperature: 1.0,
        top_k: None,
        top_p: 1.0,
        min_p: 0.0,
        u: crate::engine::sampling::philox::uniform(42, 0, 7),
    };
    assert_eq!(drawn.token, TokenChoice::Drawn(expected));
    let reported = SamplingParams {
        num_top_logprobs: 5,
        ..greedy()
    };
    let choice = choice_of(&asked(reported), 3);
    assert_eq!((choice.token, choice.num_top), (TokenChoice::Largest, 3));
}

#[test]
fn what_a_device_does_not_take_is_read() {
    let of_history = |count: u32| Asked {
        generated: (0..count).collect(),
        ..asked(SamplingParams {
            presence_penalty: 1.0,
            ..params()
        })
    };
    assert_eq!(choice_of(&of_history(40), 1000).edits.len(), 40);
    assert_eq!(use_of(&of_history(41), 1000), RowUse::Values);
    assert_eq!(choice_of(&of_history(40), 1000).edits.len(), 40);
    // The same token counts once, and one that the row does not have not at all.
    let repeated = Asked {
        generated: vec![3; 100],
        ..of_history(0)
    };
    assert_eq!(choice_of(&repeated, 1000).edits[0].count, 100);
    assert!(choice_of(&of_history(40), 2).edits.len() == 2);
    assert_eq!(use_of(&asked(params()), 1001), RowUse::Values);
    let reported = SamplingParams {
        num_top_logprobs: 21,
        ..params()
    };
    assert_eq!(use_of(&asked(reported.clone()), 1000), RowUse::Values);
    assert_eq!(choice_of(&asked(reported), 7).num_top, 7);
    assert_eq!(use_to_score(1000, 3, 21, LIMITS), RowUse::Values);
    assert_eq!(use_to_score(1001, 3, 0, LIMITS), RowUse::Values);
}

/// Has no answer.
#[derive(Debug)]
struct Broken;

impl TokenConstraint for Broken {
    fn restrict(&self, _: &[u32], _: &mut TokenMask) -> Result<(), ConstraintError> {
        Err(ConstraintError("nothing follows".to_owned()))
    }
}

#[test]
fn a_constraint_that_fails_is_left_to_whoever_says_so() {
    let asked = Asked {
        only: Some(Arc::new(Broken)),
        ..asked(params())
    };
    assert_eq!(use_of(&asked, 100), RowUse::Values);
}

#[test]
fn a_known_token_is_reported_as_it_is_scored() {
    let logits = [0.5f32, -1.0, 3.0, 2.0];
    let summary = kernels().summarize(&logits);
    for (id, num_top) in [(1, 0), (2, 3), (0, 9), (7, 1)] {
        let RowUse::Choice(choice) = use_to_score(4, id, num_top, LIMITS) else {
            panic!("{id}");
        };
        assert_eq!(choice.token, TokenChoice::Known(id));
        let chosen = Chosen {
            id,
            logit: logits
                .get(id as usize)
                .copied()
                .unwrap_or(f32::NEG_INFINITY),
            is_stuck: false,
            top: plain_choice::top(&logits, choice.num_top),
        };
        assert_eq!(
            output(&chosen, summary).unwrap(),
            score(&logits, summary, id, num_top)
        );
    }
}

#[test]
fn a_row_that_is_no_distribution_has_no_log_probability_from_a_device_either() {
    let summary = RowSummary {
        log_sum_exp: f32::NAN,
        ..RowSummary::default()
    };
    let chosen = Chosen {
        logit: 1.0,
        ..Chosen::default()
    };
    let token = output(&chosen, summary).unwrap();
    assert!(token.logprob.is_nan() && token.top.is_empty());
}
