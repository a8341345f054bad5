//! The log-probabilities that a step reports, against the golden logits.

use crate::golden::{Bench, Prompt, fixtures, log_softmax, read_golden, read_logits};
use guichet::engine::{
    ItemOutput, ModelOptions, ModelRunner, SampleRequest, SamplingParams, ScoreRequest, StepItem,
    StepRunner, TokenOutput, load,
};
use guichet::kernels::{KernelSet, WeightType};

const NUM_TOP: usize = 5;

fn supported() -> impl Iterator<Item = KernelSet> {
    KernelSet::ALL.into_iter().filter(|set| set.is_supported())
}

fn runner(name: &str, set: KernelSet) -> ModelRunner {
    Bench::load(&fixtures().join(name), set, WeightType::F32).into_runner()
}

fn prompts(name: &str) -> Vec<Prompt> {
    read_golden(&fixtures().join(name).join("golden.json")).prompts
}

fn greedy() -> SamplingParams {
    SamplingParams {
        temperature: 0.0,
        num_top_logprobs: NUM_TOP,
        ..SamplingParams::default()
    }
}

/// A range of `ids` in `blocks`, of which nothing is wanted yet.
fn item<'a>(ids: &'a [u32], start: usize, blocks: &'a [Vec<u32>]) -> StepItem<'a> {
    StepItem {
        sequence: 0,
        tokens: ids,
        start,
        block_tables: blocks,
        sample: None,
        score: None,
    }
}

fn sampling<'a>(item: StepItem<'a>, params: &'a SamplingParams) -> StepItem<'a> {
    StepItem {
        sample: Some(SampleRequest {
            params,
            prompt: &[],
            generated: &[],
            banned: &[],
            constraint: None,
        }),
        ..item
    }
}

fn scoring<'a>(item: StepItem<'a>, targets: &'a [u32]) -> StepItem<'a> {
    StepItem {
        score: Some(ScoreRequest {
            targets,
            num_top: NUM_TOP,
        }),
        ..item
    }
}

