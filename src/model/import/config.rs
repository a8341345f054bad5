//! `config.json` from GGUF metadata.

use std::io::{BufReader, Read, Seek};

use serde_json::{Map, Value, json};

use super::architecture::{
    Architecture, Dim, Dimensions, Field, FieldKind, HeadDim, LayerPattern, QueryScale,
};
use super::chat::Specials;
use super::header::Header;
use super::metadata::Metadata;
use super::tensors::{EMBEDDING, OUTPUT};
use super::{ImportError, families, rope};

/// What the metadata say of a checkpoint.
pub(super) struct ModelConfig {
    pub(super) architecture: &'static Architecture,
    pub(super) dimensions: Dimensions,
    pub(super) max_position_embeddings: usize,
    pub(super) tie_word_embeddings: bool,
    /// Fields of `config.json` that do not follow from the others.
    fields: Map<String, Value>,
}

impl ModelConfig {
    pub(super) fn from_gguf<R: Read + Seek>(
        metadata: &Metadata<'_>,
        header: &Header,
        reader: &mut BufReader<R>,
    ) -> Result<Self, ImportError> {
        refuse_parts(metadata)?;
        let architecture = architecture(metadata)?;
        let dimensions = dimensions(architecture, metadata, header)?;
        refuse_variants(architecture.name, metadata, &dimensions)?;
        let mut fields = rope::fields(architecture, &dimensions, metadata, header, reader)?;
        let eps_key = format!("{}.attention.layer_norm_rms_epsilon", architecture.name);
        let rms_norm_eps = metadata.float(&eps_key)?;
        if rms_norm_eps <= 0.0 {
            return Err(contradiction(&format!("{eps_key} is not above 0")));
        }
        fields.insert("rms_norm_eps".into(), json!(rms_norm_eps));
        for field in architecture.fields {
            let key = format!("{}.{}", architecture.name, field.key);
            fields.insert(field.name.into(), value_of(field, &key, metadata)?);
        }
        Ok(Self {
            architecture,
            dimensions,
            max_position_embeddings: metadata
                .size(&format!("{}.context_length", architecture.name))?,
            tie_word_embeddings: !header.tensors.contains_key(OUTPUT.source),
            fields,
        })
    }

    /// The file as `transformers` writes it for the architecture's class. Only for plans that
    /// exist: lists have an entry a layer.
    pub(super) fn to_json(&self, specials: &Specials) -> Value {
        let dimensions = &self.dimensions;
        let mut config = json!({
            "architectures": [self.architecture.class],
            "bos_token_id": specials.bos,
            "eos_token_id": specials.eos,
            "hidden_size": dimensions.hidden_size,
            "initializer_range": 0.02,
            "intermediate_size": dimensions.intermediate_size,
            "max_position_embeddings": self.max_position_embeddings,
            "model_type": self.architecture.model_type,
            "num_attention_heads": dimensions.num_heads,
            "num_hidden_layers": dimensions.num_layers,
            "num_key_value_heads": dimensions.num_kv_heads,
            "pad_token_id": specials.pad,
            "tie_word_embeddings": self.tie_word_embeddings,
            "torch_dtype": "bfloat16",
            "use_cache": true,
            "vocab_size": dimensions.vocab_size,
        });
        if self.architecture.head_dim == HeadDim::Written {
            config["head_dim"] = json!(dimensions.head_dim);
        }
        if let QueryScale::HeadDimUnless { num_layers } = self.architecture.query_scale {
            let scalar = match dimensions.num_layers == num_layers {
                true => dimensions.hidden_size / dimensions.num_heads,
                false => dimensions.head_dim,
            };
            config["query_pre_attn_scalar"] = json!(scalar);
        }
        let layers = 1..=dimensions.num_layers;
        match self.architecture.pattern {
            LayerPattern::Uniform => {}
            LayerPattern::FullEvery(step) => {
                let kind = |layer: usize| match layer.is_multiple_of(step) {
                    true => "full_attention",
                    false => "sliding_attention",
                };
                config["layer_types"] = layers.map(kind).collect();
            }
            LayerPattern::NoRopeEvery(step) => {
                config["no_rope_layer_interval"] = json!(step);
                // 1 for a layer that has them.
                config["no_rope_layers"] = layers
                    .map(|layer| u8::from(!layer.is_multiple_of(step)))
                    .collect();
            }
        }
        for fields in [(self.architecture.constants)(), self.fields.clone().into()] {
            if let (Value::Object(config), Value::Object(fields)) = (&mut config, fields) {
                config.extend(fields);
            }
        }
        config
    }
}

fn refuse_parts(metadata: &Metadata<'_>) -> Result<(), ImportError> {
    if metadata
        .optional_text("general.type")?
        .is_some_and(|kind| kind != "model")
    {
        return Err(ImportError::Unsupported(
            "the file holds an adapter or a part, not a model".into(),
        ));
    }
    if metadata
        .optional_index("split.count")?
        .is_some_and(|count| count > 1)
    {
        return Err(ImportError::Unsupported(
            "the file is one part of a split model; join the parts first (llama-gguf-split --merge)".into(),
        ));
    }
    Ok(())
}

