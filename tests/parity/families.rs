//! Every family's tiny checkpoint against what `transformers` says of it, which
//! `scripts/make_family_fixtures.py` wrote.

pub mod bench;
mod ranks;

use crate::golden::{argmax, fixtures, log_softmax};
use bench::{Bench, Part};
use guichet::kernels::{KernelSet, WeightType};
use guichet::model::{DecoderConfig, families};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How far a logit may be from that of `transformers`, which sums in another order.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    /// Longest sequence to serve: what rotary embeddings are depends on it in some families.
    max_positions: usize,
    /// How far the logits move that move most where a feature is missed.
    features: BTreeMap<String, f32>,
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    ids: Vec<u32>,
    /// Those whose logits are kept.
    positions: Vec<usize>,
    greedy: Greedy,
}

#[derive(Deserialize)]
struct Greedy {
    ids: Vec<u32>,
    logprobs: Vec<f32>,
    margin: f32,
}

struct Fixture {
    name: String,
    dir: PathBuf,
    golden: Golden,
    /// For each prompt, the logits at its positions and after each greedy token.
    prefill: Vec<Vec<Vec<f32>>>,
    decode: Vec<Vec<Vec<f32>>>,
}

impl Fixture {
    /// Of every family, by name.
    fn all() -> Vec<Self> {
        let entries = std::fs::read_dir(fixtures().join("families")).unwrap();
        let mut dirs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        dirs.sort();
        dirs.iter().map(|dir| Self::read(dir)).collect()
    }

    fn read(dir: &Path) -> Self {
        let text = std::fs::read_to_string(dir.join("golden.json")).unwrap();
        let golden: Golden = serde_json::from_str(&text).unwrap();
        let bytes = std::fs::read(dir.join("golden.safetensors")).unwrap();
        let logits = SafeTensors::deserialize(&bytes).unwrap();
        let of_each_prompt = |kind: &str| {
            let names = (0..golden.prompts.len()).map(|index| format!("{kind}.{index}"));
            names.map(|name| rows(&logits, &name)).collect()
        };
        Self {
            name: dir.file_name().unwrap().to_string_lossy().into_owned(),
            dir: dir.to_owned(),
            prefill: of_each_prompt("prefill"),
            decode: of_each_prompt("decode"),
            golden,
        }
    }

    fn config(&self) -> DecoderConfig {
        DecoderConfig::from_dir(&self.dir).unwrap()
    }

    fn bench(&self, set: KernelSet, weight_type: WeightType) -> Bench {
        Bench::load(&self.dir, set, weight_type, self.golden.max_positions)
    }

    /// What is special about it, for the table.
    fn describe(&self) -> String {
        let config = self.config();
        let shape = config.attention;
        let tied = if config.tie_word_embeddings {
            "tied"
        } else {
            "untied"
        };
        let features: Vec<_> = self.golden.features.keys().map(String::as_str).collect();
        format!(
            "{} layers, {}/{} heads of {}, {tied}; {}",
            config.num_layers,
            shape.num_heads,
            shape.num_kv_heads,
            shape.head_dim,
            features.join(", ")
        )
    }
}

fn supported() -> impl Iterator<Item = KernelSet> {
    KernelSet::ALL.into_iter().filter(|set| set.is_supported())
}

fn rows(tensors: &SafeTensors<'_>, name: &str) -> Vec<Vec<f32>> {
    let tensor = tensors.tensor(name).unwrap();
    let values: Vec<f32> = tensor
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    values
        .chunks_exact(tensor.shape()[1])
        .map(<[f32]>::to_vec)
        .collect()
}

/// How a decoder compares with the golden logits of a fixture.
#[derive(Default)]
struct Comparison {
    /// Largest differences of logits, of prompts and of greedy steps.
    prefill: f32,
    decode: f32,
    other_tokens: Vec<String>,
}

impl Comparison {
    fn of(fixture: &Fixture, bench: &Bench) -> Self {
        let mut found = Self::default();
        found.compare_prompts(fixture, bench);
        found.compare_steps(fixture, bench);
        found
    }

