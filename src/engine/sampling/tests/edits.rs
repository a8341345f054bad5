use super::super::SCRATCH;
use super::super::edits::Edits;
use super::*;

const NO: f32 = f32::NEG_INFINITY;

/// The row that `asked` leaves to the draw.
fn edited(logits: &[f32], asked: &Asked) -> Vec<f32> {
    let mut edits = Edits::default();
    let row = edits.edit(&kernels(), logits, &asked.request());
    let row = row.unwrap().unwrap();
    let best = (0..logits.len()).find(|id| row.logits[*id] == row.max);
    assert_eq!(best, Some(row.argmax), "{:?}", row.logits);
    assert!(row.logits.iter().all(|logit| *logit <= row.max));
    row.logits.to_vec()
}

/// A request after the answer `generated`.
fn after(generated: &[u32], params: SamplingParams) -> Asked {
    Asked {
        generated: generated.to_vec(),
        ..asked(params)
    }
}

fn biased(bias: &[(u32, f32)]) -> SamplingParams {
    SamplingParams {
        logit_bias: bias.into(),
        ..params()
    }
}

#[test]
fn a_constraint_and_bans_forbid() {
    let asked = Asked {
        only: only(&[0, 2, 3]),
        banned: vec![3, 1000],
        ..asked(params())
    };
    assert_eq!(edited(&[1.0, 2.0, 3.0, 4.0], &asked), [1.0, NO, 3.0, NO]);
}

#[test]
fn a_bias_is_added_to_its_ids_alone() {
    let asked = asked(biased(&[(2, -1.5), (0, 4.0), (1000, 9.0)]));
    assert_eq!(edited(&[1.0, 2.0, 3.0], &asked), [5.0, 2.0, 1.5]);
}

#[test]
fn no_bias_brings_back_what_is_forbidden() {
    let asked = Asked {
        only: only(&[0, 1]),
        banned: vec![0],
        ..asked(biased(&[(0, 100.0), (2, 100.0), (1, f32::INFINITY)]))
    };
    assert_eq!(edited(&[1.0, 2.0, 3.0], &asked), [NO, f32::MAX, NO]);
}

#[test]
fn the_repetition_penalty_takes_each_token_of_prompt_and_answer_once() {
    let asked = Asked {
        prompt: vec![0, 1, 0, 0, 1000],
        ..after(
            &[1, 2, 0],
            SamplingParams {
                repetition_penalty: 2.0,
                ..params()
            },
        )
    };
    // Positive logits are divided, negative ones multiplied.
    let logits = [3.0, -3.0, 0.0, 8.0, -8.0];
    assert_eq!(edited(&logits, &asked), [1.5, -6.0, 0.0, 8.0, -8.0]);
}

#[test]
fn the_frequency_penalty_counts_the_answer_and_not_the_prompt() {
    let asked = Asked {
        prompt: vec![3, 3, 3, 0],
        ..after(
            &[0, 1, 0, 0],
            SamplingParams {
                frequency_penalty: 0.5,
                ..params()
            },
        )
    };
    assert_eq!(edited(&[1.0; 4], &asked), [-0.5, 0.5, 1.0, 1.0]);
}

#[test]
fn the_presence_penalty_does_not_count() {
    let asked = Asked {
        prompt: vec![3],
        ..after(
            &[0, 1, 0, 0],
            SamplingParams {
                presence_penalty: -0.5,
                ..params()
            },
        )
    };
    assert_eq!(edited(&[1.0; 4], &asked), [1.5, 1.5, 1.0, 1.0]);
}

#[test]
fn the_bias_comes_before_the_repetition_penalty() {
    let params = SamplingParams {
        repetition_penalty: 2.0,
        ..biased(&[(0, 3.0), (1, -3.0)])
    };
    // (1 + 3) / 2 and (1 - 3) * 2; the other way round 1 / 2 + 3 and 1 / 2 - 3.
    assert_eq!(edited(&[1.0, 1.0], &after(&[0, 1], params)), [2.0, -4.0]);
}

