use super::*;

#[test]
fn a_draw_depends_on_seed_choice_and_position_alone() {
    let logits: Vec<f32> = (0..500)
        .map(|i| ((i * 7919) % 500) as f32 / 100.0)
        .collect();
    let at = |params: SamplingParams, position| sampled(&logits, &asked(params), position);
    assert_eq!(at(params(), 9), at(params(), 9));
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
        assert!((0..20).any(|position| at(other.clone(), position) != at(params(), position)));
    }
}

#[test]
fn temperature_draws_follow_the_softmax() {
    let logits = [0.0f32, 1.0, 2.0, -1.0];
    for temperature in [0.5f32, 1.0, 2.0] {
        let params = SamplingParams {
            temperature,
            ..params()
        };
        let counts = draws(&logits, &asked(params), 40_000);
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
    let top_k = |k| {
        let params = SamplingParams {
            top_k: Some(k),
            ..params()
        };
        drawn_ids(&logits, &asked(params))
    };
    assert_eq!(top_k(1), [1]);
    assert_eq!(top_k(2), [1, 3]);
    assert_eq!(top_k(3), [1, 2, 3]);
    assert_eq!(top_k(5), [0, 1, 2, 3, 4]);
    assert_eq!(top_k(99), [0, 1, 2, 3, 4]);
    let top_p = |top_p| {
        let params = SamplingParams { top_p, ..params() };
        drawn_ids(&logits, &asked(params))
    };
    // The two largest have 0.398 each, the third 0.147.
    assert_eq!(top_p(0.3), [1]);
    assert_eq!(top_p(0.7), [1, 3]);
    assert_eq!(top_p(0.9), [1, 2, 3]);
    assert_eq!(top_p(1e-9), [1]);
}

#[test]
fn top_k_of_equals_takes_the_lowest_ids() {
    let params = SamplingParams {
        top_k: Some(3),
        ..params()
    };
    assert_eq!(drawn_ids(&[0.5; 700], &asked(params)), [0, 1, 2]);
}

#[test]
fn min_p_drops_what_is_too_unlikely_beside_the_best() {
    // Probabilities of 8, 4, 2, 1 and 4 parts.
    let logits = [8.0f32, 4.0, 2.0, 1.0, 4.0].map(f32::ln);
    let min_p = |min_p| {
        let params = SamplingParams { min_p, ..params() };
        drawn_ids(&logits, &asked(params))
    };
    assert_eq!(min_p(0.0), [0, 1, 2, 3, 4]);
    assert_eq!(min_p(0.12), [0, 1, 2, 3, 4]);
    assert_eq!(min_p(0.13), [0, 1, 2, 4]);
    assert_eq!(min_p(0.3), [0, 1, 4]);
    assert_eq!(min_p(0.6), [0]);
    assert_eq!(min_p(1.0), [0]);
}

#[test]
fn min_p_of_one_keeps_every_equal_of_the_best() {
    let params = SamplingParams {
        min_p: 1.0,
        ..params()
    };
    assert_eq!(drawn_ids(&[2.0, 5.0, 4.999, 5.0], &asked(params)), [1, 3]);
}

#[test]
fn temperature_comes_before_the_cuts() {
    // Shares of the best: 1, 0.135, 0.018. At temperature 2: 1, 0.368, 0.135.
    let logits = [4.0f32, 2.0, 0.0];
    let min_p = SamplingParams {
        temperature: 2.0,
        min_p: 0.2,
        ..params()
    };
    assert_eq!(drawn_ids(&logits, &asked(min_p)), [0, 1]);
    // The best alone has 0.867, and 0.665 at temperature 2.
    let top_p = SamplingParams {
        temperature: 2.0,
        top_p: 0.8,
        ..params()
    };
    assert_eq!(drawn_ids(&logits, &asked(top_p)), [0, 1]);
}

#[test]
fn top_p_counts_what_top_k_left() {
    // 5, 2, 2 and 1 of 10 parts. Of the two that top-k leaves the best has 5 / 7 = 0.714.
    let logits = [5.0f32, 2.0, 2.0, 1.0].map(f32::ln);
    let params = SamplingParams {
        top_k: Some(2),
        top_p: 0.7,
        ..params()
    };
    assert_eq!(drawn_ids(&logits, &asked(params)), [0]);
}

#[test]
fn min_p_comes_after_top_p() {
    // Were the last dropped first, the two best would already have 7 / 9 = 0.78 of the rest.
    let logits = [5.0f32, 2.0, 2.0, 1.0].map(f32::ln);
    let params = SamplingParams {
        top_p: 0.75,
        min_p: 0.3,
        ..params()
    };
    assert_eq!(drawn_ids(&logits, &asked(params)), [0, 1, 2]);
}

#[test]
fn min_p_cuts_a_nucleus_that_reaches_far_below_it() {
    // Ten with weight 1 and 4990 with 0.0067, which have three quarters of all together.
    let mut logits = [-5.0; 5000];
    logits[100..110].fill(0.0);
    for min_p in [0.01, 0.1, 0.9] {
        let params = SamplingParams {
            top_p: 0.9,
            min_p,
            ..params()
        };
        let drawn = drawn_ids(&logits, &asked(params));
        assert_eq!(drawn, (100..110).collect::<Vec<_>>(), "{min_p}");
    }
}

#[test]
fn a_nucleus_wider_than_the_first_guess_is_found() {
    let params = SamplingParams {
        top_p: 0.5,
        ..params()
    };
    let counts = draws(&[0.0; 5000], &asked(params), 20_000);
    assert_eq!(counts.iter().rposition(|count| *count > 0), Some(2499));
}

#[test]
fn greedy_takes_the_first_of_equals_and_reports_its_log_probability() {
    let logits = [0.0f32, 2.0, 2.0];
    let token = sampled(&logits, &asked(greedy()), 0);
    assert_eq!(token.id, 1);
    let exact = (2.0f64.exp() / (1.0 + 2.0 * 2.0f64.exp())).ln();
    assert!((f64::from(token.logprob) - exact).abs() < 1e-6);
    let top_k = SamplingParams {
        top_k: Some(1),
        ..params()
    };
    assert_eq!(sampled(&logits, &asked(top_k), 5).id, 1);
}

#[test]
fn a_scored_token_has_the_log_softmax_of_its_logit() {
    let logits = [0.5f32, -1.0, 3.0, 2.0];
    let total: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
    let exact = |id: u32| f64::from(logits[id as usize]) - total.ln();
    let summary = kernels().summarize(&logits);
    for id in 0..4 {
        let token = score(&logits, summary, id, 2);
        assert_eq!(token.id, id);
        assert!((f64::from(token.logprob) - exact(id)).abs() < 1e-6);
        let top: Vec<u32> = token.top.iter().map(|top| top.id).collect();
        assert_eq!(top, [2, 3]);
        for top in token.top {
            assert!((f64::from(top.logprob) - exact(top.id)).abs() < 1e-6);
        }
    }
    assert!(score(&logits, summary, 0, 0).top.is_empty());
}