fn architecture(metadata: &Metadata<'_>) -> Result<&'static Architecture, ImportError> {
    let name = metadata.text("general.architecture")?;
    let has_experts = metadata
        .optional_index(&format!("{name}.expert_count"))?
        .is_some_and(|count| count > 0);
    if !has_experts {
        // Old files of Llama models say that they use none.
        metadata.optional_index(&format!("{name}.expert_used_count"))?;
    }
    families::find(name, has_experts).ok_or_else(|| {
        let with = if has_experts { " with experts" } else { "" };
        ImportError::Unsupported(format!(
            "the architecture {name:?}{with} is not imported; {} are",
            families::names().join(", ")
        ))
    })
}

fn dimensions(
    architecture: &Architecture,
    metadata: &Metadata<'_>,
    header: &Header,
) -> Result<Dimensions, ImportError> {
    let key = |rest: &str| format!("{}.{rest}", architecture.name);
    let vocab_size = match header.tensors.get(EMBEDDING) {
        Some(entry) => entry.shape[0],
        None => return Err(contradiction("the tensor token_embd.weight is missing")),
    };
    let hidden_size = metadata.size(&key("embedding_length"))?;
    let intermediate_size = metadata.size(&key("feed_forward_length"))?;
    let num_heads = metadata.size(&key("attention.head_count"))?;
    let num_kv_heads = metadata
        .optional_size(&key("attention.head_count_kv"))?
        .unwrap_or(num_heads);
    let derived = match hidden_size.is_multiple_of(num_heads) {
        true => Some(hidden_size / num_heads),
        false => None,
    };
    let head_dim = metadata.optional_size(&key("attention.key_length"))?;
    let Some(head_dim) = head_dim.or(derived) else {
        return Err(contradiction(
            "the hidden size is no multiple of the number of heads",
        ));
    };
    if architecture.head_dim == HeadDim::Derived && derived != Some(head_dim) {
        return Err(ImportError::Unsupported(format!(
            "the heads of the {} model are not as wide as its hidden size by their number, which is not imported",
            architecture.name
        )));
    }
    if !head_dim.is_multiple_of(2) || !num_heads.is_multiple_of(num_kv_heads) {
        return Err(contradiction(
            "the attention heads do not divide as they must",
        ));
    }
    let (num_experts, expert_intermediate_size) = match architecture.has_experts {
        false => (0, 0),
        true => (
            metadata.size(&key("expert_count"))?,
            metadata
                .optional_size(&key("expert_feed_forward_length"))?
                .unwrap_or(intermediate_size),
        ),
    };
    Ok(Dimensions {
        vocab_size,
        hidden_size,
        intermediate_size,
        num_layers: metadata.size(&key("block_count"))?,
        num_heads,
        num_kv_heads,
        head_dim,
        num_experts,
        expert_intermediate_size,
    })
}

fn value_of(field: &Field, key: &str, metadata: &Metadata<'_>) -> Result<Value, ImportError> {
    Ok(match field.kind {
        FieldKind::Count => json!(metadata.size(key)?),
        FieldKind::CountOrNone => match metadata.optional_index(key)? {
            None | Some(0) => Value::Null,
            Some(count) => json!(count),
        },
        FieldKind::Float => json!(metadata.float(key)?),
        FieldKind::OptionalFloat => json!(metadata.optional_float(key)?),
    })
}

/// Keys that every architecture may have, with the only values that mean nothing.
fn refuse_variants(
    name: &str,
    metadata: &Metadata<'_>,
    dimensions: &Dimensions,
) -> Result<(), ImportError> {
    let key = |rest: &str| format!("{name}.{rest}");
    if metadata
        .optional_size(&key("attention.value_length"))?
        .is_some_and(|length| length != dimensions.head_dim)
    {
        return Err(ImportError::Unsupported(
            "keys and values of different lengths are not imported".into(),
        ));
    }
    if metadata
        .optional_size(&key("vocab_size"))?
        .is_some_and(|size| dimensions.size(Dim::Vocab) != Some(size))
    {
        return Err(contradiction(&format!(
            "{} is not the number of rows of token_embd.weight, {}",
            key("vocab_size"),
            dimensions.vocab_size
        )));
    }
    if metadata
        .optional_index(&key("pooling_type"))?
        .is_some_and(|kind| kind > 0)
    {
        return Err(ImportError::Unsupported(format!(
            "the file holds an embedding model ({}), which is not imported",
            key("pooling_type")
        )));
    }
    if metadata.optional_bool(&key("attention.causal"))? == Some(false) {
        return Err(ImportError::Unsupported(
            "a model whose tokens see what follows them is not imported".into(),
        ));
    }
    // How the rows of Q and K lay in the checkpoint before they were reordered.
    metadata.optional_text(&key("tensor_data_layout"))?;
    Ok(())
}

/// Refuses a file with a key of its architecture that nothing has asked for: it may change what
/// the model computes.
pub(super) fn refuse_unknown_keys(
    architecture: &Architecture,
    metadata: &Metadata<'_>,
) -> Result<(), ImportError> {
    match metadata.unknown_key(&format!("{}.", architecture.name)) {
        None => Ok(()),
        Some(key) => Err(ImportError::Unsupported(format!(
            "the model sets {key}, which is not imported"
        ))),
    }
}

fn contradiction(what: &str) -> ImportError {
    ImportError::Malformed(what.to_owned())
}
