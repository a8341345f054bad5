//! A model that several ranks compute, as it is loaded and as the engine sees it.

use crate::harness::{options, root, tiny};
use guichet::engine::{
    ItemOutput, ModelOptions, RunnerError, SampleRequest, SamplingParams, StepItem, StepRunner,
    load,
};

fn split(num_ranks: usize) -> ModelOptions {
    ModelOptions {
        tensor_parallel: num_ranks,
        ..options()
    }
}

/// The greedy token after a prompt, with its log-probability.
fn compute(runner: &mut dyn StepRunner, tokens: &[u32]) -> Result<ItemOutput, RunnerError> {
    let params = SamplingParams::default();
    let item = StepItem {
        sequence: 0,
        tokens,
        start: 0,
        block_tables: &[vec![0]],
        sample: Some(SampleRequest {
            params: &params,
            prompt: tokens,
            generated: &[],
            banned: &[],
            constraint: None,
        }),
        score: None,
    };
    Ok(runner.execute(&[item])?.items.remove(0))
}

#[test]
fn log_and_fingerprint_name_ranks_where_there_are_several() {
    let one = load(&tiny(), &split(1)).unwrap();
    let two = load(&tiny(), &split(2)).unwrap();
    assert!(!one.description.contains("rank"), "{}", one.description);
    let threads = "on 1 threads for each of 2 ranks";
    assert!(two.description.contains(threads), "{}", two.description);
    assert_eq!(two.numerics, format!("{} tp2", one.numerics));
    // The memory of the KV cache is that of all ranks.
    assert_eq!(one.config.kv_groups, two.config.kv_groups);
}

#[test]
fn ranks_compute_what_one_does_and_go_on_after_a_step_that_failed() {
    let mut one = load(&tiny(), &split(1)).unwrap().runner;
    let mut two = load(&tiny(), &split(2)).unwrap().runner;
    let prompt = [1, 17, 200, 31, 5];
    let expected = compute(&mut *one, &prompt)
        .unwrap()
        .sampled
        .unwrap()
        .unwrap();
    for _ in 0..2 {
        let got = compute(&mut *two, &prompt)
            .unwrap()
            .sampled
            .unwrap()
            .unwrap();
        assert_eq!(got.id, expected.id);
        assert!((got.logprob - expected.logprob).abs() < 1e-4);
        let RunnerError::Step(message) = compute(&mut *two, &[9999]).unwrap_err() else {
            panic!("a CPU is not lost");
        };
        assert!(message.contains("id 9999"), "{message}");
    }
}

#[test]
fn a_model_that_so_many_ranks_cannot_share_is_not_loaded() {
    let dir = root().join("tests/fixtures/families/smollm3");
    let Err(error) = load(&dir, &split(2)) else {
        panic!("it was loaded");
    };
    let expected = "`tensor_parallel` is 2, but the model has 3 heads of queries";
    assert!(error.to_string().starts_with(expected), "{error}");
}
