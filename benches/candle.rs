//! Decode and prefill of a checkpoint, Guichet's decoder beside candle's own Llama (the
//! code path of candle's example), in one process and interleaved.
//!
//!     cargo bench --features bench-candle --bench candle [-- DIR [ROUNDS]]

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaConfig};
use guichet::kernels::{AttentionSpan, Batch, KernelSet, Kernels, KvType, ThreadPool, WeightType};
use guichet::model::{Checkpoint, Decoder, DecoderConfig, DecoderLimits, KvCache};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

const PREFILL: usize = 512;
const PROMPT: usize = 16;
const DECODE: usize = 48;

/// One implementation of the same model.
trait Peer {
    fn name(&self) -> String;
    /// Forgets the sequence before; not timed.
    fn reset(&mut self) -> Result<(), Box<dyn Error>>;
    /// Computes a whole prompt and returns the id of the most probable next token.
    fn prefill(&mut self, ids: &[u32]) -> Result<u32, Box<dyn Error>>;
    /// Computes one more token, at `position`.
    fn decode(&mut self, id: u32, position: usize) -> Result<u32, Box<dyn Error>>;
}

struct Guichet {
    decoder: Decoder,
    cache: KvCache,
    weight_type: WeightType,
    block_table: Vec<u32>,
}

fn kv_type(weight_type: WeightType) -> KvType {
    match weight_type {
        WeightType::F32 => KvType::F32,
        _ => KvType::Bf16,
    }
}

impl Guichet {
    fn load(
        dir: &Path,
        weight_type: WeightType,
        num_threads: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let config = DecoderConfig::from_dir(dir)?;
        let kernels = Kernels::new(KernelSet::best(), ThreadPool::new(num_threads)?);
        let limits = DecoderLimits {
            max_rows: PREFILL,
            max_output_rows: 1,
            max_positions: 1024,
        };
        let cache = KvCache::new(&config, &kernels, kv_type(weight_type), &[32])?;
        let decoder = Decoder::load(
            config,
            &Checkpoint::open(dir)?,
            kernels,
            weight_type.into(),
            limits,
        )?;
        Ok(Self {
            decoder,
            cache,
            weight_type,
            block_table: (0..32).collect(),
        })
    }

    fn forward(&self, ids: &[u32], start: usize) -> Result<u32, Box<dyn Error>> {
        let positions: Vec<u32> = (start..start + ids.len())
            .map(|position| position as u32)
            .collect();
        let spans = [vec![AttentionSpan {
            rows: 0..ids.len(),
            start,
            block_table: &self.block_table,
        }]];
        let batch = Batch {
            token_ids: ids,
            positions: &positions,
            spans: &spans,
            output_rows: &[ids.len() as u32 - 1],
        };
        let logits = self.decoder.forward(&batch, &self.cache)?;
        let best = self
            .decoder
            .kernels()
            .for_logits(&logits, &[], |_, row| row.summary.argmax)?;
        Ok(best[0] as u32)
    }
}

impl Peer for Guichet {
    fn name(&self) -> String {
        format!(
            "guichet {:?} {}",
            self.weight_type,
            self.decoder.kernels().set()
        )
    }

    fn reset(&mut self) -> Result<(), Box<dyn Error>> {
        Ok(())
    }

    fn prefill(&mut self, ids: &[u32]) -> Result<u32, Box<dyn Error>> {
        self.forward(ids, 0)
    }

    fn decode(&mut self, id: u32, position: usize) -> Result<u32, Box<dyn Error>> {
        self.forward(&[id], position)
    }
}

struct Candle {
    model: Llama,
    config: Config,
    cache: Cache,
    dtype: DType,
}

impl Candle {
    fn load(dir: &Path, dtype: DType) -> Result<Self, Box<dyn Error>> {
        let config: LlamaConfig = serde_json::from_slice(&std::fs::read(dir.join("config.json"))?)?;
        let config = config.into_config(false);
        // SAFETY: the file is not changed while the bench runs.
        let weights = unsafe {
            VarBuilder::from_mmaped_safetensors(
                &[dir.join("model.safetensors")],
                dtype,
                &Device::Cpu,
            )?
        };
        let model = Llama::load(weights, &config)?;
        let cache = Cache::new(true, dtype, &config, &Device::Cpu)?;
        Ok(Self {
            model,
            config,
            cache,
            dtype,
        })
    }

