use crate::golden::{Bench, argmax, fixtures, log_softmax, read_golden, read_logits};
use guichet::kernels::{KernelSet, WeightType};

/// Largest difference of log-probabilities to the golden logits, over all prompts.
fn largest_difference(name: &str, set: KernelSet, weight_type: WeightType) -> f64 {
    let dir = fixtures().join(name);
    let golden = read_golden(&dir.join("golden.json"));
    let logits = read_logits(&dir, golden.prompts.len());
    let bench = Bench::load(&dir, set, weight_type);
    let mut largest: f64 = 0.0;
    for (prompt, expected) in golden.prompts.iter().zip(&logits) {
        let got = bench.logits(&prompt.ids, 0);
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert_eq!(got.len(), expected.len());
            for (got, expected) in log_softmax(got).iter().zip(log_softmax(expected)) {
                largest = largest.max((got - expected).abs());
            }
        }
    }
    largest
}

#[test]
fn f32_logits_are_those_of_transformers_with_every_kernel_set() {
    for name in ["tiny-llama", "tiny-llama-tied"] {
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            let difference = largest_difference(name, set, WeightType::F32);
            assert!(difference < 2e-4, "{name} with {set}: {difference}");
        }
    }
}

#[test]
fn bf16_logits_stay_near_those_of_transformers_in_f32() {
    for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
        let difference = largest_difference("tiny-llama-tied", set, WeightType::Bf16);
        // Eight bits of mantissa in activations and cache.
        assert!(difference < 0.5, "{set}: {difference}");
        assert!(difference > 1e-6, "{set}: bf16 cannot equal f32");
    }
}

#[test]
fn greedy_tokens_and_log_probabilities_are_those_of_transformers() {
    for name in ["tiny-llama", "tiny-llama-tied"] {
        let dir = fixtures().join(name);
        let golden = read_golden(&dir.join("golden.json"));
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            let bench = Bench::load(&dir, set, WeightType::F32);
            for prompt in &golden.prompts {
                let (ids, logprobs) = bench.greedy(&prompt.ids, prompt.greedy.ids.len());
                assert_eq!(ids, prompt.greedy.ids, "{name} with {set}");
                for (got, expected) in logprobs.iter().zip(&prompt.greedy.logprobs) {
                    assert!((got - f64::from(*expected)).abs() < 2e-4);
                }
            }
        }
    }
}

#[test]
fn a_position_has_the_same_bits_in_a_prefill_and_as_a_decode() {
    let dir = fixtures().join("tiny-llama");
    let ids = &read_golden(&dir.join("golden.json")).prompts[5].ids;
    for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
        for weight_type in [WeightType::F32, WeightType::Bf16] {
            let bench = Bench::load(&dir, set, weight_type);
            let whole = bench.logits(ids, 0);
            for chunk in [1, 7, 64] {
                for start in (0..ids.len()).step_by(chunk) {
                    let end = (start + chunk).min(ids.len());
                    for (row, logits) in bench.logits(&ids[start..end], start).iter().enumerate() {
                        assert_eq!(argmax(logits), argmax(&whole[start + row]));
                        let bits =
                            |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                        assert_eq!(
                            bits(logits),
                            bits(&whole[start + row]),
                            "{set} {weight_type:?} {chunk}"
                        );
                    }
                }
            }
        }
    }
}
