//! Pre-tokenizers of byte-level BPE by the name that GGUF gives them.

use serde_json::{Value, json};

use super::ImportError;

/// How a family of byte-level BPE tokenizers cuts text before merging.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PreTokenizer {
    names: &'static [&'static str],
    normalizes: bool,
    cut: Cut,
    /// A piece that is a token as a whole is taken without merging.
    pub(super) ignore_merges: bool,
    /// Whether the sequence begins with BOS when the file does not say.
    pub(super) add_bos_by_default: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Cut {
    /// As GPT-2 does.
    Gpt2,
    /// The same, after each digit was cut off.
    Gpt2AndDigits,
    /// At the matches of an expression.
    Matches(&'static str),
}

/// Only names whose `tokenizer.json` is known exactly; guessing one would change token ids in
/// silence. `scripts/prove_import.py` holds them against published tokenizers.
static PRE_TOKENIZERS: [PreTokenizer; 7] = [
    PreTokenizer {
        names: &["smollm", "starcoder", "refact"],
        cut: Cut::Gpt2AndDigits,
        ..GPT_2
    },
    GPT_2,
    PreTokenizer {
        names: &["llama-bpe", "llama-v3", "llama3"],
        cut: Cut::Matches(CL_100K),
        ignore_merges: true,
        add_bos_by_default: true,
        ..GPT_2
    },
    // OLMo 2 and Phi-4 have GPT-4's.
    PreTokenizer {
        names: &["dbrx"],
        cut: Cut::Matches(CL_100K),
        ..GPT_2
    },
    PreTokenizer {
        names: &["qwen2"],
        normalizes: true,
        cut: Cut::Matches(QWEN_2),
        ..GPT_2
    },
    // Mistral's since Nemo, and that of Apertus. Pixtral's is cut the same by its own files, though
    // llama.cpp cuts it as Llama 3's.
    PreTokenizer {
        names: &["tekken", "pixtral"],
        cut: Cut::Matches(TEKKEN),
        ignore_merges: true,
        add_bos_by_default: true,
        ..GPT_2
    },
    // gpt-oss and Phi-4-mini have GPT-4o's.
    PreTokenizer {
        names: &["gpt-4o"],
        cut: Cut::Matches(O_200K),
        ..GPT_2
    },
];

const GPT_2: PreTokenizer = PreTokenizer {
    names: &["gpt-2"],
    normalizes: false,
    cut: Cut::Gpt2,
    ignore_merges: false,
    add_bos_by_default: false,
};

const CL_100K: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const O_200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl PreTokenizer {
    pub(super) fn by_name(name: &str) -> Result<&'static Self, ImportError> {
        let known = PRE_TOKENIZERS.iter();
        known
            .clone()
            .find(|one| one.names.contains(&name))
            .ok_or_else(|| {
                let names: Vec<&str> = known.flat_map(|one| one.names).copied().collect();
                ImportError::Unsupported(format!(
                    "the pre-tokenizer {name:?} is not imported; {} are",
                    names.join(", ")
                ))
            })
    }

    pub(super) fn normalizer(&self) -> Value {
        match self.normalizes {
            true => json!({"type": "NFC"}),
            false => Value::Null,
        }
    }

    pub(super) fn pre_tokenizer(&self) -> Value {
        match self.cut {
            Cut::Gpt2 => byte_level(true),
            Cut::Gpt2AndDigits => json!({"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": true},
                byte_level(true),
            ]}),
            Cut::Matches(expression) => json!({"type": "Sequence", "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": expression},
                    "behavior": "Isolated",
                    "invert": false,
                },
                byte_level(false),
            ]}),
        }
    }

    pub(super) fn decoder(&self) -> Value {
        byte_level(true)
    }
}

fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}