    fn forward(&mut self, ids: &[u32], start: usize) -> Result<u32, Box<dyn Error>> {
        let input = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        let logits = self.model.forward(&input, start, &mut self.cache)?;
        Ok(logits.squeeze(0)?.argmax(0)?.to_scalar()?)
    }
}

impl Peer for Candle {
    fn name(&self) -> String {
        format!("candle {:?}", self.dtype)
    }

    fn reset(&mut self) -> Result<(), Box<dyn Error>> {
        self.cache = Cache::new(true, self.dtype, &self.config, &Device::Cpu)?;
        Ok(())
    }

    fn prefill(&mut self, ids: &[u32]) -> Result<u32, Box<dyn Error>> {
        self.forward(ids, 0)
    }

    fn decode(&mut self, id: u32, position: usize) -> Result<u32, Box<dyn Error>> {
        self.forward(&[id], position)
    }
}

/// Tokens a second of each round.
#[derive(Default)]
struct Speeds {
    prefill: Vec<f64>,
    decode: Vec<f64>,
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let dir = arguments.next().map_or_else(
        || PathBuf::from("weights/smollm2-135m-instruct"),
        PathBuf::from,
    );
    let rounds: usize = arguments.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let num_threads = std::thread::available_parallelism()?.get();
    let mut peers: Vec<Box<dyn Peer>> = vec![
        Box::new(Guichet::load(&dir, WeightType::Bf16, num_threads)?),
        Box::new(Guichet::load(&dir, WeightType::F32, num_threads)?),
        Box::new(Candle::load(&dir, DType::F32)?),
        Box::new(Candle::load(&dir, DType::BF16)?),
    ];
    let prompt: Vec<u32> = (0..PREFILL as u32).map(|i| 500 + i * 37 % 20_000).collect();
    let mut speeds: Vec<Speeds> = peers.iter().map(|_| Speeds::default()).collect();
    // The first round warms up and is not counted.
    for round in 0..=rounds {
        let mut firsts = Vec::new();
        for (peer, speeds) in peers.iter_mut().zip(&mut speeds) {
            peer.reset()?;
            let start = Instant::now();
            firsts.push(peer.prefill(&prompt)?);
            let prefill = PREFILL as f64 / start.elapsed().as_secs_f64();
            peer.reset()?;
            let mut id = peer.prefill(&prompt[..PROMPT])?;
            let start = Instant::now();
            for step in 0..DECODE {
                id = peer.decode(id, PROMPT + step)?;
            }
            let decode = DECODE as f64 / start.elapsed().as_secs_f64();
            if round > 0 {
                speeds.prefill.push(prefill);
                speeds.decode.push(decode);
            }
        }
        // A figure counts only if both compute the same model: the f32 forms must agree.
        if firsts[1] != firsts[2] {
            return Err(format!("the peers disagree on the next token: {firsts:?}").into());
        }
    }
    println!(
        "{} on {num_threads} threads, medians of {rounds} interleaved rounds, tokens a second",
        dir.display()
    );
    println!("{:<28} {:>14} {:>10}", "", "prefill of 512", "decode");
    let mut medians = Vec::new();
    for (peer, speeds) in peers.iter().zip(&mut speeds) {
        let (prefill, decode) = (median(&mut speeds.prefill), median(&mut speeds.decode));
        println!("{:<28} {prefill:>14.1} {decode:>10.1}", peer.name());
        medians.push((prefill, decode));
    }
    let best =
        |of: fn(&(f64, f64)) -> f64, range: &[(f64, f64)]| range.iter().map(of).fold(0.0, f64::max);
    let (ours, theirs) = medians.split_at(2);
    println!(
        "guichet over candle, the faster type of each: prefill {:.2}, decode {:.2}",
        best(|m| m.0, ours) / best(|m| m.0, theirs),
        best(|m| m.1, ours) / best(|m| m.1, theirs),
    );
    Ok(())
}
