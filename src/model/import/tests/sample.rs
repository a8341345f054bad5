//! A tiny Llama checkpoint, written as llama.cpp's converter would.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use tempfile::TempDir;

use super::super::{ImportError, Imported, import};

pub(super) const HIDDEN: usize = 256;
pub(super) const HEAD_DIM: usize = 64;
pub(super) const HEADS: usize = 4;
pub(super) const KV_HEADS: usize = 2;
pub(super) const CONTROL: [&str; 3] = ["<|bos|>", "<|eos|>", "<|eot_id|>"];
pub(super) const TEMPLATE: &str = "{{ bos_token }}{{ messages[0].content }}<|eot_id|>";

/// What goes into the file; tests change it before writing.
pub(super) struct Sample {
    pub(super) metadata: BTreeMap<String, Value>,
    /// Under GGUF's names, in Hugging Face's row order.
    pub(super) weights: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    pub(super) dtype: GgmlDType,
}

impl Sample {
    pub(super) fn new() -> Self {
        let number = Value::U32;
        let text = |text: &str| Value::String(text.into());
        let tokens = tokens();
        let kinds = tokens.iter().map(|(_, kind)| Value::I32(*kind)).collect();
        let merges = ["t h", "th e", "Ġ the", "Ã ©"].map(text).to_vec();
        let metadata = [
            ("general.architecture", text("llama")),
            ("general.name", text("Tiny")),
            ("llama.block_count", number(1)),
            ("llama.context_length", number(128)),
            ("llama.embedding_length", number(HIDDEN as u32)),
            ("llama.feed_forward_length", number(512)),
            ("llama.attention.head_count", number(HEADS as u32)),
            ("llama.attention.head_count_kv", number(KV_HEADS as u32)),
            ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
            ("llama.rope.freq_base", Value::F32(500_000.0)),
            ("tokenizer.ggml.model", text("gpt2")),
            ("tokenizer.ggml.pre", text("smollm")),
            (
                "tokenizer.ggml.tokens",
                Value::Array(tokens.iter().map(|(token, _)| text(token)).collect()),
            ),
            ("tokenizer.ggml.token_type", Value::Array(kinds)),
            ("tokenizer.ggml.merges", Value::Array(merges)),
            ("tokenizer.ggml.bos_token_id", number(0)),
            ("tokenizer.ggml.eos_token_id", number(1)),
            ("tokenizer.chat_template", text(TEMPLATE)),
        ];
        let mut weights = BTreeMap::new();
        let shapes: [(&str, &[usize]); 11] = [
            ("token_embd.weight", &[tokens.len(), HIDDEN]),
            ("output_norm.weight", &[HIDDEN]),
            ("blk.0.attn_norm.weight", &[HIDDEN]),
            ("blk.0.attn_q.weight", &[HEADS * HEAD_DIM, HIDDEN]),
            ("blk.0.attn_k.weight", &[KV_HEADS * HEAD_DIM, HIDDEN]),
            ("blk.0.attn_v.weight", &[KV_HEADS * HEAD_DIM, HIDDEN]),
            ("blk.0.attn_output.weight", &[HIDDEN, HEADS * HEAD_DIM]),
            ("blk.0.ffn_norm.weight", &[HIDDEN]),
            ("blk.0.ffn_gate.weight", &[512, HIDDEN]),
            ("blk.0.ffn_up.weight", &[512, HIDDEN]),
            ("blk.0.ffn_down.weight", &[HIDDEN, 512]),
        ];
        for (seed, (name, shape)) in shapes.into_iter().enumerate() {
            weights.insert(
                name.to_owned(),
                (shape.to_vec(), noise(seed as u32, shape.iter().product())),
            );
        }
        let metadata = metadata
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        Self {
            metadata,
            weights,
            dtype: GgmlDType::F32,
        }
    }

    pub(super) fn with(mut self, key: &str, value: Value) -> Self {
        self.metadata.insert(key.to_owned(), value);
        self
    }

    /// Gives the control tokens, of which the second is EOS, other names.
    pub(super) fn rename_controls(&mut self, names: [&str; 3]) {
        if let Some(Value::Array(tokens)) = self.metadata.get_mut("tokenizer.ggml.tokens") {
            for (token, name) in tokens.iter_mut().zip(names) {
                *token = Value::String(name.to_owned());
            }
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let tensors: Vec<(&str, QTensor)> = self
            .weights
            .iter()
            .map(|(name, (shape, values))| {
                let heads = match name.as_str() {
                    "blk.0.attn_q.weight" => Some(HEADS),
                    "blk.0.attn_k.weight" => Some(KV_HEADS),
                    _ => None,
                };
                let mut tensor =
                    Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap();
                if let Some(heads) = heads {
                    tensor = permute(&tensor, heads);
                }
                // llama.cpp never quantises vectors.
                let dtype = if shape.len() == 1 {
                    GgmlDType::F32
                } else {
                    self.dtype
                };
                (name.as_str(), QTensor::quantize(&tensor, dtype).unwrap())
            })
            .collect();
        let tensors: Vec<(&str, &QTensor)> = tensors
            .iter()
            .map(|(name, tensor)| (*name, tensor))
            .collect();
        let metadata: Vec<(&str, &Value)> = self
            .metadata
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        let mut file = Cursor::new(Vec::new());
        gguf_file::write(&mut file, &metadata, &tensors).unwrap();
        file.into_inner()
    }

    pub(super) fn import(&self) -> Result<(TempDir, Imported), ImportError> {
        let dir = tempfile::tempdir().unwrap();
        import_bytes(&self.bytes(), dir.path()).map(|imported| (dir, imported))
    }

    /// The one sentence with which the file is refused.
    pub(super) fn refusal(&self) -> String {
        match self.import() {
            Ok(_) => panic!("the file was imported"),
            Err(error) => error.to_string(),
        }
    }
}

pub(super) fn import_bytes(bytes: &[u8], dir: &Path) -> Result<Imported, ImportError> {
    let gguf = dir.join("sample.gguf");
    std::fs::write(&gguf, bytes).unwrap();
    import(&gguf, dir, &mut |_| {})
}

/// The converter's own formula: `reshape(heads, 2, rows / 2, columns).swapaxes(1, 2)`.
fn permute(weight: &Tensor, heads: usize) -> Tensor {
    let (rows, columns) = weight.dims2().unwrap();
    let split = weight
        .reshape((heads, 2, rows / heads / 2, columns))
        .unwrap();
    split
        .transpose(1, 2)
        .unwrap()
        .contiguous()
        .unwrap()
        .reshape((rows, columns))
        .unwrap()
}

/// All 256 bytes, a few merged tokens, control tokens first, then the odd kinds.
fn tokens() -> Vec<(String, i32)> {
    let mut tokens: Vec<(String, i32)> = CONTROL
        .iter()
        .map(|token| ((*token).to_owned(), 3))
        .collect();
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut shifted = 256;
    for byte in 0..256 {
        let point = if printable(byte) { byte } else { shifted };
        shifted += u32::from(point == shifted);
        tokens.push((char::from_u32(point).unwrap().to_string(), 1));
    }
    tokens.extend(["th", "the", "Ġthe", "Ã©"].map(|token| (token.to_owned(), 1)));
    tokens.push(("<tool>".to_owned(), 4));
    tokens.push(("[PAD264]".to_owned(), 5));
    tokens
}

/// Numbers that bf16 cannot hold exactly, so that rounding shows.
fn noise(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}
