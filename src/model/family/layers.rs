//! What a `config.json` says of each layer.

use super::fields::Fields;
use crate::model::config::{LayerConfig, MAX_LAYERS, MlpConfig};

/// Layers that are all alike.
pub fn alike(num_layers: usize, window: Option<usize>, mlp: &MlpConfig) -> Vec<LayerConfig> {
    let layer = LayerConfig {
        window,
        rope: Some(0),
        mlp: mlp.clone(),
    };
    vec![layer; num_layers.min(MAX_LAYERS)]
}

/// Gives `window` to the layers that `layer_types` calls sliding, or else to those that
/// `is_sliding` says.
pub fn set_windows(
    layers: &mut [LayerConfig],
    config: Fields<'_>,
    window: Option<usize>,
    is_sliding: impl Fn(usize) -> bool,
) -> Result<(), String> {
    let kinds = config.optional_texts("layer_types")?;
    if let Some(kinds) = &kinds
        && kinds.len() != layers.len()
    {
        return Err(format!(
            "`layer_types` has {} entries for {} layers",
            kinds.len(),
            layers.len()
        ));
    }
    for (index, layer) in layers.iter_mut().enumerate() {
        let slides = match kinds.as_ref().map(|kinds| kinds[index]) {
            Some("sliding_attention") => true,
            Some("full_attention") => false,
            Some(other) => {
                return Err(format!(
                    "`layer_types` has `{other}`; supported are full_attention and sliding_attention"
                ));
            }
            None => is_sliding(index),
        };
        if !slides {
            continue;
        }
        layer.window = window;
        if window.is_none() && kinds.is_some() {
            return Err("`layer_types` has sliding layers, and `sliding_window` is missing".into());
        }
    }
    Ok(())
}