    /// Each prompt in one step.
    fn compare_prompts(&mut self, fixture: &Fixture, bench: &Bench) {
        for (place, prompt) in fixture.golden.prompts.iter().enumerate() {
            let rows = bench.step(&[Part::new(&prompt.ids, 0, place)]).remove(0);
            let expected = &fixture.prefill[place];
            assert_eq!(expected.len(), prompt.positions.len());
            for (position, expected) in prompt.positions.iter().zip(expected) {
                self.prefill = larger(self.prefill, distance(&rows[*position], expected));
            }
            self.compare_greedy(&prompt.greedy, 0, rows.last().unwrap());
        }
    }

    /// The greedy steps, all prompts in each.
    fn compare_steps(&mut self, fixture: &Fixture, bench: &Bench) {
        let prompts = &fixture.golden.prompts;
        for step in 0..prompts[0].greedy.ids.len() {
            let parts: Vec<_> = prompts
                .iter()
                .enumerate()
                .map(|(place, prompt)| {
                    let token = &prompt.greedy.ids[step..=step];
                    Part::new(token, prompt.ids.len() + step, place)
                })
                .collect();
            for (place, rows) in bench.step(&parts).iter().enumerate() {
                let expected = &fixture.decode[place][step];
                self.decode = larger(self.decode, distance(&rows[0], expected));
                self.compare_greedy(&prompts[place].greedy, step + 1, &rows[0]);
            }
        }
    }

    /// `logits` choose the greedy token `step`.
    fn compare_greedy(&mut self, greedy: &Greedy, step: usize, logits: &[f32]) {
        let Some(expected) = greedy.ids.get(step) else {
            return;
        };
        let best = argmax(logits);
        let difference = log_softmax(logits)[best] - f64::from(greedy.logprobs[step]);
        if best as u32 != *expected || difference.abs() > 2.0 * f64::from(TOLERANCE) {
            self.other_tokens.push(format!(
                "{best} for {expected} in step {step}, its log-probability off by {difference:.1e}, the least margin {}",
                greedy.margin
            ));
        }
    }

    fn is_equal(&self) -> bool {
        // A NaN is not.
        self.prefill <= TOLERANCE && self.decode <= TOLERANCE && self.other_tokens.is_empty()
    }
}

fn distance(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let distances = got.iter().zip(expected).map(|(a, b)| (a - b).abs());
    distances.fold(0.0, larger)
}

/// A NaN stays.
fn larger(a: f32, b: f32) -> f32 {
    if a >= b || a.is_nan() { a } else { b }
}

#[test]
fn logits_of_prompts_and_of_32_greedy_steps_are_those_of_transformers() {
    let mut unequal = Vec::new();
    println!("largest differences of logits to transformers: of prompts, of 32 greedy steps");
    for fixture in Fixture::all() {
        let (mut prefill, mut decode): (f32, f32) = (0.0, 0.0);
        for set in supported() {
            let found = Comparison::of(&fixture, &fixture.bench(set, WeightType::F32));
            (prefill, decode) = (larger(prefill, found.prefill), larger(decode, found.decode));
            if !found.is_equal() {
                let (prefill, decode) = (found.prefill, found.decode);
                unequal.push(format!("{} with {set}: {prefill} {decode}", fixture.name));
                unequal.extend(found.other_tokens.into_iter().take(2));
            }
        }
        println!(
            "{:14} {prefill:.1e} {decode:.1e}  {}",
            fixture.name,
            fixture.describe()
        );
    }
    assert!(unequal.is_empty(), "{unequal:#?}");
}

