//! Prefill and decode of a checkpoint in process, as `llama-bench` measures them: tokens per
//! second of the decoder alone, with greedy sampling.
//!
//!     cargo bench --bench decoder -- [--model DIR] [--quantize none|int8|int4] [--threads N]
//!         [--prefill 512,2048] [--decode 1,16] [--context 512] [--rounds N] [--kernels NAME] [--json]

use clap::Parser;
use guichet::engine::{
    ModelOptions, Quantize, SampleRequest, SamplingParams, StepItem, StepRunner,
};
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

const BLOCK: usize = 32;
const STEPS: usize = 32;
/// Tokens of a step, as of the server.
const CHUNK: usize = 512;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value = "weights/smollm2-135m-instruct")]
    model: PathBuf,
    #[arg(long, default_value = "none", value_parser = ["none", "int8", "int4"])]
    quantize: String,
    #[arg(long)]
    threads: Option<usize>,
    #[arg(long, value_delimiter = ',', default_value = "512,2048")]
    prefill: Vec<usize>,
    /// Sequences that decode side by side.
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    decode: Vec<usize>,
    /// Tokens before the decoded ones where several sequences decode; one alone has 16.
    #[arg(long, default_value_t = 512)]
    context: usize,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[arg(long)]
    kernels: Option<String>,
    #[arg(long)]
    json: bool,
    /// What cargo passes.
    #[arg(long, hide = true)]
    bench: bool,
}

struct Bench {
    runner: Box<dyn StepRunner>,
    params: SamplingParams,
}

impl Bench {
    /// Computes `tokens` of sequence `index` from `start` on.
    fn prefill(&mut self, index: usize, tables: &[Vec<u32>], num_tokens: usize) {
        let tokens: Vec<u32> = (0..num_tokens).map(|i| (i * 37 % 40_000) as u32).collect();
        for start in (0..num_tokens).step_by(CHUNK) {
            let end = (start + CHUNK).min(num_tokens);
            let item = StepItem {
                sequence: index as u64,
                tokens: &tokens[start..end],
                start,
                block_tables: tables,
                sample: (end == num_tokens).then_some(SampleRequest {
                    params: &self.params,
                    prompt: &tokens,
                    generated: &[],
                    banned: &[],
                    constraint: None,
                }),
                score: None,
            };
            self.runner.execute(&[item]).expect("a step is computed");
        }
    }

    fn decode(&mut self, tables: &[Vec<Vec<u32>>], context: usize) {
        let mut tokens = vec![[7u32]; tables.len()];
        for step in 0..STEPS {
            let items: Vec<StepItem<'_>> = tables
                .iter()
                .zip(&tokens)
                .enumerate()
                .map(|(index, (tables, tokens))| StepItem {
                    sequence: index as u64,
                    tokens,
                    start: context + step,
                    block_tables: tables,
                    sample: Some(SampleRequest {
                        params: &self.params,
                        prompt: tokens,
                        generated: &[],
                        banned: &[],
                        constraint: None,
                    }),
                    score: None,
                })
                .collect();
            let output = self.runner.execute(&items).expect("a step is computed");
            for (tokens, output) in tokens.iter_mut().zip(output.items) {
                tokens[0] = output.sampled.expect("a token").id;
            }
        }
    }
}

/// Tokens per second, the median of some rounds after one that warms up.
fn median(rounds: usize, num_tokens: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut seconds: Vec<f64> = (0..rounds)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    num_tokens as f64 / seconds[rounds / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let longest = args.prefill.iter().copied().max().unwrap_or(0);
    let widest = args.decode.iter().copied().max().unwrap_or(1);
    let len = longest.max(args.context + STEPS).next_multiple_of(BLOCK);
    let options = ModelOptions {
        quantize: match args.quantize.as_str() {
            "int8" => Some(Quantize::Int8),
            "int4" => Some(Quantize::Int4),
            _ => None,
        },
        kernels: args.kernels,
        num_threads: args.threads,
        max_model_len: Some(len),
        max_num_batched_tokens: CHUNK,
        ..ModelOptions::default()
    };
    let started = Instant::now();
    let model = guichet::engine::load(&args.model, &options)?;
    let loaded = started.elapsed().as_secs_f64();
    if !args.json {
        println!("{}\nloaded in {loaded:.2} s", model.description);
    }
    let mut bench = Bench {
        runner: model.runner,
        params: SamplingParams {
            temperature: 0.0,
            ..SamplingParams::default()
        },
    };
    let blocks = len / BLOCK;
    let tables: Vec<Vec<Vec<u32>>> = (0..widest)
        .map(|i| vec![((i * blocks) as u32..((i + 1) * blocks) as u32).collect()])
        .collect();
    let mut report = json!({"loaded_s": loaded, "prefill": {}, "decode": {}});
    for num_tokens in &args.prefill {
        let speed = median(args.rounds, *num_tokens, || {
            bench.prefill(0, &tables[0], *num_tokens);
        });
        report["prefill"][num_tokens.to_string()] = json!(speed);
    }
    for num_seqs in &args.decode {
        let context = if *num_seqs == 1 { 16 } else { args.context };
        for (index, tables) in tables[..*num_seqs].iter().enumerate() {
            bench.prefill(index, tables, context);
        }
        let speed = median(args.rounds, STEPS * num_seqs, || {
            bench.decode(&tables[..*num_seqs], context);
        });
        report["decode"][num_seqs.to_string()] = json!(speed);
    }
    println!("{report}");
    Ok(())
}
