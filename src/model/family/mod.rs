//! Families: `config.json` to [`DecoderConfig`], and what a family's tensors are called.

mod dense;
mod experts;
mod fields;
mod gemma;
mod layers;
mod llama;
mod names;
mod rope;
mod table;
mod vision;

pub use names::{ExpertProducts, GateUp, Qkv, Root, WeightNames};
pub use table::{Family, families};

use super::config::DecoderConfig;
use fields::Fields;
use serde_json::{Map, Value};

/// The text of a `config.json` as a decoder, or what about it is not supported.
pub(super) fn parse(text: &str) -> Result<DecoderConfig, String> {
    let config: Map<String, Value> =
        serde_json::from_str(text).map_err(|e| format!("is not valid JSON: {e}"))?;
    let architecture = config
        .get("architectures")
        .and_then(|names| names.as_array()?.first()?.as_str())
        .ok_or("`architectures` must name one architecture")?;
    let family = families()
        .iter()
        .find(|family| family.architectures.contains(&architecture));
    let Some(family) = family else {
        return Err(format!(
            "the architecture {architecture} is not supported; `guichet models` lists what is"
        ));
    };
    let parsed = family.parse(Fields(&config))?;
    Ok(DecoderConfig {
        family: family.name,
        ..parsed
    })
}

#[cfg(test)]
mod tests;
