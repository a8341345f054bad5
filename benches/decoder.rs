//! Prefill and decode of a checkpoint in process, as `llama-bench` measures them: tokens per
//! second of the decoder alone, with greedy sampling; beside them what the machine could do at
//! most (`roofline`): its dot products for the sums, its memory for the weights and the cache.
//!
//!     cargo bench --bench decoder -- [--model DIR] [--quantize none|int8|int4]
//!         [--kv-cache-dtype auto|int8] [--threads N]
//!         [--prefill 512,2048] [--decode 1,16] [--context 512] [--rounds N] [--kernels NAME] [--json]
//!         [--request 143,64 --streams 1,16,32]
//!         [--device cuda|metal [--deterministic false]] [--weights random:1] [--chunk 8192]

mod machine;

use clap::Parser;
use guichet::engine::{
    DeviceChoice, ModelOptions, Quantize, SampleRequest, SamplingParams, StepItem, StepRunner,
};
use guichet::kernels::KvType;
use guichet::model::DecoderConfig;
use machine::Product;
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

const BLOCK: usize = 32;
const STEPS: usize = 32;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value = "weights/smollm2-135m-instruct")]
    model: PathBuf,
    #[arg(long, default_value = "none", value_parser = ["none", "int8", "int4"])]
    quantize: String,
    #[arg(long, default_value = "auto", value_parser = ["auto", "int8"])]
    kv_cache_dtype: String,
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
    /// Tokens of a request's prompt and of its answer, for what streams of requests could get at
    /// most.
    #[arg(long, value_delimiter = ',')]
    request: Vec<usize>,
    #[arg(long, value_delimiter = ',', default_value = "1,16,32")]
    streams: Vec<usize>,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[arg(long)]
    kernels: Option<String>,
    #[arg(long, default_value = "cpu", value_parser = ["cpu", "cuda", "metal"])]
    device: String,
    /// On a GPU; left out: where it can.
    #[arg(long, action = clap::ArgAction::Set)]
    deterministic: Option<bool>,
    /// `random:SEED` in place of the checkpoint's.
    #[arg(long)]
    weights: Option<String>,
    /// Tokens of a step, as of the server.
    #[arg(long, default_value_t = 512)]
    chunk: usize,
    #[arg(long)]
    json: bool,
    /// What cargo passes.
    #[arg(long, hide = true)]
    bench: bool,
}

struct Bench {
    runner: Box<dyn StepRunner>,
    params: SamplingParams,
    chunk: usize,
}

impl Bench {
    /// Computes `tokens` of sequence `index` from `start` on.
    fn prefill(&mut self, index: usize, tables: &[Vec<u32>], num_tokens: usize) {
        let tokens: Vec<u32> = (0..num_tokens).map(|i| (i * 37 % 40_000) as u32).collect();
        for start in (0..num_tokens).step_by(self.chunk) {
            let end = (start + self.chunk).min(num_tokens);
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
                tokens[0] = output.sampled.expect("a token").expect("no constraint").id;
            }
        }
    }
}

/// What a step takes of the machine, at the least.
struct Roofline {
    config: DecoderConfig,
    quantize: String,
    /// Of a number in the KV cache.
    kv_bytes: f64,
    /// Operations and bytes per second.
    product: Option<f64>,
    attention: Option<f64>,
    bandwidth: f64,
}

impl Roofline {
    fn measure(
        config: DecoderConfig,
        quantize: &str,
        kv_cache_dtype: &str,
        num_threads: usize,
    ) -> Self {
        let product = match quantize {
            "none" => Product::Bf16,
            _ => Product::Int8,
        };
        let head_dim = config.attention.head_dim as f64;
        let mut roofline = Self {
            config,
            quantize: quantize.to_owned(),
            kv_bytes: if kv_cache_dtype == "int8" {
                1.0 + 4.0 / head_dim
            } else {
                2.0
            },
            product: machine::peak(product, num_threads),
            attention: machine::peak(Product::Bf16, num_threads),
            bandwidth: 0.0,
        };
        let (layers, head) = roofline.weight_bytes();
        roofline.bandwidth = machine::read_bandwidth((layers + head) as usize, num_threads);
        roofline
    }

