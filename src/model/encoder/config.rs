use super::super::ModelError;
use super::super::weights::Checkpoint;
use super::family::{self, EncoderNames};
use super::{EncoderTask, Pooling};
use crate::kernels::{Activation, AttentionShape};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::Path;

/// An encoder, over closed axes: what every family's `config.json` comes down to.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// See [`super::EncoderFamily::name`].
    pub family: &'static str,
    pub(super) names: &'static EncoderNames,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub attention: AttentionShape,
    pub activation: Activation,
    pub layer_norm_eps: f32,
    /// Whether linear layers and norms add one.
    pub has_biases: bool,
    pub norms: EncoderNorms,
    /// Whether half of what goes into the MLP is activated and gates the other half.
    pub has_gate: bool,
    /// `None` where positions are rotations.
    pub learned_positions: Option<LearnedPositions>,
    /// Longest text, in tokens.
    pub max_positions: usize,
    pub num_layers: usize,
    pub layers: Vec<EncoderLayerConfig>,
    /// Of a model with labels: what its head looks at, and what it does between its two layers.
    pub classifier_pooling: Pooling,
    pub classifier_activation: Activation,
    /// The checkpoint may hold the head that guesses masked words, which is not computed.
    pub has_masked_words: bool,
    pub task: EncoderTask,
    /// Lengths to which an embedding may be cut, in the model's own words; empty: none.
    pub matryoshka_dimensions: Vec<usize>,
}

/// Where layers have their norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncoderNorms {
    /// Behind attention and behind the MLP, over what they are added to.
    Behind,
    /// In front of them (Xiong et al. 2020), and one behind the last layer; the first layer takes
    /// its attention's from the embedding.
    InFront,
}

/// Vectors that are added to those of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnedPositions {
    /// The row of the table that the first token's position has.
    pub first: usize,
    /// Whether a first text is told from a second.
    pub num_types: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderLayerConfig {
    /// Tokens that a token sees on either side, itself included; `None`: all.
    pub window: Option<usize>,
    /// The base of rotations; `None` where positions are learned.
    pub rope_theta: Option<f64>,
}

/// Bounds far above any published model, so that a broken file cannot ask for memory.
const MAX_DIMENSION: usize = 1 << 24;
pub(super) const MAX_LAYERS: usize = 4096;
const MAX_LABELS: usize = 1 << 16;

impl EncoderConfig {
    /// Whether `config.json` of a directory names an encoder. False for what cannot be read:
    /// whoever reads it as something else says why.
    pub fn is_encoder(dir: &Path) -> bool {
        let text = std::fs::read_to_string(dir.join("config.json")).unwrap_or_default();
        let config: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        family::of(&config).is_some()
    }

    /// Reads and checks `config.json` of a checkpoint directory.
    pub fn from_dir(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let text = std::fs::read_to_string(&path).map_err(|e| ModelError::file(&path, e))?;
        Self::parse(&text).map_err(|message| ModelError::file(&path, message))
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let config: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let (family, _) = family::of(&config).ok_or("`architectures` names no encoder")?;
        let config = (family.parse)(family, &config)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let shape = self.attention;
        let labels = match self.task {
            EncoderTask::Embedding => 1,
            EncoderTask::Classification { num_labels } => num_labels,
        };
        let num_types = self
            .learned_positions
            .map_or(1, |learned| learned.num_types);
        for (name, value, max) in [
            ("vocab_size", self.vocab_size, MAX_DIMENSION),
            ("hidden_size", self.hidden_size, MAX_DIMENSION),
            ("intermediate_size", self.intermediate_size, MAX_DIMENSION),
            ("num_attention_heads", shape.num_heads, MAX_DIMENSION),
            (
                "hidden_size / num_attention_heads",
                shape.head_dim,
                AttentionShape::MAX_HEAD_DIM,
            ),
            ("max_position_embeddings", self.max_positions, MAX_DIMENSION),
            ("type_vocab_size", num_types, MAX_LABELS),
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
        if self.learned_positions.is_none() && !shape.head_dim.is_multiple_of(2) {
            return Err(format!(
                "`hidden_size / num_attention_heads` is {}; rotary embeddings need an even number",
                shape.head_dim
            ));
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0) {
            return Err(format!(
                "`layer_norm_eps` or `norm_eps` is {}; it must lie between 0 and 1",
                self.layer_norm_eps
            ));
        }
        check_dimensions(&self.matryoshka_dimensions, self.hidden_size)
    }

    /// What stands before the names of this checkpoint's tensors; the first of what may where nothing
    /// fits, so that what is missing is told under that name.
    pub(super) fn prefix(&self, checkpoint: &Checkpoint) -> &'static str {
        let words = format!("{}.weight", self.names.words);
        let prefixes = self.names.prefixes;
        let is_there = |prefix: &&&str| checkpoint.contains(&format!("{prefix}{words}"));
        prefixes
            .iter()
            .find(is_there)
            .or(prefixes.first())
            .copied()
            .unwrap_or_default()
    }
}

