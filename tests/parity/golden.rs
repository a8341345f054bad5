use guichet::engine::ModelRunner;
use guichet::kernels::{AttentionSpan, Batch, KernelSet, Kernels, KvType, ThreadPool, WeightType};
use guichet::model::{Checkpoint, Decoder, DecoderConfig, DecoderLimits, KvCache};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What `scripts/make_fixtures.py` wrote of one prompt.
#[derive(Deserialize)]
pub struct Prompt {
    #[serde(default)]
    pub text: String,
    pub ids: Vec<u32>,
    pub greedy: Greedy,
}

#[derive(Deserialize)]
pub struct Greedy {
    pub ids: Vec<u32>,
    pub logprobs: Vec<f32>,
    /// Least lead of a greedy token over the next best log-probability.
    pub margin: f32,
}

#[derive(Deserialize)]
pub struct Golden {
    pub prompts: Vec<Prompt>,
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub fn read_golden(path: &Path) -> Golden {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The golden logits of each prompt of a tiny checkpoint, a row for each position.
pub fn read_logits(dir: &Path, num_prompts: usize) -> Vec<Vec<Vec<f32>>> {
    let bytes = std::fs::read(dir.join("golden.safetensors")).unwrap();
    let logits = SafeTensors::deserialize(&bytes).unwrap();
    (0..num_prompts)
        .map(|index| {
            let logits = logits.tensor(&format!("logits.{index}")).unwrap();
            let values: Vec<f32> = logits
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect();
            values
                .chunks_exact(logits.shape()[1])
                .map(<[f32]>::to_vec)
                .collect()
        })
        .collect()
}

/// A decoder on its own, without an engine.
pub struct Bench {
    pub decoder: Decoder,
    cache: KvCache,
    block_table: Vec<u32>,
}

impl Bench {
    pub fn load(dir: &Path, set: KernelSet, weight_type: WeightType) -> Self {
        let config = DecoderConfig::from_dir(dir).unwrap();
        let checkpoint = Checkpoint::open(dir).unwrap();
        let kernels = Kernels::new(set, ThreadPool::new(2).unwrap());
        let limits = DecoderLimits {
            max_rows: 256,
            max_output_rows: 256,
            max_positions: 512,
        };
        let kv_type = match weight_type {
            WeightType::F32 => KvType::F32,
            _ => KvType::Bf16,
        };
        let num_blocks = vec![16; config.kv_groups().len()];
        let cache = KvCache::new(&config, &kernels, kv_type, &num_blocks).unwrap();
        let decoder =
            Decoder::load(config, &checkpoint, kernels, weight_type.into(), limits).unwrap();
        Self {
            decoder,
            cache,
            block_table: (0..16).rev().collect(),
        }
    }

    /// What an engine would compute its steps with; it has KV blocks 0 to 15.
    pub fn into_runner(self) -> ModelRunner {
        ModelRunner::new(self.decoder, self.cache)
    }

    /// Logits at every position of `ids`, which stand at `start`.
    pub fn logits(&self, ids: &[u32], start: usize) -> Vec<Vec<f32>> {
        let positions: Vec<u32> = (start..start + ids.len()).map(|p| p as u32).collect();
        let span = AttentionSpan {
            rows: 0..ids.len(),
            start,
            block_table: &self.block_table,
        };
        let spans = vec![vec![span]; self.decoder.config().kv_groups().len()];
        let output_rows: Vec<u32> = (0..ids.len() as u32).collect();
        let batch = Batch {
            token_ids: ids,
            positions: &positions,
            spans: &spans,
            output_rows: &output_rows,
        };
        self.decoder
            .forward(&batch, &self.cache)
            .unwrap()
            .to_rows()
            .unwrap()
    }

    /// Greedy continuation of `prompt` with its log-probabilities.
    pub fn greedy(&self, prompt: &[u32], count: usize) -> (Vec<u32>, Vec<f64>) {
        let mut ids = Vec::new();
        let mut logprobs = Vec::new();
        let mut row = self.logits(prompt, 0).pop().unwrap();
        while ids.len() < count {
            let best = argmax(&row);
            ids.push(best as u32);
            logprobs.push(log_softmax(&row)[best]);
            row = self
                .logits(&[best as u32], prompt.len() + ids.len() - 1)
                .pop()
                .unwrap();
        }
        (ids, logprobs)
    }
}

pub fn argmax(row: &[f32]) -> usize {
    (0..row.len())
        .max_by(|a, b| row[*a].total_cmp(&row[*b]).then(b.cmp(a)))
        .unwrap()
}

pub fn log_softmax(row: &[f32]) -> Vec<f64> {
    let max = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let total: f64 = row.iter().map(|x| (f64::from(*x) - max).exp()).sum();
    row.iter()
        .map(|x| f64::from(*x) - max - total.ln())
        .collect()
}