    /// Weights of the layers and of the output head.
    fn num_weights(&self) -> (f64, f64) {
        let config = &self.config;
        let hidden = config.hidden_size;
        let attention = (config.attention.qkv_width() + config.attention.q_width()) * hidden;
        let layers = config.layers.iter();
        let layers = layers.map(|layer| attention + layer.mlp.num_parameters(hidden));
        (
            layers.sum::<usize>() as f64,
            (config.vocab_size * hidden) as f64,
        )
    }

    fn weight_bytes(&self) -> (f64, f64) {
        let (layer_bits, head_bits) = match self.quantize.as_str() {
            "int8" => (8.25, 8.25),
            "int4" => (4.5, 8.25),
            _ => (16.0, 16.0),
        };
        let (layers, head) = self.num_weights();
        (layers * layer_bits / 8.0, head * head_bits / 8.0)
    }

    /// Seconds that computing `rows` tokens takes of which `outputs` need logits and which see
    /// `seen` keys together.
    fn computing(&self, rows: usize, outputs: usize, seen: f64) -> Option<f64> {
        let (layers, head) = self.num_weights();
        let (config, shape) = (&self.config, self.config.attention);
        let products = 2.0 * (layers * rows as f64 + head * outputs as f64);
        let attention = 4.0 * seen * (config.num_layers * shape.q_width()) as f64;
        Some(products / self.product? + attention / self.attention?)
    }

    /// Seconds that reading all weights `times` and `read` keys and values takes.
    fn reading(&self, times: usize, read: f64) -> f64 {
        let (layers, head) = self.weight_bytes();
        let (config, shape) = (&self.config, self.config.attention);
        let width = config.num_layers * shape.num_kv_heads * shape.head_dim;
        let kv = 2.0 * self.kv_bytes * read * width as f64;
        (times as f64 * (layers + head) + kv) / self.bandwidth
    }

    /// Seconds of a step of `rows` tokens, `read` keys being read from memory.
    fn seconds(&self, rows: usize, outputs: usize, seen: f64, read: f64) -> Option<f64> {
        let computing = self.computing(rows, outputs, seen)?;
        Some(computing.max(self.reading(1, read)))
    }

    /// New tokens a second of streams that each ask one request after the other: what no
    /// schedule exceeds. A stream alone computes its prompt, then token after token; several may
    /// compute while others read, but each of their tokens is a step.
    fn requests(&self, num_streams: usize, prompt: usize, new: usize) -> Option<f64> {
        let seen_by_prompt = (prompt * (prompt + 1) / 2) as f64;
        if num_streams == 1 {
            let mut seconds = self.seconds(prompt, 1, seen_by_prompt, prompt as f64)?;
            for context in prompt + 1..prompt + new {
                seconds += self.seconds(1, 1, context as f64, context as f64)?;
            }
            return Some(new as f64 / seconds);
        }
        let read = num_streams * (prompt + 1..prompt + new).sum::<usize>();
        let seen = num_streams as f64 * seen_by_prompt + read as f64;
        let rows = num_streams * (prompt + new - 1);
        let computing = self.computing(rows, num_streams * new, seen)?;
        let reading = self.reading(new, read as f64);
        Some((num_streams * new) as f64 / computing.max(reading))
    }

    fn prefill(&self, num_tokens: usize) -> Option<f64> {
        let seen = (num_tokens * (num_tokens + 1) / 2) as f64;
        let seconds = self.seconds(num_tokens, 1, seen, num_tokens as f64)?;
        Some(num_tokens as f64 / seconds)
    }

