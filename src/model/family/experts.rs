//! Families with a mixture of experts.

use super::fields::Fields;
use super::layers::{alike, set_windows};
use super::llama::{DEFAULTS, Defaults, llama_like};
use super::names;
use crate::model::config::{
    Activation, DecoderConfig, ExpertsConfig, LayerConfig, MlpConfig, QkNorm, RopeScaling,
    Weighting,
};

pub fn mixtral(config: Fields<'_>) -> Result<DecoderConfig, String> {
    let defaults = Defaults {
        theta: 1_000_000.0,
        ..DEFAULTS
    };
    let parsed = llama_like(config, defaults)?;
    let experts = ExpertsConfig {
        num_experts: config.size("num_local_experts")?,
        num_used: config.size("num_experts_per_tok")?,
        width: config.size("intermediate_size")?,
        activation: Activation::SwiGlu,
        weighting: Weighting::OfUsed,
        shared_width: None,
    };
    let window = config.optional_size("sliding_window")?;
    Ok(DecoderConfig {
        layers: alike(parsed.num_layers, window, &MlpConfig::Experts(experts)),
        names: names::MIXTRAL,
        ..parsed
    })
}

pub fn qwen2_moe(config: Fields<'_>) -> Result<DecoderConfig, String> {
    config.refuse("use_sliding_window")?;
    let mut parsed = llama_like(config, DEFAULTS)?;
    parsed.has_qkv_bias = config.flag("qkv_bias", true)?;
    let shared = config.size("shared_expert_intermediate_size")?;
    set_experts(&mut parsed.layers, config, Some(shared))?;
    Ok(parsed)
}

pub fn qwen3_moe(config: Fields<'_>) -> Result<DecoderConfig, String> {
    config.refuse("attention_bias")?;
    config.refuse("use_sliding_window")?;
    let mut parsed = llama_like(config, DEFAULTS)?;
    parsed.qk_norm = Some(QkNorm::Heads);
    set_experts(&mut parsed.layers, config, None)?;
    Ok(parsed)
}

/// Experts on every `decoder_sparse_step`th layer that `mlp_only_layers` does not name.
fn set_experts(
    layers: &mut [LayerConfig],
    config: Fields<'_>,
    shared_width: Option<usize>,
) -> Result<(), String> {
    let num_experts = match config.optional_size("num_experts")? {
        Some(num_experts) => num_experts,
        None => config.size("num_local_experts")?,
    };
    let experts = ExpertsConfig {
        num_experts,
        num_used: config.size("num_experts_per_tok")?,
        width: config.size("moe_intermediate_size")?,
        activation: Activation::SwiGlu,
        weighting: match config.flag("norm_topk_prob", false)? {
            true => Weighting::OfUsed,
            false => Weighting::OfAll,
        },
        shared_width,
    };
    let step = config.optional_size("decoder_sparse_step")?.unwrap_or(1);
    let dense = config
        .optional_sizes("mlp_only_layers")?
        .unwrap_or_default();
    for (index, layer) in layers.iter_mut().enumerate() {
        if !dense.contains(&index) && (index + 1).is_multiple_of(step.max(1)) {
            layer.mlp = MlpConfig::Experts(experts.clone());
        }
    }
    Ok(())
}

pub fn gpt_oss(config: Fields<'_>) -> Result<DecoderConfig, String> {
    let defaults = Defaults {
        theta: 150_000.0,
        ..DEFAULTS
    };
    let mut parsed = llama_like(config, defaults)?;
    let number = |name, default| Ok::<_, String>(config.optional_number(name)?.unwrap_or(default));
    let num_used = match config.optional_size("num_experts_per_tok")? {
        Some(num_used) => num_used,
        None => config.size("experts_per_token")?,
    };
    let experts = ExpertsConfig {
        num_experts: config.size("num_local_experts")?,
        num_used,
        width: config.size("intermediate_size")?,
        activation: Activation::ClampedSwiGlu {
            alpha: number("swiglu_alpha", 1.702)? as f32,
            limit: number("swiglu_limit", 7.0)? as f32,
        },
        weighting: Weighting::OfUsed,
        shared_width: None,
    };
    parsed.layers = alike(parsed.num_layers, None, &MlpConfig::Experts(experts));
    let window = config.optional_size("sliding_window")?.unwrap_or(128);
    set_windows(&mut parsed.layers, config, Some(window), |index| {
        index.is_multiple_of(2)
    })?;
    let is_stretched = ["rope_parameters", "rope_scaling"]
        .iter()
        .any(|name| config.0.contains_key(*name));
    if !is_stretched {
        for rope in &mut parsed.ropes {
            rope.scaling = RopeScaling::Yarn {
                factor: 32.0,
                original_max_position_embeddings: 4096,
                beta_fast: 32.0,
                beta_slow: 1.0,
                truncate: false,
                attention_factor: 0.1 * 32f64.ln() + 1.0,
            };
        }
    }
    let has_bias = config.flag("attention_bias", true)?;
    Ok(DecoderConfig {
        has_sinks: true,
        has_qkv_bias: has_bias,
        has_output_bias: has_bias,
        names: names::GPT_OSS,
        ..parsed
    })
}
