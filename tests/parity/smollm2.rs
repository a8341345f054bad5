//! SmolLM2, which `make test` pulls into `weights/`.

use crate::golden::{Bench, fixtures, log_softmax, read_golden};
use guichet::kernels::{KernelSet, WeightType};
use safetensors::tensor::{Dtype, TensorView};
use std::path::{Path, PathBuf};

fn weights() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/smollm2-135m-instruct");
    assert!(
        dir.exists(),
        "weights/smollm2-135m-instruct is missing: run `make weights` first"
    );
    dir
}

#[test]
fn greedy_tokens_of_eight_prompts_are_those_of_transformers() {
    let bench = Bench::load(&weights(), KernelSet::best(), WeightType::F32);
    let golden = read_golden(&fixtures().join("smollm2-greedy.json"));
    assert_eq!(golden.prompts.len(), 8);
    for prompt in &golden.prompts {
        let (ids, logprobs) = bench.greedy(&prompt.ids, prompt.greedy.ids.len());
        assert_eq!(
            ids, prompt.greedy.ids,
            "{:?}, whose least margin is {}",
            prompt.text, prompt.greedy.margin
        );
        for (got, expected) in logprobs.iter().zip(&prompt.greedy.logprobs) {
            assert!(
                (got - f64::from(*expected)).abs() < 2e-3,
                "{:?}: {got} for {expected}",
                prompt.text
            );
        }
    }
}

/// Writes log-probabilities at every position to the file that `GUICHET_PARITY_DUMP` names,
/// for `scripts/make_fixtures.py compare`.
#[test]
fn log_probabilities_can_be_dumped_for_a_comparison_at_every_position() {
    let target = std::env::var_os("GUICHET_PARITY_DUMP").map(PathBuf::from);
    let golden = read_golden(&fixtures().join("smollm2-greedy.json"));
    let prompts = if target.is_some() {
        &golden.prompts[..]
    } else {
        &golden.prompts[..1]
    };
    let bench = Bench::load(&weights(), KernelSet::best(), WeightType::F32);
    let mut tensors = Vec::new();
    for (index, prompt) in prompts.iter().enumerate() {
        let rows: Vec<Vec<f64>> = bench
            .logits(&prompt.ids, 0)
            .iter()
            .map(|row| log_softmax(row))
            .collect();
        for row in &rows {
            let total: f64 = row.iter().map(|logprob| logprob.exp()).sum();
            assert!((total - 1.0).abs() < 1e-6, "probabilities sum to {total}");
        }
        let shape = vec![rows.len(), rows[0].len()];
        let bytes: Vec<u8> = rows
            .iter()
            .flatten()
            .flat_map(|x| (*x as f32).to_le_bytes())
            .collect();
        tensors.push((format!("logprobs.{index}"), shape, bytes));
    }
    if let Some(target) = target {
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (
                name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        safetensors::serialize_to_file(views, None, &target).unwrap();
    }
}
