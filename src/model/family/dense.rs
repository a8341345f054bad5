//! Families whose layers are Llama's but for a few numbers.

use super::fields::Fields;
use super::layers::set_windows;
use super::llama::{DEFAULTS, Defaults, llama_like};
use super::names;
use crate::model::config::{Activation, DecoderConfig, NormPlacement, QkNorm, RopeScaling};

/// What `use_sliding_window` leaves of `sliding_window`.
fn window_in_use(config: Fields<'_>) -> Result<Option<usize>, String> {
    match config.flag("use_sliding_window", false)? {
        true => config.size("sliding_window").map(Some),
        false => Ok(None),
    }
}

pub fn smollm3(config: Fields<'_>) -> Result<DecoderConfig, String> {
    config.refuse("mlp_bias")?;
    config.refuse("attention_bias")?;
    let mut parsed = llama_like(
        config,
        Defaults {
            theta: 2_000_000.0,
            tie_word_embeddings: true,
            ..DEFAULTS
        },
    )?;
    let interval = config.optional_size("no_rope_layer_interval")?.unwrap_or(4);
    // Despite its name, 1 stands for a layer that has rotary embeddings.
    let rotated = config.optional_sizes("no_rope_layers")?;
    if let Some(rotated) = &rotated
        && rotated.len() != parsed.layers.len()
    {
        return Err(format!(
            "`no_rope_layers` has {} entries for {} layers",
            rotated.len(),
            parsed.layers.len()
        ));
    }
    let is_rotated = |index: usize| match &rotated {
        Some(rotated) => rotated[index] != 0,
        None => !(index + 1).is_multiple_of(interval.max(1)),
    };
    for (index, layer) in parsed.layers.iter_mut().enumerate() {
        layer.rope = is_rotated(index).then_some(0);
    }
    let window = window_in_use(config)?;
    if window.is_some() {
        set_windows(&mut parsed.layers, config, window, |index| {
            !is_rotated(index)
        })?;
    }
    Ok(parsed)
}

pub fn mistral(config: Fields<'_>) -> Result<DecoderConfig, String> {
    let mut parsed = llama_like(config, DEFAULTS)?;
    let window = match config.0.contains_key("sliding_window") {
        true => config.optional_size("sliding_window")?,
        false => Some(4096),
    };
    set_windows(&mut parsed.layers, config, window, |_| true)?;
    Ok(parsed)
}

pub fn apertus(config: Fields<'_>) -> Result<DecoderConfig, String> {
    if !config.flag("qk_norm", true)? {
        return Err("`qk_norm` is false; this family is supported with it".into());
    }
    config.refuse("post_norm")?;
    config.refuse("mlp_bias")?;
    config.refuse("attention_bias")?;
    let mut parsed = llama_like(
        config,
        Defaults {
            theta: 12_000_000.0,
            activation: ("xielu", Activation::Xielu),
            ..DEFAULTS
        },
    )?;
    if !["rope_parameters", "rope_scaling"]
        .iter()
        .any(|name| config.0.contains_key(*name))
    {
        for rope in &mut parsed.ropes {
            rope.theta = 12_000_000.0;
            rope.scaling = RopeScaling::Llama3 {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_max_position_embeddings: 8192,
            };
        }
    }
    Ok(DecoderConfig {
        qk_norm: Some(QkNorm::Heads),
        names: names::APERTUS,
        ..parsed
    })
}

pub fn olmo2(config: Fields<'_>) -> Result<DecoderConfig, String> {
    config.refuse("attention_bias")?;
    Ok(DecoderConfig {
        norm_placement: NormPlacement::After,
        qk_norm: Some(QkNorm::Tokens),
        ..llama_like(config, DEFAULTS)?
    })
}

pub fn granite(config: Fields<'_>) -> Result<DecoderConfig, String> {
    config.refuse("mlp_bias")?;
    config.refuse("attention_bias")?;
    let multiplier = |name| Ok::<_, String>(config.optional_number(name)?.unwrap_or(1.0) as f32);
    Ok(DecoderConfig {
        embedding_scale: multiplier("embedding_multiplier")?,
        residual_scale: multiplier("residual_multiplier")?,
        attention_scale: multiplier("attention_multiplier")?,
        logit_scale: 1.0 / multiplier("logits_scaling")?,
        ..llama_like(config, DEFAULTS)?
    })
}

pub fn phi3(config: Fields<'_>) -> Result<DecoderConfig, String> {
    config.refuse("attention_bias")?;
    let mut parsed = llama_like(config, DEFAULTS)?;
    let window = config.optional_size("sliding_window")?;
    set_windows(&mut parsed.layers, config, window, |_| true)?;
    Ok(DecoderConfig {
        names: names::PHI,
        ..parsed
    })
}

pub fn qwen2(config: Fields<'_>) -> Result<DecoderConfig, String> {
    Ok(DecoderConfig {
        has_qkv_bias: true,
        ..qwen(config)?
    })
}

pub fn qwen3(config: Fields<'_>) -> Result<DecoderConfig, String> {
    config.refuse("attention_bias")?;
    let mut parsed = qwen(config)?;
    if config.optional_size("head_dim")?.is_none() {
        return Err("`head_dim` is missing".into());
    }
    parsed.qk_norm = Some(QkNorm::Heads);
    Ok(parsed)
}

fn qwen(config: Fields<'_>) -> Result<DecoderConfig, String> {
    let mut parsed = llama_like(config, DEFAULTS)?;
    let window = window_in_use(config)?;
    if window.is_some() {
        let first = config.optional_size("max_window_layers")?.unwrap_or(28);
        set_windows(&mut parsed.layers, config, window, |index| index >= first)?;
    }
    Ok(parsed)
}
