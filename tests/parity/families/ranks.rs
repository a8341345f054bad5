//! The same of decoders that several ranks compute, each a part.

use super::bench::{Bench, Part};
use super::{Comparison, Fixture, Prompt, bits, distance, supported};
use guichet::kernels::{KernelSet, Kernels, Shard, ThreadPool, WeightType};
use guichet::model::{Checkpoint, DecoderConfig};

/// Numbers of ranks that are tried.
const SIZES: [usize; 2] = [2, 3];

/// Of whose heads or widths none of these has as many as the others, and OLMo 2, which norms all
/// heads of a token together.
const WHOLE: [&str; 4] = ["ministral", "olmo2", "qwen2-moe", "smollm3"];

impl Fixture {
    fn sizes(&self) -> impl Iterator<Item = usize> {
        let config = self.config();
        let is_split = move |size: &usize| config.of_rank(shard(*size)).is_ok();
        SIZES.into_iter().filter(is_split)
    }

    fn split(&self, set: KernelSet, weight_type: WeightType, num_ranks: usize) -> Bench {
        let max_positions = self.golden.max_positions;
        Bench::split(&self.dir, set, weight_type, max_positions, num_ranks)
    }
}

fn shard(size: usize) -> Shard {
    Shard { rank: 0, size }
}

#[test]
fn logits_and_greedy_tokens_of_ranks_are_those_of_transformers() {
    let (mut unequal, mut whole) = (Vec::new(), Vec::new());
    for fixture in Fixture::all() {
        if fixture.sizes().next().is_none() {
            whole.push(fixture.name.clone());
        }
        for size in fixture.sizes() {
            for set in supported() {
                let bench = fixture.split(set, WeightType::F32, size);
                let found = Comparison::of(&fixture, &bench);
                if !found.is_equal() {
                    let (name, prefill, decode) = (&fixture.name, found.prefill, found.decode);
                    unequal.push(format!("{name} by {size} {set}: {prefill} {decode}"));
                    unequal.extend(found.other_tokens.into_iter().take(2));
                }
            }
        }
    }
    assert!(unequal.is_empty(), "{unequal:#?}");
    assert_eq!(whole, WHOLE);
}

#[test]
fn a_prompt_has_the_same_bits_on_ranks_in_chunks_and_beside_others() {
    for fixture in Fixture::all() {
        let [short, _, long] = &fixture.golden.prompts[..] else {
            panic!("{} has other prompts", fixture.name);
        };
        for size in fixture.sizes() {
            let bench = fixture.split(KernelSet::best(), WeightType::Bf16, size);
            let whole = |prompt: &Prompt, place| {
                let part = Part::new(&prompt.ids, 0, place);
                bits(&bench.step(&[part]).remove(0))
            };
            let (short_alone, long_alone) = (whole(short, 0), whole(long, 2));
            let mut chunked = Vec::new();
            for start in (0..long.ids.len()).step_by(7) {
                let end = (start + 7).min(long.ids.len());
                let beside = Part::new(&short.ids, 0, 0);
                let chunk = Part::new(&long.ids[start..end], start, 3);
                let mut together = bench.step(&[beside, chunk]);
                chunked.extend(bits(&together.remove(1)));
                let name = &fixture.name;
                assert_eq!(bits(&together[0]), short_alone, "{name} by {size}");
            }
            assert_eq!(chunked, long_alone, "{} by {size}", fixture.name);
        }
    }
}

/// Groups of whole numbers lie otherwise in a part of a row, so that they round otherwise; they
/// must not round worse.
#[test]
fn whole_numbers_are_as_near_on_ranks_as_on_one() {
    let mut num_compared = 0;
    for fixture in Fixture::all() {
        let prompt = &fixture.golden.prompts[2];
        let logits = |bench: &Bench| {
            bench
                .step(&[Part::new(&prompt.ids, 0, 0)])
                .remove(0)
                .concat()
        };
        let exact = logits(&fixture.bench(KernelSet::best(), WeightType::F32));
        for size in fixture.sizes() {
            for weight_type in [WeightType::Int8, WeightType::Int4] {
                let error = |bench: &Bench| {
                    let rounded = logits(bench);
                    let squares = rounded.iter().zip(&exact).map(|(a, b)| (a - b).powi(2));
                    (squares.sum::<f32>() / exact.len() as f32).sqrt()
                };
                let one = error(&fixture.bench(KernelSet::best(), weight_type));
                let ranks = error(&fixture.split(KernelSet::best(), weight_type, size));
                let name = &fixture.name;
                assert!(
                    ranks > 0.0 && ranks < 1.5 * one,
                    "{name} {weight_type:?}: {ranks} {one}"
                );
                num_compared += 1;
            }
        }
    }
    assert!(num_compared >= 40, "{num_compared}");
}

/// The fixture has five heads, so its weights are made here, of the same seed for any number of
/// ranks.
#[test]
fn a_shared_expert_and_random_weights_are_split_as_all_else() {
    let fixture = Fixture::all()
        .into_iter()
        .find(|fixture| fixture.name == "qwen2-moe")
        .unwrap();
    let text = std::fs::read_to_string(fixture.dir.join("config.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["num_attention_heads"] = 4.into();
    json["num_key_value_heads"] = 2.into();
    let config = DecoderConfig::parse(&json.to_string()).unwrap();
    let ids = &fixture.golden.prompts[1].ids;
    let logits = |num_ranks: usize| {
        let kernels = |_| Kernels::new(KernelSet::best(), ThreadPool::new(1).unwrap());
        let ranks = Kernels::connect((0..num_ranks).map(kernels).collect()).unwrap();
        let checkpoint = Checkpoint::random(7, config.num_parameters());
        let bench = Bench::of(config.clone(), &checkpoint, ranks, WeightType::F32, 128);
        bench.step(&[Part::new(ids, 0, 0)]).remove(0)
    };
    let (one, two) = (logits(1), logits(2));
    for (one, two) in one.iter().zip(&two) {
        assert!(distance(one, two) < 1e-6, "{}", distance(one, two));
        assert!(one.iter().any(|logit| logit.abs() > 1e-2));
    }
    assert_ne!(bits(&one), bits(&two), "ranks add in another order");
}

#[test]
fn what_cannot_be_split_is_refused_by_its_numbers() {
    let refusal = |name: &str, size| {
        let mut fixtures = Fixture::all().into_iter();
        let fixture = fixtures.find(|fixture| fixture.name == name);
        let config = fixture.unwrap().config();
        config.of_rank(shard(size)).unwrap_err().to_string()
    };
    for (name, size, words) in [
        (
            "phi4-mini",
            2,
            "`tensor_parallel` is 2, but the model has 3 heads of queries",
        ),
        (
            "granite",
            2,
            "`tensor_parallel` is 2, but the model has 3 heads of keys and values",
        ),
        (
            "smollm3",
            3,
            "`tensor_parallel` is 3, but an MLP of the model is 80 wide",
        ),
        (
            "olmo2",
            2,
            "norms the queries of all heads of a token together",
        ),
    ] {
        let message = refusal(name, size);
        assert!(message.contains(words), "{message}");
    }
}
