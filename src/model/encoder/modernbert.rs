//! What ModernBERT (Warner et al. 2024) says in `config.json`.

use super::config::{EncoderConfig, EncoderLayerConfig, EncoderNorms};
use super::config::{MAX_LAYERS, activation, has_masked_words, heads, layers, read, task};
use super::family::EncoderFamily;
use super::pooling::Pooling;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Absent keys are what `transformers` takes them for.
#[derive(Deserialize)]
#[serde(default)]
struct HfModernBert {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_activation: String,
    max_position_embeddings: usize,
    norm_eps: f64,
    norm_bias: bool,
    attention_bias: bool,
    mlp_bias: bool,
    classifier_bias: bool,
    classifier_pooling: String,
    classifier_activation: String,
    /// Tokens that a local layer sees, those before a token and behind it together.
    local_attention: usize,
    // Before transformers 5.
    global_attn_every_n_layers: usize,
    global_rope_theta: f64,
    local_rope_theta: f64,
    rope_scaling: Option<Value>,
    // From transformers 5 on.
    layer_types: Option<Vec<String>>,
    rope_parameters: HfRopes,
    matryoshka_dimensions: Vec<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HfRopes {
    full_attention: Option<HfRope>,
    sliding_attention: Option<HfRope>,
}

#[derive(Deserialize)]
struct HfRope {
    rope_type: Option<String>,
    rope_theta: Option<f64>,
}

impl Default for HfModernBert {
    fn default() -> Self {
        Self {
            vocab_size: 50_368,
            hidden_size: 768,
            intermediate_size: 1152,
            num_hidden_layers: 22,
            num_attention_heads: 12,
            hidden_activation: "gelu".into(),
            max_position_embeddings: 8192,
            norm_eps: 1e-5,
            norm_bias: false,
            attention_bias: false,
            mlp_bias: false,
            classifier_bias: false,
            classifier_pooling: "cls".into(),
            classifier_activation: "gelu".into(),
            local_attention: 128,
            global_attn_every_n_layers: 3,
            global_rope_theta: 160_000.0,
            local_rope_theta: 10_000.0,
            rope_scaling: None,
            layer_types: None,
            rope_parameters: HfRopes::default(),
            matryoshka_dimensions: Vec::new(),
        }
    }
}

pub fn parse(
    family: &'static EncoderFamily,
    config: &Map<String, Value>,
) -> Result<EncoderConfig, String> {
    let hf: HfModernBert = read(config)?;
    for (name, is_on) in [
        ("norm_bias", hf.norm_bias),
        ("attention_bias", hf.attention_bias),
        ("mlp_bias", hf.mlp_bias),
        ("classifier_bias", hf.classifier_bias),
    ] {
        if is_on {
            return Err(format!(
                "`{name}` is true; ModernBERT is supported without biases"
            ));
        }
    }
    if hf.rope_scaling.is_some() {
        return Err("`rope_scaling` is set; ModernBERT is supported without".into());
    }
    let ropes = &hf.rope_parameters;
    let global = theta(ropes.full_attention.as_ref(), hf.global_rope_theta)?;
    let local = theta(ropes.sliding_attention.as_ref(), hf.local_rope_theta)?;
    let is_local = local_layers(&hf)?;
    let layer = |index: usize| match is_local.get(index) {
        Some(true) => EncoderLayerConfig {
            // As many on either side, and the token itself.
            window: Some(hf.local_attention / 2 + 1),
            rope_theta: Some(local),
        },
        _ => EncoderLayerConfig {
            window: None,
            rope_theta: Some(global),
        },
    };
    Ok(EncoderConfig {
        family: family.name,
        names: &family.names,
        vocab_size: hf.vocab_size,
        hidden_size: hf.hidden_size,
        intermediate_size: hf.intermediate_size,
        attention: heads(hf.hidden_size, hf.num_attention_heads),
        activation: activation("hidden_activation", &hf.hidden_activation)?,
        layer_norm_eps: hf.norm_eps as f32,
        has_biases: false,
        norms: EncoderNorms::InFront,
        has_gate: true,
        learned_positions: None,
        max_positions: hf.max_position_embeddings,
        num_layers: hf.num_hidden_layers,
        layers: layers(hf.num_hidden_layers, layer)?,
        classifier_pooling: match hf.classifier_pooling.as_str() {
            "cls" => Pooling::Cls,
            "mean" => Pooling::Mean,
            other => {
                return Err(format!(
                    "`classifier_pooling` is {other}; supported are cls and mean"
                ));
            }
        },
        classifier_activation: activation("classifier_activation", &hf.classifier_activation)?,
        has_masked_words: has_masked_words(config),
        task: task(config)?,
        matryoshka_dimensions: hf.matryoshka_dimensions,
    })
}

fn theta(rope: Option<&HfRope>, otherwise: f64) -> Result<f64, String> {
    let kind = rope.and_then(|rope| rope.rope_type.as_deref());
    if let Some(other) = kind.filter(|kind| *kind != "default") {
        return Err(format!(
            "`rope_parameters` has the type {other}; ModernBERT is supported with default"
        ));
    }
    let theta = rope.and_then(|rope| rope.rope_theta).unwrap_or(otherwise);
    if theta.is_finite() && theta >= 1.0 {
        return Ok(theta);
    }
    Err(format!(
        "`rope_theta` is {theta}; it must be a number from 1"
    ))
}

/// Which layers see their neighbourhood only; those that are not named see everything.
fn local_layers(hf: &HfModernBert) -> Result<Vec<bool>, String> {
    let Some(types) = &hf.layer_types else {
        let every = hf.global_attn_every_n_layers;
        if every == 0 {
            return Err("`global_attn_every_n_layers` is 0; it must be at least 1".into());
        }
        return Ok((0..hf.num_hidden_layers.min(MAX_LAYERS))
            .map(|index| index % every != 0)
            .collect());
    };
    if types.len() != hf.num_hidden_layers {
        return Err(format!(
            "`layer_types` names {} layers, and `num_hidden_layers` is {}",
            types.len(),
            hf.num_hidden_layers
        ));
    }
    let is_local = |name: &String| match name.as_str() {
        "full_attention" => Ok(false),
        "sliding_attention" => Ok(true),
        other => Err(format!(
            "`layer_types` holds {other}; supported are full_attention and sliding_attention"
        )),
    };
    types.iter().map(is_local).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(more: &str) -> Result<EncoderConfig, String> {
        EncoderConfig::parse(&format!(
            r#"{{"architectures":["ModernBertModel"],"hidden_size":48,"num_attention_heads":3,"num_hidden_layers":4{more}}}"#
        ))
    }

    fn windows(config: &EncoderConfig) -> Vec<Option<usize>> {
        config.layers.iter().map(|layer| layer.window).collect()
    }

    #[test]
    fn one_layer_in_three_is_global_and_has_a_base_of_its_own() {
        let config = parsed(r#","local_attention":16"#).unwrap();
        assert_eq!(windows(&config), [None, Some(9), Some(9), None]);
        let thetas: Vec<_> = config.layers.iter().map(|layer| layer.rope_theta).collect();
        let (global, local) = (Some(160_000.0), Some(10_000.0));
        assert_eq!(thetas, [global, local, local, global]);
    }

    #[test]
    fn what_transformers_5_writes_is_the_same() {
        let old = parsed(r#","local_attention":16,"global_rope_theta":500.0"#).unwrap();
        let new = parsed(
            r#","local_attention":16,"layer_types":["full_attention","sliding_attention","sliding_attention",
            "full_attention"],"rope_parameters":{"full_attention":{"rope_type":"default","rope_theta":500.0},
            "sliding_attention":{"rope_type":"default","rope_theta":10000.0}}"#,
        );
        assert_eq!(new.unwrap(), old);
    }

    #[test]
    fn what_is_not_computed_is_refused_by_name() {
        for (more, word) in [
            (r#","norm_bias":true"#, "norm_bias"),
            (r#","attention_bias":true"#, "attention_bias"),
            (r#","mlp_bias":true"#, "mlp_bias"),
            (r#","classifier_bias":true"#, "classifier_bias"),
            (r#","hidden_activation":"silu""#, "hidden_activation"),
            (
                r#","classifier_activation":"silu""#,
                "classifier_activation",
            ),
            (r#","classifier_pooling":"max""#, "classifier_pooling"),
            (r#","rope_scaling":{"type":"yarn"}"#, "rope_scaling"),
            (r#","layer_types":["full_attention"]"#, "layer_types"),
            (
                r#","num_hidden_layers":1,"layer_types":["chunked"]"#,
                "chunked",
            ),
            (r#","global_rope_theta":0"#, "rope_theta"),
            (r#","global_attn_every_n_layers":0"#, "every_n"),
            (
                r#","rope_parameters":{"full_attention":{"rope_type":"yarn"}}"#,
                "yarn",
            ),
            (r#","num_attention_heads":16"#, "even"),
            (r#","hidden_size":"wide""#, "hidden_size"),
        ] {
            let error = parsed(more).unwrap_err();
            assert!(error.contains(word), "{more}: {error}");
        }
    }
}
