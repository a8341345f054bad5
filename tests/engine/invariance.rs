mod matrix;

use crate::harness::{
    Answer, alone, options, requests, root, smollm2, start, start_with, tiny, together,
};
use guichet::engine::{EngineConfig, ModelOptions, SequenceRequest};
use guichet::kernels::KernelSet;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Asks everything in several ways and expects the bits of asking one by one.
fn check_invariance(
    dir: &Path,
    requests: &[SequenceRequest],
    chunks: &[usize],
    base: &ModelOptions,
) {
    let expected = alone(&start(dir, base), requests);
    assert!(
        expected
            .iter()
            .zip(requests)
            .all(|(answer, request)| answer.len() == request.max_tokens)
    );

    for &chunk in chunks {
        let engine = start(
            dir,
            &ModelOptions {
                max_num_batched_tokens: Some(chunk),
                ..base.clone()
            },
        );
        check(
            &together(&engine, requests),
            &expected,
            &format!("in chunks of {chunk}"),
        );
    }

    let order: Vec<usize> = (0..requests.len())
        .map(|i| (i * 13 + 5) % requests.len())
        .collect();
    let shuffled: Vec<SequenceRequest> = order.iter().map(|i| requests[*i].clone()).collect();
    let expected_shuffled: Vec<Answer> = order.iter().map(|i| expected[*i].clone()).collect();
    let engine = start(
        dir,
        &ModelOptions {
            max_num_seqs: 5,
            ..base.clone()
        },
    );
    check(
        &together(&engine, &shuffled),
        &expected_shuffled,
        "shuffled, five at once",
    );
}

/// Asks everything at once with too few KV blocks for it, and expects the bits of asking one
/// by one. Says how often a sequence had to give its blocks back.
fn check_preemption(dir: &Path, requests: &[SequenceRequest], base: &ModelOptions) -> u64 {
    let expected = alone(&start(dir, base), requests);
    let longest = requests
        .iter()
        .map(|request| request.prompt.len() + request.max_tokens)
        .max()
        .unwrap();
    let few_blocks = |config: &mut EngineConfig| {
        let num_blocks = longest.div_ceil(config.block_size) + 3;
        for group in &mut config.kv_groups {
            group.num_blocks = num_blocks;
        }
    };
    let engine = start_with(dir, base, few_blocks);
    check(
        &together(&engine, requests),
        &expected,
        "with forced preemption",
    );
    engine.stats().num_preemptions.load(Ordering::SeqCst)
}

fn check(got: &[Answer], expected: &[Answer], how: &str) {
    assert_eq!(got.len(), expected.len());
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got, expected, "request {index} {how}");
    }
}

#[test]
fn scheduling_does_not_change_a_bit_with_any_kernel_set_and_number_of_threads() {
    let requests = requests(32, 90, 320, 24);
    for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
        for dtype in [guichet::engine::Dtype::F32, guichet::engine::Dtype::Bf16] {
            let base = ModelOptions {
                kernels: Some(set.to_string()),
                dtype: Some(dtype),
                ..options()
            };
            check_invariance(&tiny(), &requests, &[1, 7, 64, 4096], &base);
            let num_preemptions = check_preemption(&tiny(), &long_requests(320), &base);
            assert!(num_preemptions > 0, "nothing was preempted");
            let one = together(
                &start(
                    &tiny(),
                    &ModelOptions {
                        num_threads: Some(1),
                        ..base.clone()
                    },
                ),
                &requests,
            );
            let five = together(
                &start(
                    &tiny(),
                    &ModelOptions {
                        num_threads: Some(5),
                        ..base
                    },
                ),
                &requests,
            );
            check(&one, &five, "with one thread and five");
        }
    }
}

/// Two decoders, each with half of the heads and of the MLPs.
#[test]
fn scheduling_does_not_change_a_bit_of_two_ranks() {
    let families = root().join("tests/fixtures/families");
    let mut num_preemptions = 0;
    for (dir, vocab) in [
        (tiny(), 320),
        (families.join("gemma2"), 100),
        (families.join("mixtral"), 100),
    ] {
        let base = ModelOptions {
            tensor_parallel: 2,
            dtype: Some(guichet::engine::Dtype::Bf16),
            ..options()
        };
        let requests = long_requests(vocab);
        check_invariance(&dir, &requests[..16], &[1, 7, 64], &base);
        num_preemptions += check_preemption(&dir, &requests, &base);
        let expected = alone(&start(&dir, &base), &requests[..6]);
        let twice = [&requests[..6], &requests[..6]].concat();
        let answers = alone(&start(&dir, &base), &twice);
        check(&answers[..6], &expected, "before the cache has them");
        check(&answers[6..], &expected, "from the cache");
        let threads = ModelOptions {
            num_threads: Some(5),
            ..base
        };
        let answers = together(&start(&dir, &threads), &requests[..6]);
        check(&answers, &expected, "with other threads");
    }
    assert!(num_preemptions > 0, "nothing was preempted");
}

/// Answers that grow over several KV blocks.
fn long_requests(vocab: usize) -> Vec<SequenceRequest> {
    requests(32, 60, vocab, 72)
}

#[test]
fn scheduling_does_not_change_a_bit_of_smollm2() {
    let requests = requests(32, 120, 49_152, 12);
    check_invariance(&smollm2(), &requests, &[1, 7, 64, 4096], &options());
    let num_preemptions = check_preemption(&smollm2(), &long_requests(49_152), &options());
    assert!(num_preemptions > 0, "nothing was preempted");
}

/// Experts, windows whose blocks are given back, and prompts that later ones find in the cache.
#[test]
fn scheduling_does_not_change_a_bit_of_any_family() {
    let families = root().join("tests/fixtures/families");
    let (mut num_families, mut num_preemptions) = (0, 0);
    for family in std::fs::read_dir(families).unwrap() {
        let dir = family.unwrap().path();
        let requests = long_requests(100);
        check_invariance(&dir, &requests[..12], &[7, 64], &options());
        num_preemptions += check_preemption(&dir, &requests, &options());
        let twice = [&requests[..6], &requests[..6]].concat();
        let expected = alone(&start(&dir, &options()), &requests[..6]);
        let expected = [&expected[..], &expected[..]].concat();
        let engine = start(&dir, &options());
        check(&alone(&engine, &twice), &expected, "from the cache");
        num_families += 1;
    }
    // Windows alone leave room for all.
    assert!(num_families >= 20 && num_preemptions > 0);
}
