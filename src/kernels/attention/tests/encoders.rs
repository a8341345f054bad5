//! Tokens that see what follows them.

use super::*;

/// Whole sequences of encoders, plain; no encoder's keys are whole numbers, as nothing of them is
/// kept.
fn for_each_encoder(check: impl Fn(Case)) {
    for_each_case(|case| {
        let is_plain = case.first == 0 && case.window.is_none();
        if !is_plain || case.dtype == DType::U8 {
            return;
        }
        let is_small = case.shape.num_heads * case.shape.head_dim < 200;
        for len in [1, 33, 75, 540] {
            if len <= 75 || is_small {
                check(Case {
                    len,
                    is_bidirectional: true,
                    ..case
                });
            }
        }
    });
}

#[test]
fn an_encoders_tokens_see_what_follows_them_too() {
    for_each_encoder(check_definition);
}

#[test]
fn an_encoders_window_reaches_as_far_ahead_as_back() {
    for_each_encoder(|case| {
        for window in [1, 9, 65] {
            check_definition(Case {
                window: Some(window),
                ..case
            });
        }
    });
}

#[test]
fn what_is_no_number_stays_within_the_window_of_an_encoder() {
    for_each_encoder(|case| {
        let case = Case {
            window: Some(9),
            ..case
        };
        let (qkv, width) = (case.noise(), case.shape.qkv_width());
        let broken = case.len / 2;
        let mut with_nan = qkv.clone();
        with_nan[broken * width + case.shape.q_width()..(broken + 1) * width].fill(f32::NAN);
        let bits = case.bits(&qkv, case.len);
        let got = case.attend(&with_nan, case.len);
        let rows = got.chunks(case.shape.q_width());
        for (token, (got, bits)) in rows.zip(bits.chunks(case.shape.q_width())).enumerate() {
            match case.seen_by(token).contains(&broken) {
                true => assert!(got.iter().all(|x| x.is_nan()), "{case:?} {token}"),
                false => {
                    let got: Vec<u32> = got.iter().map(|x| x.to_bits()).collect();
                    assert!(got == bits, "{case:?} {token}");
                }
            }
        }
    });
}