/// Lengths to which vectors of `len` may be cut, as `config.json` of a directory says.
pub fn matryoshka_dimensions(dir: &Path, len: usize) -> Result<Vec<usize>, ModelError> {
    #[derive(Deserialize)]
    struct Hf {
        #[serde(default)]
        matryoshka_dimensions: Vec<usize>,
    }
    let path = dir.join("config.json");
    let failed = |message: String| ModelError::file(&path, message);
    let text = std::fs::read_to_string(&path).map_err(|e| failed(e.to_string()))?;
    let config: Map<String, Value> =
        serde_json::from_str(&text).map_err(|e| failed(e.to_string()))?;
    let hf: Hf = read(&config).map_err(failed)?;
    check_dimensions(&hf.matryoshka_dimensions, len).map_err(failed)?;
    Ok(hf.matryoshka_dimensions)
}

/// A vector is not cut to more than it has.
fn check_dimensions(dimensions: &[usize], len: usize) -> Result<(), String> {
    match dimensions.iter().find(|cut| !(1..=len).contains(cut)) {
        None => Ok(()),
        Some(wrong) => Err(format!(
            "`matryoshka_dimensions` holds {wrong}; they must be 1 to {len}"
        )),
    }
}

/// serde's message, with the name of the field where serde leaves it out.
pub(super) fn read<T: DeserializeOwned>(config: &Map<String, Value>) -> Result<T, String> {
    let config = Value::Object(config.clone());
    serde_path_to_error::deserialize(config).map_err(|e| match e.path().to_string() {
        path if path == "." => e.inner().to_string(),
        path => format!("`{path}`: {}", e.inner()),
    })
}

/// Heads that share nothing, and that the checks refuse where they do not divide the hidden size.
pub(super) fn heads(hidden_size: usize, num_heads: usize) -> AttentionShape {
    AttentionShape {
        num_heads,
        num_kv_heads: num_heads,
        head_dim: hidden_size.checked_div(num_heads).unwrap_or(0),
    }
}

pub(super) fn layers(
    num_layers: usize,
    layer: impl Fn(usize) -> EncoderLayerConfig,
) -> Result<Vec<EncoderLayerConfig>, String> {
    if num_layers == 0 || num_layers > MAX_LAYERS {
        return Err(format!(
            "`num_hidden_layers` is {num_layers}; it must be 1 to {MAX_LAYERS}"
        ));
    }
    Ok((0..num_layers).map(layer).collect())
}

/// What the architecture's name says that the model was trained for.
pub(super) fn task(config: &Map<String, Value>) -> Result<EncoderTask, String> {
    #[derive(Deserialize)]
    struct HfLabels {
        num_labels: Option<usize>,
        id2label: Option<Map<String, Value>>,
    }
    if !is_for(config, "SequenceClassification") {
        return Ok(EncoderTask::Embedding);
    }
    let hf: HfLabels = read(config)?;
    let num_labels = hf.num_labels.or(hf.id2label.map(|labels| labels.len()));
    // What `transformers` assumes.
    let num_labels = num_labels.unwrap_or(2);
    Ok(EncoderTask::Classification { num_labels })
}

pub(super) fn has_masked_words(config: &Map<String, Value>) -> bool {
    is_for(config, "MaskedLM")
}

fn is_for(config: &Map<String, Value>, what: &str) -> bool {
    family::of(config).is_some_and(|(_, name)| name.ends_with(&format!("For{what}")))
}

pub(super) fn activation(key: &str, name: &str) -> Result<Activation, String> {
    match name {
        "gelu" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Activation::GeluTanh),
        "relu" => Ok(Activation::Relu),
        other => Err(format!(
            "`{key}` is {other}; supported are gelu, gelu_new, gelu_fast, gelu_pytorch_tanh and relu"
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
        let first = |config: &EncoderConfig| config.learned_positions.unwrap().first;
        let bert = EncoderConfig::parse(BERT).unwrap();
        assert_eq!((first(&bert), bert.max_positions), (0, 64));
        let roberta = with(
            "\"BertModel\"],\"model_type\":\"bert\"",
            "\"XLMRobertaModel\"],\"model_type\":\"xlm-roberta\"",
        );
        let roberta = roberta.unwrap();
        assert_eq!((first(&roberta), roberta.max_positions), (1, 63));
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
    fn a_head_that_guesses_words_is_known_to_be_left_out() {
        for (to, has_masked_words) in [("BertForMaskedLM", true), ("BertModel", false)] {
            let config = with("BertModel", to).unwrap();
            assert_eq!(config.task, EncoderTask::Embedding);
            assert_eq!(config.has_masked_words, has_masked_words);
        }
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
            ("BertModel", "BertForTokenClassification", "architectures"),
            (
                "\"num_hidden_layers\":3",
                "\"num_hidden_layers\":0",
                "num_hidden_layers",
            ),
        ] {
            let error = with(from, to).unwrap_err();
            assert!(error.contains(word), "{to}: {error}");
        }
    }
}
