use super::super::ModelError;
use super::super::weights::Checkpoint;
use super::EncoderTask;
use crate::kernels::{Activation, AttentionShape};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

/// An encoder of the BERT kind, over closed axes.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    pub family: &'static str,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_layers: usize,
    pub attention: AttentionShape,
    pub activation: Activation,
    pub layer_norm_eps: f32,
    /// The row of the table that the first token's position has.
    pub first_position: usize,
    /// Longest text, in tokens.
    pub max_positions: usize,
    /// Whether a first text is told from a second.
    pub num_types: usize,
    pub task: EncoderTask,
    /// Lengths to which an embedding may be cut, in the model's own words; empty: none.
    pub matryoshka_dimensions: Vec<usize>,
}

/// Bounds far above any published model, so that a broken file cannot ask for memory.
const MAX_DIMENSION: usize = 1 << 24;
const MAX_LAYERS: usize = 4096;
const MAX_LABELS: usize = 1 << 16;

/// Architectures, with the family and whether they end in labels.
const ARCHITECTURES: [(&str, &str, bool); 8] = [
    ("BertModel", "bert", false),
    ("BertForSequenceClassification", "bert", true),
    ("RobertaModel", "roberta", false),
    ("RobertaForSequenceClassification", "roberta", true),
    ("XLMRobertaModel", "xlm-roberta", false),
    ("XLMRobertaForSequenceClassification", "xlm-roberta", true),
    ("CamembertModel", "camembert", false),
    ("CamembertForSequenceClassification", "camembert", true),
];

/// What checkpoints put before the names of an encoder's tensors.
const PREFIXES: [&str; 3] = ["", "bert.", "roberta."];

#[derive(Deserialize)]
struct HfEncoder {
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
    num_labels: Option<usize>,
    id2label: Option<Map<String, Value>>,
    #[serde(default)]
    matryoshka_dimensions: Vec<usize>,
}

impl EncoderConfig {
    /// Whether `config.json` of a directory names an encoder. False for what cannot be read:
    /// whoever reads it as something else says why.
    pub fn is_encoder(dir: &Path) -> bool {
        let text = std::fs::read_to_string(dir.join("config.json")).unwrap_or_default();
        let config: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        architecture(&config).is_some()
    }

    /// Reads and checks `config.json` of a checkpoint directory.
    pub fn from_dir(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let text = std::fs::read_to_string(&path).map_err(|e| ModelError::file(&path, e))?;
        Self::parse(&text).map_err(|message| ModelError::file(&path, message))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let (family, has_labels) =
            architecture(&config).ok_or("`architectures` names no encoder")?;
        let hf: HfEncoder =
            serde_json::from_value(Value::Object(config)).map_err(|e| e.to_string())?;
        if let Some(other) = (hf.position_embedding_type.as_deref()).filter(|t| *t != "absolute") {
            return Err(format!(
                "`position_embedding_type` is {other}; supported is absolute"
            ));
        }
        if hf.is_decoder {
            return Err("`is_decoder` is true; encoders are supported without".into());
        }
        // In these families a token's position is counted from behind that of padding.
        let first_position = match family {
            "bert" => 0,
            _ => hf.pad_token_id.unwrap_or(1).saturating_add(1),
        };
        let num_labels = hf.num_labels.or(hf.id2label.map(|labels| labels.len()));
        let head_dim = (hf.hidden_size)
            .checked_div(hf.num_attention_heads)
            .unwrap_or(0);
        let config = Self {
            family,
            vocab_size: hf.vocab_size,
            hidden_size: hf.hidden_size,
            intermediate_size: hf.intermediate_size,
            num_layers: hf.num_hidden_layers,
            attention: AttentionShape {
                num_heads: hf.num_attention_heads,
                num_kv_heads: hf.num_attention_heads,
                head_dim,
            },
            activation: activation(&hf.hidden_act)?,
            layer_norm_eps: hf.layer_norm_eps as f32,
            first_position,
            max_positions: hf.max_position_embeddings.saturating_sub(first_position),
            num_types: hf.type_vocab_size,
            task: match has_labels {
                // What `transformers` assumes.
                true => EncoderTask::Classification {
                    num_labels: num_labels.unwrap_or(2),
                },
                false => EncoderTask::Embedding,
            },
            matryoshka_dimensions: hf.matryoshka_dimensions,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let shape = self.attention;
        let labels = match self.task {
            EncoderTask::Embedding => 1,
            EncoderTask::Classification { num_labels } => num_labels,
        };
        for (name, value, max) in [
            ("vocab_size", self.vocab_size, MAX_DIMENSION),
            ("hidden_size", self.hidden_size, MAX_DIMENSION),
            ("intermediate_size", self.intermediate_size, MAX_DIMENSION),
            ("num_hidden_layers", self.num_layers, MAX_LAYERS),
            ("num_attention_heads", shape.num_heads, MAX_DIMENSION),
            (
                "hidden_size / num_attention_heads",
                shape.head_dim,
                AttentionShape::MAX_HEAD_DIM,
            ),
            ("max_position_embeddings", self.max_positions, MAX_DIMENSION),
            ("type_vocab_size", self.num_types, MAX_LABELS),
            ("num_labels", labels, MAX_LABELS),
        ] {
            if value == 0 || value > max {
                return Err(format!("`{name}` is {value}; it must be 1 to {max}"));
            }
        }
        if shape.num_heads * shape.head_dim != self.hidden_size {
            return Err(format!(
                "`hidden_size` ({}) is not a multiple of `num_attention_heads` ({})",
                self.hidden_size, shape.num_heads
            ));
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0) {
            return Err(format!(
                "`layer_norm_eps` is {}; it must lie between 0 and 1",
                self.layer_norm_eps
            ));
        }
        let allowed = 1..=self.hidden_size;
        if let Some(wrong) = (self.matryoshka_dimensions.iter()).find(|len| !allowed.contains(len))
        {
            return Err(format!(
                "`matryoshka_dimensions` holds {wrong}; they must be 1 to {}",
                self.hidden_size
            ));
        }
        Ok(())
    }

    /// What stands before the names of this checkpoint's tensors.
    pub(super) fn prefix(&self, checkpoint: &Checkpoint) -> Result<&'static str, ModelError> {
        let words = "embeddings.word_embeddings.weight";
        PREFIXES
            .into_iter()
            .find(|prefix| checkpoint.contains(&format!("{prefix}{words}")))
            .ok_or_else(|| ModelError::Unsupported(format!("the tensor {words} is missing")))
    }
}

