use super::{ModelError, family};
use crate::kernels::AttentionShape;
use std::path::Path;

/// A decoder, over closed axes: what every family's `config.json` comes down to.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    pub family: &'static str,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_layers: usize,
    pub attention: AttentionShape,
    pub rms_norm_eps: f32,
    pub rope: RopeConfig,
    /// Longest sequence that the checkpoint was made for, in tokens.
    pub max_position_embeddings: usize,
    /// The output head is the embedding.
    pub tie_word_embeddings: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RopeConfig {
    pub theta: f64,
    pub scaling: RopeScaling,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    None,
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        factor: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
        original_max_position_embeddings: usize,
    },
}

/// Bounds far above any published model, so that a broken file cannot ask for memory.
const MAX_DIMENSION: usize = 1 << 24;
const MAX_LAYERS: usize = 4096;

impl DecoderConfig {
    /// Reads and checks `config.json` of a checkpoint directory.
    pub fn from_dir(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let text = std::fs::read_to_string(&path).map_err(|e| ModelError::file(&path, e))?;
        Self::parse(&text).map_err(|message| ModelError::file(&path, message))
    }

    /// Elements of all weights.
    pub fn num_parameters(&self) -> usize {
        let (hidden, ffn) = (self.hidden_size, self.intermediate_size);
        let attention = self.attention.qkv_width() + self.attention.q_width();
        let layer = hidden * (attention + 3 * ffn + 2);
        let tables = if self.tie_word_embeddings { 1 } else { 2 };
        self.num_layers * layer + tables * self.vocab_size * hidden + hidden
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config = family::parse(text)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let AttentionShape {
            num_heads,
            num_kv_heads,
            head_dim,
        } = self.attention;
        for (name, value, max) in [
            ("vocab_size", self.vocab_size, MAX_DIMENSION),
            ("hidden_size", self.hidden_size, MAX_DIMENSION),
            ("intermediate_size", self.intermediate_size, MAX_DIMENSION),
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
            if value == 0 || value > max {
                return Err(format!("`{name}` is {value}; it must be 1 to {max}"));
            }
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
        if !(self.rms_norm_eps > 0.0 && self.rms_norm_eps < 1.0) {
            return Err(format!(
                "`rms_norm_eps` is {}; it must lie between 0 and 1",
                self.rms_norm_eps
            ));
        }
        if !(self.rope.theta.is_finite() && self.rope.theta >= 1.0) {
            return Err(format!(
                "`rope_theta` is {}; it must be a number from 1",
                self.rope.theta
            ));
        }
        if let RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_position_embeddings,
        } = self.rope.scaling
        {
            let finite = [factor, low_freq_factor, high_freq_factor]
                .iter()
                .all(|x| x.is_finite() && *x > 0.0);
            if !finite
                || factor < 1.0
                || high_freq_factor <= low_freq_factor
                || original_max_position_embeddings == 0
            {
                return Err("the llama3 rope scaling needs a `factor` from 1, a positive `low_freq_factor` and a `high_freq_factor` above it".into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLAMA: &str = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":320,
        "hidden_size":48,"intermediate_size":80,"num_hidden_layers":3,"num_attention_heads":6,"num_key_value_heads":2,
        "hidden_act":"silu","rms_norm_eps":1e-5,"max_position_embeddings":512,"rope_theta":10000.0}"#;

    fn with(from: &str, to: &str) -> Result<DecoderConfig, String> {
        assert!(LLAMA.contains(from));
        DecoderConfig::parse(&LLAMA.replace(from, to))
    }

    #[test]
    fn head_dim_follows_from_the_hidden_size_unless_it_is_given() {
        assert_eq!(DecoderConfig::parse(LLAMA).unwrap().attention.head_dim, 8);
        assert_eq!(
            with("\"vocab_size\"", "\"head_dim\":16,\"vocab_size\"")
                .unwrap()
                .attention
                .head_dim,
            16
        );
    }

    #[test]
    fn rope_is_read_from_old_and_new_places() {
        let new = with(
            "\"rope_theta\":10000.0",
            r#""rope_parameters":{"rope_type":"llama3","rope_theta":5e5,"factor":8.0,
            "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":256}"#,
        )
        .unwrap();
        let old = with(
            "\"rope_theta\":10000.0",
            r#""rope_theta":5e5,"rope_scaling":{"type":"llama3","factor":8.0,
            "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":256}"#,
        )
        .unwrap();
        assert_eq!(new, old);
        assert_eq!(new.rope.theta, 5e5);
    }

    #[test]
    fn what_is_not_computed_is_refused_by_name() {
        for (from, to, word) in [
            ("LlamaForCausalLM", "MambaForCausalLM", "MambaForCausalLM"),
            ("\"silu\"", "\"gelu\"", "hidden_act"),
            (
                "\"rope_theta\":10000.0",
                "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":2.0}",
                "yarn",
            ),
            (
                "\"vocab_size\"",
                "\"quantization_config\":{\"quant_method\":\"gptq\"},\"vocab_size\"",
                "quantization_config",
            ),
            (
                "\"vocab_size\"",
                "\"attention_bias\":true,\"vocab_size\"",
                "attention_bias",
            ),
        ] {
            let error = with(from, to).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn absurd_and_broken_numbers_are_refused_by_name() {
        for (from, to, word) in [
            (
                "\"vocab_size\":320",
                "\"vocab_size\":99999999999999",
                "vocab_size",
            ),
            (
                "\"num_hidden_layers\":3",
                "\"num_hidden_layers\":0",
                "num_hidden_layers",
            ),
            (
                "\"num_key_value_heads\":2",
                "\"num_key_value_heads\":4",
                "multiple",
            ),
            (
                "\"num_key_value_heads\":2",
                "\"num_key_value_heads\":0",
                "num_key_value_heads",
            ),
            (
                "\"num_attention_heads\":6",
                "\"num_attention_heads\":0",
                "num_attention_heads",
            ),
            ("\"rope_theta\":10000.0", "\"rope_theta\":NaN", "line"),
            (
                "\"rope_theta\":10000.0",
                "\"rope_theta\":-1.0",
                "rope_theta",
            ),
            (
                "\"rope_theta\":10000.0",
                "\"rope_theta\":1e-300",
                "rope_theta",
            ),
            (
                "\"rope_theta\":10000.0",
                r#""rope_scaling":{"type":"llama3","factor":1e-300,"low_freq_factor":1.0,
                "high_freq_factor":4.0,"original_max_position_embeddings":256}"#,
                "`factor`",
            ),
            (
                "\"rms_norm_eps\":1e-5",
                "\"rms_norm_eps\":0.0",
                "rms_norm_eps",
            ),
            ("\"hidden_size\":48", "\"hidden_size\":47", "head_dim"),
            ("\"hidden_size\":48", "\"hidden_size\":-48", "hidden_size"),
            ("\"hidden_size\":48,", "", "hidden_size"),
        ] {
            let error = with(from, to).unwrap_err();
            assert!(error.contains(word), "{to}: {error}");
        }
    }
}
