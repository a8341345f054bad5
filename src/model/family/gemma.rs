use super::fields::Fields;
use super::layers::{alike, set_windows};
use super::llama::activation;
use super::names;
use super::rope::{rope, rope_of};
use crate::kernels::AttentionShape;
use crate::model::config::{
    Activation, DecoderConfig, MlpConfig, NormPlacement, QkNorm, RopeConfig, RopeScaling,
};

/// Sizes that the family's configuration leaves out where they are these.
struct Sizes {
    vocab_size: usize,
    num_heads: usize,
    num_kv_heads: usize,
    max_position_embeddings: usize,
}

const GEMMA_2: Sizes = Sizes {
    vocab_size: 256_000,
    num_heads: 8,
    num_kv_heads: 4,
    max_position_embeddings: 8192,
};

const GEMMA_3: Sizes = Sizes {
    vocab_size: 262_208,
    max_position_embeddings: 131_072,
    ..GEMMA_2
};

pub fn gemma2(config: Fields<'_>) -> Result<DecoderConfig, String> {
    let mut parsed = gemma(config, &GEMMA_2)?;
    parsed.attention_softcap = softcap(config, "attn_logit_softcapping", Some(50.0))?;
    parsed.logit_softcap = softcap(config, "final_logit_softcapping", Some(30.0))?;
    parsed.ropes = vec![rope(config, parsed.attention.head_dim, 10_000.0)?];
    let window = config.optional_size("sliding_window")?.unwrap_or(4096);
    set_windows(&mut parsed.layers, config, Some(window), |index| {
        index.is_multiple_of(2)
    })?;
    config.refuse("use_bidirectional_attention")?;
    Ok(parsed)
}

pub fn gemma3(config: Fields<'_>) -> Result<DecoderConfig, String> {
    let mut parsed = gemma(config, &GEMMA_3)?;
    // `transformers` reads this and does nothing with it.
    if softcap(config, "attn_logit_softcapping", None)?.is_some() {
        return Err("`attn_logit_softcapping` is set; this family is supported without it".into());
    }
    parsed.logit_softcap = softcap(config, "final_logit_softcapping", None)?;
    parsed.qk_norm = Some(QkNorm::Heads);
    parsed.is_bidirectional = config.flag("use_bidirectional_attention", false)?;
    let window = config.optional_size("sliding_window")?.unwrap_or(4096);
    let window = match parsed.is_bidirectional {
        // Both sides together, its middle counted on each.
        true => window / 2 + 1,
        false => window,
    };
    let pattern = config.optional_size("sliding_window_pattern")?.unwrap_or(6);
    set_windows(&mut parsed.layers, config, Some(window), |index| {
        !(index + 1).is_multiple_of(pattern.max(1))
    })?;
    parsed.ropes = gemma3_ropes(config, parsed.attention.head_dim)?;
    for layer in &mut parsed.layers {
        layer.rope = Some(usize::from(layer.window.is_some()));
    }
    Ok(parsed)
}

/// Of layers that see everything, and of those with a window.
fn gemma3_ropes(config: Fields<'_>, head_dim: usize) -> Result<Vec<RopeConfig>, String> {
    const GLOBAL_THETA: f64 = 1_000_000.0;
    const LOCAL_THETA: f64 = 10_000.0;
    let of_kind = |kind, theta| rope_of(config, kind, head_dim, theta);
    let global = match of_kind("full_attention", GLOBAL_THETA)? {
        Some(global) => global,
        None => rope(config, head_dim, GLOBAL_THETA)?,
    };
    let local = match of_kind("sliding_attention", LOCAL_THETA)? {
        Some(local) => local,
        None => RopeConfig {
            theta: config
                .optional_number("rope_local_base_freq")?
                .unwrap_or(LOCAL_THETA),
            rotary_dim: head_dim,
            scaling: RopeScaling::None,
        },
    };
    Ok(vec![global, local])
}

/// `null` switches a cap off, and one that is not named is as usual.
fn softcap(config: Fields<'_>, name: &str, default: Option<f32>) -> Result<Option<f32>, String> {
    match config.0.contains_key(name) {
        true => Ok(config.optional_number(name)?.map(|cap| cap as f32)),
        false => Ok(default),
    }
}

/// Without rotary embeddings and windows.
fn gemma(config: Fields<'_>, defaults: &Sizes) -> Result<DecoderConfig, String> {
    config.refuse("attention_bias")?;
    let or = |name, default| Ok::<_, String>(config.optional_size(name)?.unwrap_or(default));
    let hidden_size = or("hidden_size", 2304)?;
    let head_dim = or("head_dim", 256)?;
    let num_layers = or("num_hidden_layers", 26)?;
    // Early checkpoints have a `hidden_act` that means nothing beside this.
    let activation = activation(
        config,
        "hidden_activation",
        "gelu_pytorch_tanh",
        Activation::GeGlu,
    )?;
    let mlp = MlpConfig::Dense {
        width: or("intermediate_size", 9216)?,
        activation,
    };
    let scalar = config
        .optional_number("query_pre_attn_scalar")?
        .unwrap_or(256.0);
    Ok(DecoderConfig {
        family: "gemma",
        vocab_size: or("vocab_size", defaults.vocab_size)?,
        hidden_size,
        num_layers,
        attention: AttentionShape {
            num_heads: or("num_attention_heads", defaults.num_heads)?,
            num_kv_heads: or("num_key_value_heads", defaults.num_kv_heads)?,
            head_dim,
        },
        attention_scale: (1.0 / scalar.sqrt()) as f32,
        attention_softcap: None,
        has_sinks: false,
        has_qkv_bias: false,
        has_output_bias: false,
        qk_norm: None,
        norm_eps: config.optional_number("rms_norm_eps")?.unwrap_or(1e-6) as f32,
        norm_offset: 1.0,
        norm_placement: NormPlacement::Around,
        embedding_scale: (hidden_size as f64).sqrt() as f32,
        residual_scale: 1.0,
        logit_scale: 1.0,
        logit_softcap: None,
        ropes: Vec::new(),
        layers: alike(num_layers, None, &mlp),
        is_bidirectional: false,
        max_position_embeddings: or("max_position_embeddings", defaults.max_position_embeddings)?,
        tie_word_embeddings: config.flag("tie_word_embeddings", true)?,
        names: names::GEMMA,
    })
}