#[test]
fn the_repetition_penalty_comes_before_frequency_and_presence() {
    let params = SamplingParams {
        repetition_penalty: 2.0,
        frequency_penalty: 0.25,
        presence_penalty: 1.0,
        ..params()
    };
    // 3 / 2 - 2 * 0.25 - 1; the other way round (3 - 1.5) / 2.
    assert_eq!(edited(&[3.0, 1.0], &after(&[0, 0], params)), [0.0, 1.0]);
}

#[test]
fn penalties_come_before_the_temperature() {
    let params = SamplingParams {
        presence_penalty: 2.0,
        temperature: 0.5,
        ..params()
    };
    let counts = draws(&[3.0, 1.0], &after(&[0], params), 20_000);
    // Both stand at 1; after the temperature the first would lead by e^2.
    assert!(counts[0].abs_diff(10_000) < 400, "{counts:?}");
}

#[test]
fn greedy_takes_the_best_of_the_edited_row() {
    for params in [
        greedy(),
        SamplingParams {
            top_k: Some(1),
            ..params()
        },
    ] {
        let asked = Asked {
            banned: vec![2],
            ..asked(SamplingParams {
                logit_bias: [(0, 1.5)].into(),
                ..params
            })
        };
        assert_eq!(sampled(&[1.0, 2.0, 3.0], &asked, 0).id, 0);
    }
}

#[test]
fn log_probabilities_are_those_before_any_edit() {
    let logits = [1.0f32, 2.0, 3.0, 0.0];
    let plain = sampled(
        &logits,
        &asked(SamplingParams {
            num_top_logprobs: 2,
            ..greedy()
        }),
        0,
    );
    let edited = Asked {
        banned: vec![2],
        only: only(&[1, 2]),
        ..after(
            &[1, 2],
            SamplingParams {
                num_top_logprobs: 2,
                repetition_penalty: 1.5,
                presence_penalty: 1.0,
                temperature: 0.1,
                ..biased(&[(1, 50.0)])
            },
        )
    };
    let token = sampled(&logits, &edited, 0);
    assert_eq!((plain.id, token.id), (2, 1));
    assert_eq!(token.top, plain.top);
    assert_eq!(token.top[0].logprob, plain.logprob);
    assert_eq!(token.top[1].logprob, token.logprob);
}

#[test]
fn a_history_leaves_no_trace_in_the_next_row() {
    let params = SamplingParams {
        repetition_penalty: 2.0,
        frequency_penalty: 1.0,
        ..params()
    };
    let logits = [8.0; 6];
    let mut edits = Edits::default();
    for generated in [&[0u32, 1, 1][..], &[5], &[1, 2]] {
        let asked = after(generated, params.clone());
        let row = edits.edit(&kernels(), &logits, &asked.request());
        let row = row.unwrap().unwrap();
        assert_eq!(row.logits, edited(&logits, &asked), "{generated:?}");
    }
}

#[test]
fn a_row_is_copied_only_for_a_request_that_edits_it() {
    let copies = |asked: Asked| {
        // A fresh thread has a fresh work space.
        std::thread::spawn(move || {
            sampled(&[1.0, 2.0, 3.0], &asked, 0);
            SCRATCH.with_borrow(|scratch| scratch.edits.has_copied())
        })
        .join()
        .unwrap()
    };
    let history = |params| Asked {
        prompt: vec![0, 1],
        ..after(&[1, 2], params)
    };
    assert!(!copies(history(params())));
    assert!(!copies(history(greedy())));
    // There is nothing to penalise yet.
    let penalties = SamplingParams {
        frequency_penalty: 1.0,
        presence_penalty: 1.0,
        ..params()
    };
    assert!(!copies(Asked {
        prompt: vec![0, 1],
        ..asked(penalties.clone())
    }));
    let repetition = SamplingParams {
        repetition_penalty: 1.1,
        ..params()
    };
    assert!(!copies(asked(repetition.clone())));
    for asked in [
        history(penalties),
        history(repetition),
        asked(biased(&[(0, 1.0)])),
        Asked {
            banned: vec![1],
            ..asked(params())
        },
        Asked {
            only: only(&[1]),
            ..asked(params())
        },
    ] {
        assert!(copies(asked.clone()), "{asked:?}");
    }
}
