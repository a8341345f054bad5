//! `config.json` from GGUF metadata.

use std::io::{BufReader, Read, Seek};

use serde_json::json;

use super::ImportError;
use super::chat::Specials;
use super::header::Header;
use super::metadata::Metadata;
use super::rope::Llama3Scaling;

pub(super) const EMBEDDING: &str = "token_embd.weight";
pub(super) const OUTPUT: &str = "output.weight";

/// The numbers of a Llama checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LlamaConfig {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) num_key_value_heads: usize,
    pub(super) head_dim: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) rms_norm_eps: f64,
    pub(super) rope_theta: f64,
    pub(super) rope_scaling: Option<Llama3Scaling>,
    pub(super) tie_word_embeddings: bool,
}

impl LlamaConfig {
    pub(super) fn from_gguf<R: Read + Seek>(
        metadata: &Metadata<'_>,
        header: &Header,
        reader: &mut BufReader<R>,
    ) -> Result<Self, ImportError> {
        let architecture = metadata.text("general.architecture")?;
        if architecture != "llama" {
            return Err(ImportError::Unsupported(format!(
                "the architecture {architecture:?} is not imported yet, only \"llama\""
            )));
        }
        if metadata
            .optional_text("general.type")?
            .is_some_and(|kind| kind != "model")
        {
            return Err(ImportError::Unsupported(
                "the file holds an adapter or a part, not a model".into(),
            ));
        }
        if metadata
            .optional_index("split.count")?
            .is_some_and(|count| count > 1)
        {
            return Err(ImportError::Unsupported(
                "the file is one part of a split model; join the parts first (llama-gguf-split --merge)".into(),
            ));
        }
        refuse_variants(metadata)?;

        let hidden_size = metadata.size("llama.embedding_length")?;
        let num_attention_heads = metadata.size("llama.attention.head_count")?;
        let num_key_value_heads = metadata
            .optional_size("llama.attention.head_count_kv")?
            .unwrap_or(num_attention_heads);
        let head_dim = match metadata.optional_size("llama.attention.key_length")? {
            Some(head_dim) => head_dim,
            None if hidden_size.is_multiple_of(num_attention_heads) => {
                hidden_size / num_attention_heads
            }
            None => {
                return Err(contradiction(
                    "the hidden size is no multiple of the number of heads",
                ));
            }
        };
        if !head_dim.is_multiple_of(2) || !num_attention_heads.is_multiple_of(num_key_value_heads) {
            return Err(contradiction(
                "the attention heads do not divide as they must",
            ));
        }
        if metadata
            .optional_size("llama.attention.value_length")?
            .is_some_and(|length| length != head_dim)
        {
            return Err(ImportError::Unsupported(
                "keys and values of different lengths are not imported".into(),
            ));
        }
        if metadata
            .optional_size("llama.rope.dimension_count")?
            .is_some_and(|dims| dims != head_dim)
        {
            return Err(ImportError::Unsupported(
                "rotary embeddings on a part of a head are not imported".into(),
            ));
        }
        let rope_theta = metadata
            .optional_float("llama.rope.freq_base")?
            .unwrap_or(10_000.0);
        let rms_norm_eps = metadata
            .optional_float("llama.attention.layer_norm_rms_epsilon")?
            .ok_or_else(|| contradiction("llama.attention.layer_norm_rms_epsilon is missing"))?;
        if rope_theta <= 0.0 || rms_norm_eps <= 0.0 {
            return Err(contradiction(
                "the rotary base or the norm's epsilon is not above 0",
            ));
        }
        let vocab_size = match header.tensors.get(EMBEDDING) {
            Some(entry) => entry.shape[0],
            None => return Err(contradiction("the tensor token_embd.weight is missing")),
        };
        Ok(Self {
            vocab_size,
            hidden_size,
            intermediate_size: metadata.size("llama.feed_forward_length")?,
            num_hidden_layers: metadata.size("llama.block_count")?,
            num_attention_heads,
            num_key_value_heads,
            head_dim,
            max_position_embeddings: metadata.size("llama.context_length")?,
            rms_norm_eps,
            rope_theta,
            rope_scaling: Llama3Scaling::from_gguf(header, reader, head_dim, rope_theta)?,
            tie_word_embeddings: !header.tensors.contains_key(OUTPUT),
        })
    }

    /// The file as `transformers` writes it for a `LlamaForCausalLM`.
    pub(super) fn to_json(&self, specials: &Specials) -> serde_json::Value {
        json!({
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": false,
            "attention_dropout": 0.0,
            "bos_token_id": specials.bos,
            "eos_token_id": specials.eos,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.max_position_embeddings,
            "mlp_bias": false,
            "model_type": "llama",
            "num_attention_heads": self.num_attention_heads,
            "num_hidden_layers": self.num_hidden_layers,
            "num_key_value_heads": self.num_key_value_heads,
            "pad_token_id": specials.pad,
            "pretraining_tp": 1,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_scaling": self.rope_scaling.as_ref().map(Llama3Scaling::to_json),
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tie_word_embeddings,
            "torch_dtype": "bfloat16",
            "use_cache": true,
            "vocab_size": self.vocab_size,
        })
    }
}

/// What else goes by the architecture "llama" but computes differently.
fn refuse_variants(metadata: &Metadata<'_>) -> Result<(), ImportError> {
    let refused = |what: &str| {
        Err(ImportError::Unsupported(format!(
            "{what}, which is not imported"
        )))
    };
    if metadata
        .optional_index("llama.expert_count")?
        .is_some_and(|count| count > 0)
    {
        return refused("the model is a mixture of experts");
    }
    if metadata
        .optional_index("llama.attention.sliding_window")?
        .is_some_and(|window| window > 0)
    {
        return refused("the model attends through a sliding window");
    }
    if metadata
        .optional_text("llama.rope.scaling.type")?
        .is_some_and(|kind| kind != "none")
    {
        return refused("the model stretches its rotary embeddings (llama.rope.scaling.type)");
    }
    for key in [
        "llama.rope.scale_linear",
        "llama.rope.scaling.factor",
        "llama.attention.scale",
        "llama.logit_scale",
    ] {
        if metadata
            .optional_float(key)?
            .is_some_and(|value| value != 1.0 && value != 0.0)
        {
            return refused(&format!("the model sets {key}"));
        }
    }
    Ok(())
}

fn contradiction(what: &str) -> ImportError {
    ImportError::Malformed(what.to_owned())
}