fn architecture(config: &Map<String, Value>) -> Option<(&'static str, bool)> {
    let name = config.get("architectures")?.as_array()?.first()?.as_str()?;
    let (_, family, has_labels) = ARCHITECTURES
        .into_iter()
        .find(|(known, ..)| *known == name)?;
    Some((family, has_labels))
}

fn activation(name: &str) -> Result<Activation, String> {
    match name {
        "gelu" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Activation::GeluTanh),
        "relu" => Ok(Activation::Relu),
        other => Err(format!(
            "`hidden_act` is {other}; supported are gelu, gelu_new, gelu_fast, gelu_pytorch_tanh and relu"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERT: &str = r#"{"architectures":["BertModel"],"model_type":"bert","vocab_size":320,"hidden_size":48,
        "intermediate_size":80,"num_hidden_layers":3,"num_attention_heads":6,"hidden_act":"gelu","layer_norm_eps":1e-12,
        "max_position_embeddings":64,"type_vocab_size":2,"pad_token_id":0}"#;

    fn with(from: &str, to: &str) -> Result<EncoderConfig, String> {
        assert!(BERT.contains(from));
        EncoderConfig::parse(&BERT.replace(from, to))
    }

    #[test]
    fn positions_are_counted_as_the_family_does() {
        let bert = EncoderConfig::parse(BERT).unwrap();
        assert_eq!((bert.first_position, bert.max_positions), (0, 64));
        let roberta = with(
            "\"BertModel\"],\"model_type\":\"bert\"",
            "\"XLMRobertaModel\"],\"model_type\":\"xlm-roberta\"",
        );
        let roberta = roberta.unwrap();
        assert_eq!((roberta.first_position, roberta.max_positions), (1, 63));
    }

    #[test]
    fn labels_are_counted_where_there_are_any() {
        assert_eq!(
            EncoderConfig::parse(BERT).unwrap().task,
            EncoderTask::Embedding
        );
        let one = with(
            "\"BertModel\"],",
            "\"BertForSequenceClassification\"],\"id2label\":{\"0\":\"LABEL_0\"},",
        );
        assert_eq!(
            one.unwrap().task,
            EncoderTask::Classification { num_labels: 1 }
        );
    }

    #[test]
    fn what_is_not_computed_is_refused_by_name() {
        for (from, to, word) in [
            ("\"gelu\"", "\"silu\"", "hidden_act"),
            (
                "\"vocab_size\"",
                "\"position_embedding_type\":\"relative_key\",\"vocab_size\"",
                "relative_key",
            ),
            (
                "\"vocab_size\"",
                "\"is_decoder\":true,\"vocab_size\"",
                "is_decoder",
            ),
            (
                "\"num_attention_heads\":6",
                "\"num_attention_heads\":5",
                "multiple",
            ),
            (
                "\"num_attention_heads\":6",
                "\"num_attention_heads\":0",
                "num_attention_heads",
            ),
            (
                "\"vocab_size\":320",
                "\"vocab_size\":99999999999999",
                "vocab_size",
            ),
            (
                "\"layer_norm_eps\":1e-12",
                "\"layer_norm_eps\":0.0",
                "layer_norm_eps",
            ),
            (
                "\"type_vocab_size\":2",
                "\"type_vocab_size\":0",
                "type_vocab_size",
            ),
            (
                "\"vocab_size\"",
                "\"matryoshka_dimensions\":[49],\"vocab_size\"",
                "matryoshka_dimensions",
            ),
            ("BertModel", "BertForMaskedLM", "architectures"),
        ] {
            let error = with(from, to).unwrap_err();
            assert!(error.contains(word), "{to}: {error}");
        }
    }
}
