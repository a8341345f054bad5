use super::{DecoderConfig, ExpertsConfig, LayerConfig, MlpConfig};
use crate::kernels::AttentionShape;

/// Bounds far above any published model, so that a broken file cannot ask for memory.
const MAX_DIMENSION: usize = 1 << 24;
pub const MAX_LAYERS: usize = 4096;
const MAX_EXPERTS: usize = 1 << 14;

impl DecoderConfig {
    /// Says what no decoder can be, by the name of the field.
    pub(super) fn check(&self) -> Result<(), String> {
        let AttentionShape {
            num_heads,
            num_kv_heads,
            head_dim,
        } = self.attention;
        for (name, value, max) in [
            ("vocab_size", self.vocab_size, MAX_DIMENSION),
            ("hidden_size", self.hidden_size, MAX_DIMENSION),
            ("num_hidden_layers", self.num_layers, MAX_LAYERS),
            ("num_attention_heads", num_heads, MAX_DIMENSION),
            ("num_key_value_heads", num_kv_heads, num_heads),
            ("head_dim", head_dim, AttentionShape::MAX_HEAD_DIM),
            (
                "max_position_embeddings",
                self.max_position_embeddings,
                MAX_DIMENSION,
            ),
        ] {
            within(name, value, max)?;
        }
        if !num_heads.is_multiple_of(num_kv_heads) {
            return Err(format!(
                "`num_attention_heads` ({num_heads}) is not a multiple of `num_key_value_heads` ({num_kv_heads})"
            ));
        }
        if !head_dim.is_multiple_of(2) {
            return Err(format!(
                "`head_dim` is {head_dim}; rotary embeddings need an even one"
            ));
        }
        if !(self.norm_eps > 0.0 && self.norm_eps < 1.0) {
            return Err(format!(
                "`rms_norm_eps` is {}; it must lie between 0 and 1",
                self.norm_eps
            ));
        }
        for (name, value) in [
            ("the multiplier of embeddings", Some(self.embedding_scale)),
            ("the multiplier of blocks", Some(self.residual_scale)),
            ("the multiplier of logits", Some(self.logit_scale)),
            (
                "the multiplier of attention scores",
                Some(self.attention_scale),
            ),
            ("`attn_logit_softcapping`", self.attention_softcap),
            ("`final_logit_softcapping`", self.logit_softcap),
        ] {
            if let Some(value) = value.filter(|x| !(x.is_finite() && *x > 0.0)) {
                return Err(format!("{name} is {value}; it must be a positive number"));
            }
        }
        for rope in &self.ropes {
            rope.check(head_dim)?;
        }
        self.layers.iter().try_for_each(LayerConfig::check)
    }
}

impl LayerConfig {
    fn check(&self) -> Result<(), String> {
        if let Some(window) = self.window {
            within("sliding_window", window, MAX_DIMENSION)?;
        }
        match &self.mlp {
            MlpConfig::Dense { width, .. } => within("intermediate_size", *width, MAX_DIMENSION),
            MlpConfig::Experts(experts) => experts.check(),
        }
    }
}

impl ExpertsConfig {
    fn check(&self) -> Result<(), String> {
        within("the number of experts", self.num_experts, MAX_EXPERTS)?;
        within("`num_experts_per_tok`", self.num_used, self.num_experts)?;
        within("the width of experts", self.width, MAX_DIMENSION)?;
        match self.shared_width {
            Some(width) => within("shared_expert_intermediate_size", width, MAX_DIMENSION),
            None => Ok(()),
        }
    }
}

/// A field's name in backquotes, unless it is a phrase.
fn within(name: &str, value: usize, max: usize) -> Result<(), String> {
    if (1..=max).contains(&value) {
        return Ok(());
    }
    let name = match name.contains([' ', '`']) {
        true => name.to_owned(),
        false => format!("`{name}`"),
    };
    Err(format!("{name} is {value}; it must be 1 to {max}"))
}
