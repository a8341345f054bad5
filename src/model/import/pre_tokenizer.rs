//! Pre-tokenizers by the name that GGUF gives them.

use serde_json::{Value, json};

use super::ImportError;

/// How a family of byte-level BPE tokenizers cuts text before merging.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PreTokenizer {
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    pub(super) decoder: Value,
    /// A piece that is a token as a whole is taken without merging.
    pub(super) ignore_merges: bool,
    /// Whether the sequence begins with BOS when the file does not say.
    pub(super) add_bos_by_default: bool,
}

const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl PreTokenizer {
    /// Only names whose `tokenizer.json` is known exactly; guessing one would change
    /// token ids in silence.
    pub(super) fn by_name(name: &str) -> Result<Self, ImportError> {
        match name {
            "smollm" | "starcoder" | "refact" => Ok(Self {
                pre_tokenizer: json!({"type": "Sequence", "pretokenizers": [
                    {"type": "Digits", "individual_digits": true},
                    byte_level(true),
                ]}),
                ..Self::gpt2()
            }),
            "gpt-2" => Ok(Self::gpt2()),
            "llama-bpe" | "llama-v3" | "llama3" => Ok(Self {
                pre_tokenizer: split(LLAMA_3),
                ignore_merges: true,
                add_bos_by_default: true,
                ..Self::gpt2()
            }),
            "qwen2" => Ok(Self {
                normalizer: json!({"type": "NFC"}),
                pre_tokenizer: split(QWEN_2),
                ..Self::gpt2()
            }),
            other => Err(ImportError::Unsupported(format!(
                "the pre-tokenizer {other:?} is not imported; smollm, starcoder, refact, gpt-2, llama-bpe and qwen2 are"
            ))),
        }
    }

    fn gpt2() -> Self {
        Self {
            normalizer: Value::Null,
            pre_tokenizer: byte_level(true),
            decoder: byte_level(true),
            ignore_merges: false,
            add_bos_by_default: false,
        }
    }
}

fn split(pattern: &str) -> Value {
    json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
        byte_level(false),
    ]})
}

fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}