    fn decode(&self, num_seqs: usize, context: usize) -> Option<f64> {
        let seen = (num_seqs * (context + STEPS / 2)) as f64;
        Some(num_seqs as f64 / self.seconds(num_seqs, num_seqs, seen, seen)?)
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

/// The seed of `random:SEED`.
fn random_weights(text: Option<&str>) -> Result<Option<u32>, Box<dyn Error>> {
    let Some(text) = text else { return Ok(None) };
    let seed = text
        .strip_prefix("random:")
        .ok_or("--weights is random:SEED")?;
    Ok(Some(seed.parse()?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let longest = args.prefill.iter().copied().max().unwrap_or(0);
    let widest = args.decode.iter().copied().max().unwrap_or(1);
    let len = longest.max(args.context + STEPS).next_multiple_of(BLOCK);
    let options = ModelOptions {
        kv_type: (args.kv_cache_dtype == "int8").then_some(KvType::Int8),
        quantize: match args.quantize.as_str() {
            "int8" => Some(Quantize::Int8),
            "int4" => Some(Quantize::Int4),
            _ => None,
        },
        kernels: args.kernels,
        num_threads: args.threads,
        max_model_len: Some(len),
        max_num_batched_tokens: Some(args.chunk),
        max_num_seqs: widest.max(64),
        device: match args.device.as_str() {
            "cuda" => DeviceChoice::Cuda(0),
            "metal" => DeviceChoice::Metal,
            _ => DeviceChoice::Cpu,
        },
        deterministic: args.deterministic,
        random_weights: random_weights(args.weights.as_deref())?,
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
        chunk: args.chunk,
    };
    let blocks = len / BLOCK;
    let tables: Vec<Vec<Vec<u32>>> = (0..widest)
        .map(|i| vec![((i * blocks) as u32..((i + 1) * blocks) as u32).collect()])
        .collect();
    let num_threads = args
        .threads
        .map_or_else(|| std::thread::available_parallelism().map(usize::from), Ok)?;
    let config = DecoderConfig::from_dir(&args.model)?;
    // What a GPU could do at most is for others to measure.
    let roofline = (args.device == "cpu")
        .then(|| Roofline::measure(config, &args.quantize, &args.kv_cache_dtype, num_threads));
    let mut report = json!({
        "loaded_s": loaded,
        "prefill": {},
        "decode": {},
        "roofline": {
            "prefill": {},
            "decode": {},
            "product_gops": roofline.as_ref().and_then(|r| r.product).map(|peak| peak / 1e9),
            "read_gb_s": roofline.as_ref().map(|r| r.bandwidth / 1e9),
        },
    });
    for num_tokens in &args.prefill {
        let speed = median(args.rounds, *num_tokens, || {
            bench.prefill(0, &tables[0], *num_tokens);
        });
        report["prefill"][num_tokens.to_string()] = json!(speed);
        report["roofline"]["prefill"][num_tokens.to_string()] =
            json!(roofline.as_ref().and_then(|r| r.prefill(*num_tokens)));
    }
    for num_seqs in &args.decode {
        let context = match (*num_seqs, args.device.as_str()) {
            (1, "cpu") => 16,
            _ => args.context,
        };
        for (index, tables) in tables[..*num_seqs].iter().enumerate() {
            bench.prefill(index, tables, context);
        }
        let speed = median(args.rounds, STEPS * num_seqs, || {
            bench.decode(&tables[..*num_seqs], context);
        });
        report["decode"][num_seqs.to_string()] = json!(speed);
        report["roofline"]["decode"][num_seqs.to_string()] =
            json!(roofline.as_ref().and_then(|r| r.decode(*num_seqs, context)));
    }
    if let &[prompt, new] = &*args.request {
        for num_streams in &args.streams {
            report["roofline"]["http"][num_streams.to_string()] = json!(
                roofline
                    .as_ref()
                    .and_then(|r| r.requests(*num_streams, prompt, new))
            );
        }
    }
    println!("{report}");
    Ok(())
}
