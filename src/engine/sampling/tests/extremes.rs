use super::*;

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
        SamplingParams {
            min_p: 1.0,
            ..params()
        },
        SamplingParams {
            min_p: 1.0,
            top_k: Some(3),
            temperature: f32::INFINITY,
            ..biased(f32::INFINITY, &[2, 3])
        },
    ] {
        let counts = draws(&logits, &asked(params.clone()), 200);
        assert_eq!(counts[2] + counts[3], 200, "{params:?}: {counts:?}");
    }
}

#[test]
fn an_impossible_token_is_never_drawn() {
    let logits = [0.0f32, f32::NEG_INFINITY, 1.0, 1.0, -1e30];
    for params in [
        params(),
        SamplingParams {
            top_k: Some(4),
            ..params()
        },
        SamplingParams {
            temperature: f32::INFINITY,
            ..params()
        },
        biased(f32::INFINITY, &[1]),
        biased(f32::MAX, &[1]),
    ] {
        let counts = draws(&logits, &asked(params.clone()), 2000);
        assert_eq!(counts[1], 0, "{params:?}: {counts:?}");
    }
}

#[test]
fn a_vocabulary_of_one_has_a_draw() {
    let params = SamplingParams {
        top_p: 0.5,
        ..params()
    };
    assert_eq!(draws(&[3.5], &asked(params), 10), [10]);
}

/// `bias` on each of `ids`.
fn biased(bias: f32, ids: &[u32]) -> SamplingParams {
    SamplingParams {
        logit_bias: ids.iter().map(|id| (*id, bias)).collect(),
        ..params()
    }
}

#[test]
fn huge_edits_leave_a_number_and_the_order_they_ask_for() {
    let logits = [-1.0f32, 2.0, f32::NEG_INFINITY, 3.0];
    let asked = |params| Asked {
        prompt: vec![0, 1, 2],
        generated: vec![0, 1, 1, 2],
        ..asked(params)
    };
    let cases = [
        (biased(f32::MAX, &[1, 2]), 1),
        (biased(f32::NEG_INFINITY, &[3]), 1),
        (biased(f32::NAN, &[0, 1, 2, 3]), 3),
        // Each is as unlikely as can be; the first of equals stays.
        (biased(f32::NEG_INFINITY, &[0, 1, 2, 3]), 0),
        (biased(f32::INFINITY, &[0, 1, 2, 3]), 0),
        (
            SamplingParams {
                repetition_penalty: f32::MAX,
                ..params()
            },
            3,
        ),
        (
            SamplingParams {
                repetition_penalty: f32::from_bits(1),
                ..params()
            },
            1,
        ),
        (
            SamplingParams {
                frequency_penalty: f32::NEG_INFINITY,
                presence_penalty: f32::INFINITY,
                ..params()
            },
            3,
        ),
        (
            SamplingParams {
                frequency_penalty: f32::MIN,
                presence_penalty: f32::MIN,
                ..params()
            },
            0,
        ),
    ];
    for (params, best) in cases {
        let greedy = SamplingParams {
            temperature: 0.0,
            ..params.clone()
        };
        let token = sampled(&logits, &asked(greedy), 0);
        assert_eq!(token.id, best, "{params:?}");
        assert!(token.logprob.is_finite(), "{params:?}");
        let counts = draws(&logits, &asked(params.clone()), 500);
        assert_eq!(counts[2], 0, "{params:?}");
    }
}

#[test]
fn bans_yield_to_a_constraint_that_leaves_nothing_else() {
    let asked = Asked {
        only: only(&[1, 2]),
        banned: vec![2, 1, 0],
        ..asked(greedy())
    };
    let token = sampled(&[5.0, 1.0, 2.0], &asked, 0);
    assert_eq!(token.id, 2);
    assert!(token.logprob.is_finite());
}

#[test]
fn edits_that_leave_no_token_yield_but_a_constraint_does_not() {
    let logits = [f32::NEG_INFINITY, 1.0, 2.0];
    for ids in [&[][..], &[0]] {
        for banned in [vec![], vec![2]] {
            let asked = Asked {
                only: only(ids),
                banned,
                ..asked(greedy())
            };
            let kernels = kernels();
            let summary = kernels.summarize(&logits);
            let error = sample(&kernels, &logits, summary, &asked.request(), 0).unwrap_err();
            assert!(error.to_string().contains("rules out"), "{error}");
        }
    }
    let all_banned = Asked {
        banned: vec![0, 1, 2],
        ..asked(params())
    };
    assert_eq!(draws(&logits, &all_banned, 500)[0], 0);
}

#[test]
fn a_row_that_is_no_distribution_has_no_log_probability() {
    let asked = Asked {
        only: only(&[1]),
        ..asked(SamplingParams {
            num_top_logprobs: 2,
            ..params()
        })
    };
    for row in [
        [f32::NAN; 4],
        [1.0, f32::NAN, 2.0, 3.0],
        [f32::NEG_INFINITY; 4],
        [0.0, f32::INFINITY, 0.0, 0.0],
    ] {
        let token = sampled(&row, &asked, 0);
        assert!(token.logprob.is_nan(), "{row:?}");
        assert!(token.top.is_empty(), "{row:?}");
        let scored = score(&row, kernels().summarize(&row), 2, 3);
        assert!(scored.logprob.is_nan(), "{row:?}");
        assert!(scored.top.is_empty(), "{row:?}");
    }
}

#[test]
fn an_id_that_the_model_does_not_have_is_impossible() {
    let logits = [0.0f32, 1.0];
    let summary = kernels().summarize(&logits);
    assert_eq!(score(&logits, summary, 2, 0).logprob, f32::NEG_INFINITY);
}