fn execute(runner: &mut dyn StepRunner, step: &[StepItem<'_>]) -> Vec<ItemOutput> {
    let output = runner.execute(step).unwrap();
    assert_eq!(output.items.len(), step.len());
    output.items
}

/// `token` and what is beside it are what the golden logits say.
fn check(token: &TokenOutput, golden: &[f32]) {
    let near = |got: f32, expected: f64| {
        assert!(
            (f64::from(got) - expected).abs() < 1e-3,
            "{got} for {expected}"
        );
    };
    let golden = log_softmax(golden);
    near(token.logprob, golden[token.id as usize]);
    assert_eq!(token.top.len(), NUM_TOP);
    let mut sorted = golden.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    for (rank, top) in token.top.iter().enumerate() {
        // Two that are nearly equal may have changed places.
        near(top.logprob, golden[top.id as usize]);
        near(top.logprob, sorted[rank]);
        let before = token.top[..rank].iter();
        assert!(before.clone().all(|other| other.id != top.id));
        assert!(before.clone().all(|other| other.logprob >= top.logprob));
    }
}

#[test]
fn scored_prompts_have_the_log_probabilities_of_transformers() {
    let (blocks, params) = ([(0..16).collect()], greedy());
    for name in ["tiny-llama", "tiny-llama-tied"] {
        let prompts = prompts(name);
        let logits = read_logits(&fixtures().join(name), prompts.len());
        for set in supported() {
            let mut runner = runner(name, set);
            for (prompt, golden) in prompts.iter().zip(&logits) {
                let whole = sampling(item(&prompt.ids, 0, &blocks), &params);
                let step = [scoring(whole, &prompt.ids[1..])];
                let output = execute(&mut runner, &step).remove(0);
                assert_eq!(output.scored.len(), prompt.ids.len() - 1);
                for (row, token) in output.scored.iter().enumerate() {
                    assert_eq!(token.id, prompt.ids[row + 1]);
                    check(token, &golden[row]);
                }
                let sampled = output.sampled.unwrap().unwrap();
                assert_eq!(sampled.id, prompt.greedy.ids[0]);
                check(&sampled, golden.last().unwrap());
            }
        }
    }
}

#[test]
fn tokens_that_follow_a_known_text_have_the_log_probabilities_of_transformers() {
    let (blocks, params) = ([(0..16).collect()], greedy());
    for name in ["tiny-llama", "tiny-llama-tied"] {
        let prompts = prompts(name);
        let logits = read_logits(&fixtures().join(name), prompts.len());
        let mut runner = runner(name, KernelSet::best());
        for (prompt, golden) in prompts.iter().zip(&logits) {
            for (position, golden) in golden.iter().enumerate() {
                let one = item(&prompt.ids[position..][..1], position, &blocks);
                let output = execute(&mut runner, &[sampling(one, &params)]).remove(0);
                let sampled = output.sampled.unwrap().unwrap();
                assert_eq!(sampled.logprob, sampled.top[0].logprob);
                check(&sampled, golden);
            }
        }
    }
}

#[test]
fn generated_tokens_have_the_log_probabilities_of_transformers() {
    let (blocks, params) = ([(0..16).rev().collect()], greedy());
    for name in ["tiny-llama", "tiny-llama-tied"] {
        for set in supported() {
            let mut runner = runner(name, set);
            for prompt in &prompts(name) {
                let (mut computed, mut ids) = (0, prompt.ids.clone());
                for (id, logprob) in prompt.greedy.ids.iter().zip(&prompt.greedy.logprobs) {
                    let next = sampling(item(&ids[computed..], computed, &blocks), &params);
                    let token = execute(&mut runner, &[next])
                        .remove(0)
                        .sampled
                        .unwrap()
                        .unwrap();
                    assert_eq!(token.id, *id, "{name} with {set}");
                    assert!((token.logprob - logprob).abs() < 1e-3);
                    assert_eq!(
                        (token.top[0].id, token.top[0].logprob),
                        (*id, token.logprob)
                    );
                    computed = ids.len();
                    ids.push(*id);
                }
            }
        }
    }
}

#[test]
fn scores_have_the_same_bits_in_chunks_and_beside_other_items() {
    let prompts = prompts("tiny-llama");
    let (short, long) = (&prompts[1].ids, &prompts[3].ids);
    let blocks = [
        vec![vec![0u32, 1, 2, 3]],
        vec![vec![4, 5, 6, 7]],
        vec![vec![8, 9, 10, 11]],
    ];
    let params = greedy();
    let mut runner = runner("tiny-llama", KernelSet::best());
    let mut targets = long[1..].to_vec();
    targets.push(7);
    let whole = scoring(sampling(item(long, 0, &blocks[0]), &params), &targets);
    assert_eq!(whole.num_outputs(), long.len());
    let whole = execute(&mut runner, &[whole]).remove(0);
    assert_eq!(whole.scored.len(), long.len());

    for chunk in [1, 7, 40] {
        let mut scored = Vec::new();
        for start in (0..long.len()).step_by(chunk) {
            let end = (start + chunk).min(long.len());
            let range = item(&long[start..end], start, &blocks[0]);
            let output = execute(&mut runner, &[scoring(range, &targets[start..end])]).remove(0);
            assert_eq!(output.sampled, None);
            scored.extend(output.scored);
        }
        assert_eq!(scored, whole.scored, "chunks of {chunk}");
    }

    // Sampled alone, scored in part, both, and both at the last row, in different company.
    let range = |index: usize| item(short, 0, &blocks[index]);
    let score = &short[1..4];
    let alone: Vec<ItemOutput> = [
        sampling(range(0), &params),
        scoring(sampling(range(0), &params), score),
        scoring(range(0), score),
    ]
    .into_iter()
    .map(|item| execute(&mut runner, &[item]).remove(0))
    .collect();
    let step = [
        sampling(range(1), &params),
        scoring(sampling(item(long, 0, &blocks[0]), &params), &targets),
        scoring(sampling(range(2), &params), score),
    ];
    let together = execute(&mut runner, &step);
    assert_eq!(together, [alone[0].clone(), whole, alone[1].clone()]);
    let step = [
        scoring(range(2), score),
        range(1),
        sampling(range(0), &params),
    ];
    let together = execute(&mut runner, &step);
    let nothing = ItemOutput::default();
    assert_eq!(together, [alone[2].clone(), nothing, alone[0].clone()]);
    assert_eq!(alone[1].sampled, alone[0].sampled);
    assert_eq!(alone[1].scored, alone[2].scored);
    assert_eq!(alone[2].scored.len(), 3);
}

#[test]
fn a_loaded_model_computes_as_many_outputs_as_it_promises() {
    let dir = fixtures().join("tiny-llama");
    let ids = &prompts("tiny-llama")[5].ids;
    for (max_num_batched_tokens, max_num_seqs, expected) in
        [(128, 2, 64), (128, 100, 100), (16, 4, 16), (8, 100, 8)]
    {
        let options = ModelOptions {
            num_threads: Some(2),
            kv_cache_bytes: Some(16 << 20),
            max_num_batched_tokens: Some(max_num_batched_tokens),
            max_num_seqs,
            ..ModelOptions::default()
        };
        let mut model = load(&dir, &options).unwrap();
        assert_eq!(model.config.max_num_outputs, expected);
        assert_eq!(
            model.config.max_num_seqs,
            max_num_seqs.min(max_num_batched_tokens)
        );
        let blocks = [(0..16).collect::<Vec<u32>>()];
        let targets = &ids[1..=expected];
        let step = [scoring(item(&ids[..expected], 0, &blocks), targets)];
        let output = execute(&mut *model.runner, &step).remove(0);
        assert_eq!(output.scored.len(), expected);
    }
}
