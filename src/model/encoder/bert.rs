//! What BERT and RoBERTa say in `config.json`.

use super::config::{EncoderConfig, EncoderLayerConfig, EncoderNorms, LearnedPositions};
use super::config::{activation, has_masked_words, heads, layers, read, task};
use super::family::EncoderFamily;
use super::pooling::Pooling;
use crate::kernels::Activation;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct HfBert {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    #[serde(default)]
    matryoshka_dimensions: Vec<usize>,
}

pub fn parse(
    family: &'static EncoderFamily,
    config: &Map<String, Value>,
) -> Result<EncoderConfig, String> {
    from_hf(family, config, |_| 0)
}

/// In these families a token's position is counted from behind that of padding.
pub fn parse_roberta(
    family: &'static EncoderFamily,
    config: &Map<String, Value>,
) -> Result<EncoderConfig, String> {
    from_hf(family, config, |hf| {
        hf.pad_token_id.unwrap_or(1).saturating_add(1)
    })
}

fn from_hf(
    family: &'static EncoderFamily,
    config: &Map<String, Value>,
    first_position: fn(&HfBert) -> usize,
) -> Result<EncoderConfig, String> {
    let hf: HfBert = read(config)?;
    if let Some(other) = (hf.position_embedding_type.as_deref()).filter(|t| *t != "absolute") {
        return Err(format!(
            "`position_embedding_type` is {other}; supported is absolute"
        ));
    }
    if hf.is_decoder {
        return Err("`is_decoder` is true; encoders are supported without".into());
    }
    let first = first_position(&hf);
    let layer = EncoderLayerConfig {
        window: None,
        rope_theta: None,
    };
    Ok(EncoderConfig {
        family: family.name,
        names: &family.names,
        vocab_size: hf.vocab_size,
        hidden_size: hf.hidden_size,
        intermediate_size: hf.intermediate_size,
        attention: heads(hf.hidden_size, hf.num_attention_heads),
        activation: activation("hidden_act", &hf.hidden_act)?,
        layer_norm_eps: hf.layer_norm_eps as f32,
        has_biases: true,
        norms: EncoderNorms::Behind,
        has_gate: false,
        learned_positions: Some(LearnedPositions {
            first,
            num_types: hf.type_vocab_size,
        }),
        max_positions: hf.max_position_embeddings.saturating_sub(first),
        num_layers: hf.num_hidden_layers,
        layers: layers(hf.num_hidden_layers, |_| layer)?,
        classifier_pooling: Pooling::Cls,
        classifier_activation: Activation::Tanh,
        has_masked_words: has_masked_words(config),
        task: task(config)?,
        matryoshka_dimensions: hf.matryoshka_dimensions,
    })
}