#[test]
fn a_prompt_has_the_same_bits_in_chunks_and_beside_others() {
    for fixture in Fixture::all() {
        let [short, middle, long] = &fixture.golden.prompts[..] else {
            panic!("{} has other prompts", fixture.name);
        };
        for set in supported() {
            for weight_type in [WeightType::F32, WeightType::Bf16] {
                let bench = fixture.bench(set, weight_type);
                let context = format!("{} with {set} and {weight_type:?}", fixture.name);
                let whole = |prompt: &Prompt, place| {
                    bench.step(&[Part::new(&prompt.ids, 0, place)]).remove(0)
                };
                let alone = [whole(short, 0), whole(middle, 1), whole(long, 2)];

                let mut chunked = Vec::new();
                for start in (0..long.ids.len()).step_by(7) {
                    let end = (start + 7).min(long.ids.len());
                    let chunk = Part::new(&long.ids[start..end], start, 3);
                    chunked.extend(bench.step(&[chunk]).remove(0));
                }
                assert_eq!(bits(&chunked), bits(&alone[2]), "{context}, in chunks");

                // Whole prompts, a part of one and a single token, in two orders.
                let last = middle.ids.len() - 1;
                let parts = [
                    Part::new(&long.ids[60..], 60, 2),
                    Part::new(&short.ids, 0, 0),
                    Part::new(&middle.ids[last..], last, 1),
                    Part::new(&long.ids, 0, 3),
                ];
                let expected = [
                    bits(&alone[2][60..]),
                    bits(&alone[0]),
                    bits(&alone[1][last..]),
                    bits(&alone[2]),
                ];
                for order in [[0, 1, 2, 3], [3, 2, 0, 1]] {
                    let together = bench.step(&order.map(|index| parts[index]));
                    for (rows, index) in together.iter().zip(order) {
                        assert!(
                            bits(rows) == expected[index],
                            "{context}, part {index} of {order:?}"
                        );
                    }
                }
            }
        }
    }
}

fn bits(rows: &[Vec<f32>]) -> Vec<Vec<u32>> {
    rows.iter()
        .map(|row| row.iter().map(|x| x.to_bits()).collect())
        .collect()
}

#[test]
fn blocks_that_fell_out_of_a_window_make_no_difference() {
    let mut num_windowed = 0;
    for fixture in Fixture::all() {
        let windows = fixture.config().kv_groups();
        let prompt = fixture.golden.prompts.last().unwrap();
        let (start, ids) = (prompt.ids.len(), &prompt.greedy.ids);
        let shortest = windows.into_iter().flatten().min();
        if shortest.is_none_or(|window| start < window + 32) {
            continue;
        }
        num_windowed += 1;
        let continued = |bench: &Bench| -> Vec<_> {
            bench.step(&[Part::new(&prompt.ids, 0, 0)]);
            let steps = ids.iter().enumerate();
            steps
                .map(|(step, id)| {
                    bench
                        .step(&[Part::new(&[*id], start + step, 0)])
                        .remove(0)
                        .remove(0)
                })
                .collect()
        };
        let bench = fixture.bench(KernelSet::best(), WeightType::F32);
        assert!(bench.num_gone(start) > 0, "{}", fixture.name);
        let freed = continued(&bench);
        let kept = continued(&bench.keeping_all_blocks());
        assert_eq!(bits(&freed), bits(&kept), "{}", fixture.name);
    }
    assert!(num_windowed >= 8, "{num_windowed}");
}

#[test]
fn every_family_has_a_fixture() {
    let present: BTreeSet<_> = Fixture::all().iter().map(|f| f.config().family).collect();
    let known: BTreeSet<_> = families().iter().map(|family| family.name).collect();
    assert_eq!(present, known);
}

#[test]
fn fixtures_have_the_shapes_that_mistakes_show_in() {
    let configs: Vec<_> = Fixture::all().iter().map(Fixture::config).collect();
    let ratios: BTreeSet<_> = configs
        .iter()
        .map(|config| config.attention.num_heads / config.attention.num_kv_heads)
        .collect();
    assert!(
        [1, 3, 8].iter().all(|ratio| ratios.contains(ratio)),
        "{ratios:?}"
    );
    for is_tied in [true, false] {
        assert!(
            configs
                .iter()
                .any(|config| config.tie_word_embeddings == is_tied)
        );
    }
    let is_odd = |config: &&DecoderConfig| config.attention.q_width() != config.hidden_size;
    assert!(configs.iter().filter(is_odd).count() >= 8);
    let windows = configs.iter().flat_map(DecoderConfig::kv_groups).flatten();
    assert!(windows.filter(|window| window % 32 != 0).count() >= 8);
}
