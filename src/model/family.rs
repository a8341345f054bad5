//! Families: `config.json` to [`DecoderConfig`], and where a layer's weights are found.

use super::config::{DecoderConfig, RopeConfig, RopeScaling};
use crate::kernels::AttentionShape;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Names of a checkpoint's tensors; `{}` stands for the layer.
#[derive(Debug, Clone, Copy)]
pub struct WeightNames {
    pub embedding: &'static str,
    pub final_norm: &'static str,
    pub head: &'static str,
    pub attention_norm: &'static str,
    pub q: &'static str,
    pub k: &'static str,
    pub v: &'static str,
    pub o: &'static str,
    pub mlp_norm: &'static str,
    pub gate: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    /// Tensors that follow from the configuration and that old checkpoints carry all the same.
    pub derived: &'static str,
}

pub const LLAMA_NAMES: WeightNames = WeightNames {
    embedding: "model.embed_tokens.weight",
    final_norm: "model.norm.weight",
    head: "lm_head.weight",
    attention_norm: "model.layers.{}.input_layernorm.weight",
    q: "model.layers.{}.self_attn.q_proj.weight",
    k: "model.layers.{}.self_attn.k_proj.weight",
    v: "model.layers.{}.self_attn.v_proj.weight",
    o: "model.layers.{}.self_attn.o_proj.weight",
    mlp_norm: "model.layers.{}.post_attention_layernorm.weight",
    gate: "model.layers.{}.mlp.gate_proj.weight",
    up: "model.layers.{}.mlp.up_proj.weight",
    down: "model.layers.{}.mlp.down_proj.weight",
    derived: "model.layers.{}.self_attn.rotary_emb.inv_freq",
};

/// The text of a `config.json` as a decoder, or what about it is not supported.
pub(super) fn parse(text: &str) -> Result<DecoderConfig, String> {
    let config: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let architecture = config
        .get("architectures")
        .and_then(|names| names.as_array()?.first()?.as_str())
        .ok_or("`architectures` must name one architecture")?;
    if config
        .get("quantization_config")
        .is_some_and(|value| !value.is_null())
    {
        return Err("`quantization_config`: quantised checkpoints are not supported; serve the bf16 or f16 original".into());
    }
    match architecture {
        "LlamaForCausalLM" => llama(&config),
        other => Err(format!(
            "the architecture {other} is not supported; supported is LlamaForCausalLM"
        )),
    }
}

#[derive(Deserialize)]
struct HfLlama {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Option<String>,
    rms_norm_eps: f64,
    max_position_embeddings: usize,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
}

fn llama(config: &Map<String, Value>) -> Result<DecoderConfig, String> {
    let hf: HfLlama = read("config", &Value::Object(config.clone()))?;
    if let Some(act) = hf.hidden_act.as_deref().filter(|act| *act != "silu") {
        return Err(format!(
            "`hidden_act` is {act}; the llama family is supported with silu"
        ));
    }
    for (name, bias) in [
        ("attention_bias", hf.attention_bias),
        ("mlp_bias", hf.mlp_bias),
    ] {
        if bias {
            return Err(format!(
                "`{name}` is true; the llama family is supported without biases"
            ));
        }
    }
    let head_dim = hf.head_dim.unwrap_or_else(|| {
        hf.hidden_size
            .checked_div(hf.num_attention_heads)
            .unwrap_or(0)
    });
    if hf.head_dim.is_none() && head_dim * hf.num_attention_heads != hf.hidden_size {
        return Err(
            "without a `head_dim`, `hidden_size` must be a multiple of `num_attention_heads`"
                .into(),
        );
    }
    Ok(DecoderConfig {
        family: "llama",
        vocab_size: hf.vocab_size,
        hidden_size: hf.hidden_size,
        intermediate_size: hf.intermediate_size,
        num_layers: hf.num_hidden_layers,
        attention: AttentionShape {
            num_heads: hf.num_attention_heads,
            num_kv_heads: hf.num_key_value_heads.unwrap_or(hf.num_attention_heads),
            head_dim,
        },
        rms_norm_eps: hf.rms_norm_eps as f32,
        rope: rope(config)?,
        max_position_embeddings: hf.max_position_embeddings,
        tie_word_embeddings: hf.tie_word_embeddings,
    })
}

#[derive(Deserialize)]
struct HfLlama3Scaling {
    factor: f64,
    low_freq_factor: f64,
    high_freq_factor: f64,
    original_max_position_embeddings: usize,
}

/// `rope_parameters` (transformers 5), or `rope_theta` with `rope_scaling` (before).
fn rope(config: &Map<String, Value>) -> Result<RopeConfig, String> {
    let object = |name: &str| match config.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(format!("`{name}` must be an object")),
    };
    let parameters = object("rope_parameters")?;
    let scaling = parameters.or(object("rope_scaling")?);
    let theta = parameters
        .and_then(|p| p.get("rope_theta"))
        .or(config.get("rope_theta"));
    let theta = match theta {
        None | Some(Value::Null) => 10_000.0,
        Some(value) => value.as_f64().ok_or("`rope_theta` must be a number")?,
    };
    let kind = scaling
        .and_then(|s| s.get("rope_type").or(s.get("type")))
        .and_then(Value::as_str);
    let scaling = match (scaling, kind) {
        (None, _) | (Some(_), Some("default")) => RopeScaling::None,
        (Some(scaling), Some("llama3")) => {
            let hf: HfLlama3Scaling = read("rope scaling", &Value::Object(scaling.clone()))?;
            RopeScaling::Llama3 {
                factor: hf.factor,
                low_freq_factor: hf.low_freq_factor,
                high_freq_factor: hf.high_freq_factor,
                original_max_position_embeddings: hf.original_max_position_embeddings,
            }
        }
        (Some(_), Some(other)) => {
            return Err(format!(
                "rope scaling `{other}` is not supported; supported are default and llama3"
            ));
        }
        (Some(_), None) => return Err("the rope scaling must name its `rope_type`".into()),
    };
    Ok(RopeConfig { theta, scaling })
}

/// serde's message, with the name of the field where serde leaves it out.
fn read<T: serde::de::DeserializeOwned>(what: &str, value: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|e| {
        let path = e.path().to_string();
        if path == "." {
            format!("{what}: {}", e.inner())
        } else {
            format!("`{path}`: {}", e.inner())
        }
    })
}
