use super::fields::Fields;
use super::layers::alike;
use super::names;
use super::rope::rope;
use crate::kernels::AttentionShape;
use crate::model::config::{Activation, DecoderConfig, MlpConfig, NormPlacement};

/// What a family leaves out of its `config.json` where it is as usual.
pub struct Defaults {
    pub theta: f64,
    pub tie_word_embeddings: bool,
    /// The only `hidden_act` that there may be, and what it means.
    pub activation: (&'static str, Activation),
}

pub const DEFAULTS: Defaults = Defaults {
    theta: 10_000.0,
    tie_word_embeddings: false,
    activation: ("silu", Activation::SwiGlu),
};

pub fn llama(config: Fields<'_>) -> Result<DecoderConfig, String> {
    config.refuse("mlp_bias")?;
    let has_bias = config.flag("attention_bias", false)?;
    Ok(DecoderConfig {
        has_qkv_bias: has_bias,
        has_output_bias: has_bias,
        ..llama_like(config, DEFAULTS)?
    })
}

/// A Llama of these sizes, from which families differ.
pub fn llama_like(config: Fields<'_>, defaults: Defaults) -> Result<DecoderConfig, String> {
    let hidden_size = config.size("hidden_size")?;
    let num_heads = config.size("num_attention_heads")?;
    let head_dim = head_dim(config, hidden_size, num_heads)?;
    let num_layers = config.size("num_hidden_layers")?;
    let (name, computed) = defaults.activation;
    let mlp = MlpConfig::Dense {
        width: config.size("intermediate_size")?,
        activation: activation(config, "hidden_act", name, computed)?,
    };
    Ok(DecoderConfig {
        family: "llama",
        vocab_size: config.size("vocab_size")?,
        hidden_size,
        num_layers,
        attention: AttentionShape {
            num_heads,
            num_kv_heads: config
                .optional_size("num_key_value_heads")?
                .unwrap_or(num_heads),
            head_dim,
        },
        attention_scale: 1.0 / (head_dim as f32).sqrt(),
        attention_softcap: None,
        has_sinks: false,
        has_qkv_bias: false,
        has_output_bias: false,
        qk_norm: None,
        norm_eps: config.number("rms_norm_eps")? as f32,
        norm_offset: 0.0,
        norm_placement: NormPlacement::Before,
        embedding_scale: 1.0,
        residual_scale: 1.0,
        logit_scale: 1.0,
        logit_softcap: None,
        ropes: vec![rope(config, head_dim, defaults.theta)?],
        layers: alike(num_layers, None, &mlp),
        is_bidirectional: false,
        max_position_embeddings: config.size("max_position_embeddings")?,
        tie_word_embeddings: config.flag("tie_word_embeddings", defaults.tie_word_embeddings)?,
        names: names::LLAMA,
    })
}

fn head_dim(config: Fields<'_>, hidden_size: usize, num_heads: usize) -> Result<usize, String> {
    if let Some(head_dim) = config.optional_size("head_dim")? {
        return Ok(head_dim);
    }
    let head_dim = hidden_size.checked_div(num_heads).unwrap_or(0);
    if head_dim * num_heads != hidden_size {
        return Err(
            "without a `head_dim`, `hidden_size` must be a multiple of `num_attention_heads`"
                .into(),
        );
    }
    Ok(head_dim)
}

/// The activation, which must be the one that the family is computed with.
pub fn activation(
    config: Fields<'_>,
    field: &str,
    expected: &str,
    activation: Activation,
) -> Result<Activation, String> {
    match config.optional_text(field)? {
        Some(found) if found != expected => Err(format!(
            "`{field}` is {found}; this family is supported with {expected}"
        )),
        _ => Ok(activation),
    }
}
