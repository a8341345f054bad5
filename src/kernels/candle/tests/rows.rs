use super::{NEAR, array, check, noise, numbers, on_candle, on_cpu};
use crate::kernels::routing::Tokens;
use crate::kernels::{Activation, AttentionShape, HeadNorms, Kernels, Routing, RowUse, Use};

const ROWS: usize = 13;
const WIDTH: usize = 40;

/// Calls `change` with an array of noise, many times its usual size.
fn changed(kernels: &Kernels, change: impl Fn(&crate::kernels::Array)) -> Vec<f32> {
    let values: Vec<_> = noise(1, ROWS * WIDTH).iter().map(|x| x * 9.0).collect();
    let x = array(kernels, &values, WIDTH);
    change(&x);
    numbers(&x)
}

#[test]
fn what_changes_each_number_is_that_of_the_cpu() {
    check(NEAR, "scale", |kernels| {
        changed(kernels, |x| kernels.scale(x, 0.7).unwrap())
    });
    check(NEAR, "softcap", |kernels| {
        changed(kernels, |x| kernels.softcap(x, 5.0).unwrap())
    });
    check(NEAR, "xielu", |kernels| {
        changed(kernels, |x| kernels.xielu(x, 0.8, 1.3).unwrap())
    });
    check(NEAR, "add_bias", |kernels| {
        let bias = kernels.vector(noise(2, WIDTH)).unwrap();
        changed(kernels, |x| kernels.add_bias(x, &bias).unwrap())
    });
    check(NEAR, "bias", |kernels| {
        let bias = noise(2, WIDTH);
        changed(kernels, |x| {
            kernels.bias(x, &bias, Activation::None).unwrap();
        })
    });
    check(NEAR, "clamped_swiglu", |kernels| {
        let values: Vec<_> = noise(3, ROWS * 2 * WIDTH).iter().map(|x| x * 9.0).collect();
        let gate_up = array(kernels, &values, 2 * WIDTH);
        let out = kernels.zeros(ROWS, WIDTH, Use::Inputs).unwrap();
        kernels.clamped_swiglu(&out, &gate_up, 1.702, 7.0).unwrap();
        numbers(&out)
    });
}

#[test]
fn branches_join_as_on_the_cpu_with_and_without_a_norm() {
    for has_norm in [true, false] {
        check(NEAR, &format!("norm {has_norm}"), |kernels| {
            let branch = array(kernels, &noise(4, ROWS * WIDTH), WIDTH);
            let weight = kernels.vector(noise(5, WIDTH)).unwrap();
            let norm = has_norm.then_some((&weight, 1e-2));
            changed(kernels, |x| {
                kernels.add_branch(x, &branch, norm, 0.22).unwrap();
            })
        });
    }
    check(NEAR, "rms_norm", |kernels| {
        let x = array(kernels, &noise(6, ROWS * WIDTH), WIDTH);
        let weight = kernels.vector(noise(5, WIDTH)).unwrap();
        let out = kernels.zeros(ROWS, WIDTH, Use::Sums).unwrap();
        kernels.rms_norm(&out, &x, &weight, 1e-2).unwrap();
        numbers(&out)
    });
}

#[test]
fn heads_are_normed_each_or_all_of_a_token_together() {
    let shape = AttentionShape {
        num_heads: 6,
        num_kv_heads: 2,
        head_dim: 10,
    };
    for (q_len, k_len) in [(10, 10), (60, 20)] {
        check(NEAR, &format!("{q_len} {k_len}"), |kernels| {
            let width = shape.qkv_width();
            let qkv = array(kernels, &noise(7, ROWS * width), width);
            let norms = HeadNorms {
                q: kernels.vector(noise(8, q_len)).unwrap(),
                k: kernels.vector(noise(9, k_len)).unwrap(),
                eps: 1e-2,
            };
            kernels.norm_heads(&qkv, shape, &norms).unwrap();
            numbers(&qkv)
        });
    }
}

#[test]
fn tokens_go_to_their_experts_and_come_back_as_on_the_cpu() {
    let logits = noise(10, ROWS * 6);
    let routed = |kernels: &Kernels, of_used| {
        let logits = array(kernels, &logits, 6);
        kernels.route(&logits, 2, of_used).unwrap()
    };
    for of_used in [true, false] {
        let expected = routed(&on_cpu(), of_used);
        let tokens = |routings: &[Routing]| -> Vec<Tokens> {
            let of_each = routings.iter().map(|routing| routing.tokens("test"));
            of_each.map(|tokens| tokens.unwrap().clone()).collect()
        };
        let found = routed(&on_candle(), of_used);
        assert_eq!(tokens(&found), tokens(&expected));
        check(NEAR, "experts", |kernels| {
            let x = array(kernels, &noise(11, ROWS * WIDTH), WIDTH);
            let branch = array(kernels, &noise(12, ROWS * WIDTH), WIDTH);
            kernels.clear(&branch).unwrap();
            for routing in routed(kernels, of_used) {
                let input = kernels.zeros(ROWS, WIDTH, Use::Sums).unwrap();
                let input = input.narrow(routing.num_rows()).unwrap();
                kernels.gather_routed(&input, &x, &routing).unwrap();
                kernels.scatter_rows(&branch, &input, &routing).unwrap();
            }
            numbers(&branch)
        });
    }
    let gates = |kernels: &Kernels| {
        let gates = kernels.gates(&array(kernels, &logits, 1)).unwrap();
        gates.tokens("test").unwrap().clone()
    };
    assert_eq!(gates(&on_candle()), gates(&on_cpu()));
}

#[test]
fn logits_are_read_and_summed_up_as_on_the_cpu() {
    let mut values = noise(13, ROWS * WIDTH);
    values[2 * WIDTH + 3] = f32::NAN;
    values[4 * WIDTH + 5] = f32::INFINITY;
    let read = |kernels: &Kernels| {
        // Of fewer rows than the array has, as in a step.
        let all = kernels.zeros(ROWS + 4, WIDTH, Use::Sums).unwrap();
        let logits = all.narrow(ROWS).unwrap();
        let x = array(kernels, &values, WIDTH);
        let rows: Vec<u32> = (0..ROWS as u32).collect();
        kernels.gather_rows(&logits, &x, &rows).unwrap();
        let uses = vec![RowUse::Values; ROWS];
        let read = kernels.for_logits(&logits, &uses, |row, result| {
            let bits: Vec<_> = result.values.iter().map(|x| x.to_bits()).collect();
            let summary = result.summary;
            (row, bits, summary.argmax, summary.log_sum_exp.to_bits())
        });
        read.unwrap()
    };
    assert_eq!(read(&on_candle()), read(&on_cpu()));
}

#[test]
fn rows_that_no_op_has_written_are_refused() {
    let kernels = on_candle();
    let all = kernels.zeros(ROWS, WIDTH, Use::Sums).unwrap();
    let some = all.narrow(3).unwrap();
    let x = array(&kernels, &noise(14, 3 * WIDTH), WIDTH);
    kernels.gather_rows(&some, &x, &[0, 1, 2]).unwrap();
    let out = kernels.zeros(1, WIDTH, Use::Sums).unwrap();
    kernels.gather_rows(&out, &all, &[2]).unwrap();
    assert_eq!(numbers(&out), noise(14, 3 * WIDTH)[2 * WIDTH..]);
    let error = kernels.gather_rows(&out, &all, &[3]).unwrap_err();
    assert_eq!(error.to_string(), "gather_rows: row 3 is not among 3");
    assert!(all.to_rows().is_err());
}
