//! Checkpoints that see, whose text part alone is served.

use super::fields::Fields;
use super::names::{self, WeightNames};
use super::{dense, gemma};
use crate::model::config::DecoderConfig;

pub fn mistral3(config: Fields<'_>) -> Result<DecoderConfig, String> {
    text_part(config, &["mistral", "ministral"], dense::mistral)
}

pub fn gemma3(config: Fields<'_>) -> Result<DecoderConfig, String> {
    text_part(config, &["gemma3_text"], gemma::gemma3)
}

fn text_part(
    config: Fields<'_>,
    model_types: &[&str],
    parse: fn(Fields<'_>) -> Result<DecoderConfig, String>,
) -> Result<DecoderConfig, String> {
    let text = config
        .optional_object("text_config")?
        .ok_or("`text_config` is missing")?;
    if let Some(found) = text.optional_text("model_type")?
        && !model_types.contains(&found)
    {
        return Err(format!(
            "`text_config.model_type` is {found}; supported here is {}",
            model_types.join(" and ")
        ));
    }
    let parsed = parse(text).map_err(|message| format!("in `text_config`, {message}"))?;
    let tie_word_embeddings = match text.0.contains_key("tie_word_embeddings") {
        true => parsed.tie_word_embeddings,
        false => config.flag("tie_word_embeddings", parsed.tie_word_embeddings)?,
    };
    Ok(DecoderConfig {
        tie_word_embeddings,
        names: WeightNames {
            roots: names::TEXT_OF_VISION,
            not_text: names::VISION,
            ..parsed.names
        },
        ..parsed
    })
}
