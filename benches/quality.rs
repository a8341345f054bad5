//! What quantisation costs: the Kullback-Leibler divergence of a quantised model's next token
//! from that of the same model in bf16, and perplexity, over administrative prose.
//!
//!     cargo bench --bench quality -- [--model DIR] [--quantize int8,int4,bf16+kv8] [--tokens 20000] [--from 0]
//!
//! `+kv8` keeps keys and values as 8 bits too.

use clap::Parser;
use guichet::kernels::{
    AttentionSpan, Batch, KernelSet, Kernels, KvType, RowUse, ThreadPool, WeightType,
};
use guichet::model::{Checkpoint, Decoder, DecoderConfig, DecoderLimits, KvCache, Precision};
use guichet::text::Tokenizer;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Tokens that see each other.
const CONTEXT: usize = 512;
const TEXTS: [&str; 3] = ["en", "fr", "de"];

#[derive(Parser)]
struct Args {
    #[arg(long, default_value = "weights/smollm2-135m-instruct")]
    model: PathBuf,
    #[arg(long, value_delimiter = ',', default_value = "int8,int4,bf16+kv8")]
    quantize: Vec<String>,
    #[arg(long, default_value_t = 20_000)]
    tokens: usize,
    /// Positions of a context before this one are not counted; llama.cpp's own tool counts from 256.
    #[arg(long, default_value_t = 0)]
    from: usize,
    /// What cargo passes.
    #[arg(long, hide = true)]
    bench: bool,
}

struct Model {
    name: String,
    decoder: Decoder,
    cache: KvCache,
}

/// Sums over the tokens of a text.
#[derive(Default, Clone)]
struct Cost {
    divergences: Vec<f64>,
    log_likelihood: f64,
}

impl Model {
    fn load(dir: &Path, name: &str, kernels: &Kernels) -> Result<Self, Box<dyn Error>> {
        let (weights, kv_type) = match name.split_once('+') {
            None => (name, KvType::Bf16),
            Some((weights, "kv8")) => (weights, KvType::Int8),
            Some((_, other)) => return Err(format!("`{other}` is not kv8").into()),
        };
        let precision = match weights {
            "f32" => WeightType::F32.into(),
            "bf16" => WeightType::Bf16.into(),
            "int8" => WeightType::Int8.into(),
            "int4" => Precision {
                layers: WeightType::Int4,
                tables: WeightType::Int8,
            },
            other => return Err(format!("`{other}` is none of f32, bf16, int8 and int4").into()),
        };
        let config = DecoderConfig::from_dir(dir)?;
        let limits = DecoderLimits {
            max_rows: CONTEXT,
            max_output_rows: CONTEXT,
            max_positions: CONTEXT,
        };
        let cache = KvCache::new(
            &config,
            kernels,
            kv_type,
            &[CONTEXT.div_ceil(KvCache::block_size())],
        )?;
        let checkpoint = Checkpoint::open(dir)?;
        Ok(Self {
            name: name.to_owned(),
            decoder: Decoder::load(config, &checkpoint, kernels.clone(), precision, limits)?,
            cache,
        })
    }

    /// Log-probabilities of every next token, row by row.
    fn log_probabilities(&self, ids: &[u32]) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
        let positions: Vec<u32> = (0..ids.len() as u32).collect();
        let block_table: Vec<u32> = (0..CONTEXT.div_ceil(KvCache::block_size()) as u32).collect();
        let spans = [vec![AttentionSpan {
            rows: 0..ids.len(),
            start: 0,
            block_table: &block_table,
        }]];
        let output_rows: Vec<u32> = (0..ids.len() as u32).collect();
        let batch = Batch {
            token_ids: ids,
            positions: &positions,
            spans: &spans,
            output_rows: &output_rows,
        };
        let logits = self.decoder.forward(&batch, &self.cache)?;
        let uses = vec![RowUse::Values; ids.len()];
        let kernels = self.decoder.kernels();
        let rows = kernels.for_logits(&logits, &uses, |_, row| {
            row.values
                .iter()
                .map(|logit| logit - row.summary.log_sum_exp)
                .collect::<Vec<f32>>()
        })?;
        Ok(rows)
    }
}

fn divergence(reference: &[f32], other: &[f32]) -> f64 {
    reference
        .iter()
        .zip(other)
        .map(|(p, q)| f64::from(*p).exp() * f64::from(p - q))
        .sum()
}

impl Cost {
    fn add(&mut self, reference: &[Vec<f32>], other: &[Vec<f32>], ids: &[u32], from: usize) {
        let rows = reference.iter().zip(other).zip(&ids[1..]);
        for ((p, q), next) in rows.skip(from) {
            self.divergences.push(divergence(p, q));
            self.log_likelihood += f64::from(q[*next as usize]);
        }
    }

    fn report(&mut self, text: &str, name: &str) {
        self.divergences.sort_by(f64::total_cmp);
        let num = self.divergences.len();
        if num == 0 {
            println!("{text:>5}  {name:>8}  no tokens");
            return;
        }
        println!(
            "{text:>5}  {name:>8}  {num:>6} tokens  mean KL {:.6}  99 % {:.4}  perplexity {:.3}",
            self.divergences.iter().sum::<f64>() / num as f64,
            self.divergences[num * 99 / 100],
            (-self.log_likelihood / num as f64).exp(),
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let threads = std::thread::available_parallelism()?.get();
    let kernels = Kernels::new(KernelSet::best(), ThreadPool::new(threads)?);
    let tokenizer = Tokenizer::from_dir(&args.model)?;
    let reference = Model::load(&args.model, "bf16", &kernels)?;
    let models = args
        .quantize
        .iter()
        .map(|name| Model::load(&args.model, name, &kernels))
        .collect::<Result<Vec<_>, _>>()?;
    let mut totals = vec![Cost::default(); models.len() + 1];
    for name in TEXTS {
        let path = Path::new("tests/fixtures/prose")
            .join(name)
            .with_extension("txt");
        let ids = tokenizer.encode_prompt(&std::fs::read_to_string(path)?)?;
        let ids = &ids[..ids.len().min(args.tokens / TEXTS.len() + 1)];
        let mut costs = vec![Cost::default(); models.len() + 1];
        for ids in ids.chunks(CONTEXT).filter(|ids| ids.len() > args.from + 1) {
            let expected = reference.log_probabilities(ids)?;
            costs[0].add(&expected, &expected, ids, args.from);
            for (cost, model) in costs[1..].iter_mut().zip(&models) {
                cost.add(&expected, &model.log_probabilities(ids)?, ids, args.from);
            }
        }
        let names = std::iter::once("bf16").chain(models.iter().map(|model| &*model.name));
        for ((cost, total), model) in costs.iter_mut().zip(&mut totals).zip(names) {
            cost.report(name, model);
            total.divergences.extend(&cost.divergences);
            total.log_likelihood += cost.log_likelihood;
        }
    }
    let names = std::iter::once("bf16").chain(models.iter().map(|model| &*model.name));
    for (total, model) in totals.iter_mut().zip(names) {
        total.report("all", model);
    }
    Ok(())
}
