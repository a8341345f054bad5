//! Quantised checkpoints against `transformers`, which computed with the values that each format's
//! published formula gives (`scripts/make_format_fixtures.py`).

use crate::families::bench::{Bench as RankBench, Part};
use crate::golden::{Bench, fixtures};
use guichet::engine::{ModelOptions, Quantize, load};
use guichet::kernels::{KernelSet, WeightType};
use guichet::model::{Checkpoint, Rows, Stack, StackOrder};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A fixture, and what is said of it in the log.
const FORMATS: [(&str, &str); 10] = [
    ("gptq-int4", "gptq int4, group 64"),
    ("gptq-int4-act-order", "gptq int4, group 64, act-order"),
    ("gptq-int8", "gptq int8, group 64"),
    ("awq-int4", "awq int4, group 64"),
    ("compressed-int4", "compressed-tensors int4, group 64"),
    (
        "compressed-int4-act-order",
        "compressed-tensors int4, group 64, act-order",
    ),
    (
        "compressed-int8",
        "compressed-tensors int8, a scale per output",
    ),
    (
        "compressed-fp8",
        "compressed-tensors fp8 e4m3, a scale per output",
    ),
    ("fp8-blocks", "fp8 e4m3, blocks of 128x128"),
    ("fp8-tensor", "fp8 e4m3, a scale per tensor"),
];

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
}

fn directory(name: &str) -> PathBuf {
    fixtures().join("formats").join(name)
}

/// The numbers of a tensor of golden.safetensors.
fn golden_values(dir: &Path, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(dir.join("golden.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    let (values, _) = tensor.data().as_chunks::<4>();
    values.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Largest difference to the golden logits of those that `compute` makes of a directory and ids.
fn largest_difference(name: &str, compute: impl FnOnce(&Path, &[u32]) -> Vec<Vec<f32>>) -> f32 {
    let dir = directory(name);
    let golden = std::fs::read_to_string(dir.join("golden.json")).unwrap();
    let Golden { ids } = serde_json::from_str(&golden).unwrap();
    let expected = golden_values(&dir, "logits");
    let logits = compute(&dir, &ids).concat();
    assert_eq!(logits.len(), expected.len());
    let differences = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max)
}

#[test]
fn logits_of_every_format_are_those_of_its_reference_with_every_kernel_set() {
    for (name, _) in FORMATS {
        for set in KernelSet::ALL.into_iter().filter(|set| set.is_supported()) {
            let difference = largest_difference(name, |dir, ids| {
                Bench::load(dir, set, WeightType::F32).logits(ids, 0)
            });
            println!("{name:28} {set:12} {difference:.1e}");
            assert!(difference < 1e-3, "{name} with {set}: {difference}");
        }
    }
}

#[test]
fn ranks_read_their_parts_of_every_format() {
    for (name, _) in FORMATS {
        let difference = largest_difference(name, |dir, ids| {
            let bench = RankBench::split(dir, KernelSet::best(), WeightType::F32, 64, 2);
            bench.step(&[Part::new(ids, 0, 0)]).remove(0)
        });
        assert!(difference < 1e-3, "{name}: {difference}");
    }
}

#[test]
fn experts_in_mxfp4_have_the_bits_that_transformers_unpacks() {
    let dir = directory("mxfp4-experts");
    let golden = golden_values(&dir, "weights");
    let checkpoint = Checkpoint::open(&dir).unwrap();
    let stack = Stack {
        num: 2,
        n: 6,
        k: 96,
        order: StackOrder::InputsFirst,
    };
    let name = "model.layers.0.mlp.experts.gate_up_proj";
    for index in 0..stack.num {
        // Gates and what they gate lie in turn.
        for first in [0, 1] {
            let rows = Rows {
                first,
                step: 2,
                count: 3,
            };
            let source = checkpoint.take_expert(name, stack, index, rows).unwrap();
            for (row, input) in (0..3).flat_map(|row| (0..96).map(move |input| (row, input))) {
                let place = (index * stack.k + input) * stack.n + first + 2 * row;
                let got = source.get(row * stack.k + input);
                assert_eq!(got.to_bits(), golden[place].to_bits(), "{place}");
            }
        }
    }
    checkpoint.finish().unwrap();
}

#[test]
fn every_format_is_served_and_the_log_says_what_became_of_it() {
    for (name, format) in FORMATS {
        for (quantize, weights) in [(None, "bf16"), (Some(Quantize::Int8), "int8 bf16")] {
            let options = ModelOptions {
                num_threads: Some(1),
                kv_cache_bytes: Some(1 << 20),
                max_num_batched_tokens: Some(64),
                max_num_seqs: 4,
                quantize,
                ..ModelOptions::default()
            };
            let description = load(&directory(name), &options).unwrap().description;
            let expected = format!("as {weights} (rounded from {format} + ");
            assert!(description.contains(&expected), "{description}");
        }
    }
}
