//! Which GGUF tensor becomes which Hugging Face tensor.

use std::collections::BTreeSet;

use super::ImportError;
use super::config::{EMBEDDING, LlamaConfig, OUTPUT};
use super::header::Header;

/// One tensor to convert; it stands in the file with the right shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedTensor {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) shape: Vec<usize>,
    pub(super) num_elements: usize,
    /// The rows of one head, where llama.cpp's converter permuted them.
    pub(super) permuted_head_rows: Option<usize>,
}

/// Tensors that are no weights: the rotary factors go into `config.json`.
const NOT_WEIGHTS: [&str; 1] = ["rope_freqs.weight"];

/// Every tensor of the checkpoint, in the order it is written. Strict: a tensor that is
/// missing, left over or of another shape is refused.
pub(super) fn plan(
    config: &LlamaConfig,
    header: &Header,
) -> Result<Vec<PlannedTensor>, ImportError> {
    let mut plan = Plan {
        header,
        tensors: Vec::new(),
    };
    let hidden = config.hidden_size;
    let absurd = || ImportError::Malformed("the attention's size is absurd".to_owned());
    let queries = config
        .num_attention_heads
        .checked_mul(config.head_dim)
        .ok_or_else(absurd)?;
    let keys = config
        .num_key_value_heads
        .checked_mul(config.head_dim)
        .ok_or_else(absurd)?;
    let head = Some(config.head_dim);

    plan.add(
        EMBEDDING.into(),
        "model.embed_tokens.weight".into(),
        &[config.vocab_size, hidden],
        None,
    )?;
    for layer in 0..config.num_hidden_layers {
        let rows: [(&str, &str, &[usize], Option<usize>); 9] = [
            ("attn_norm", "input_layernorm", &[hidden], None),
            ("attn_q", "self_attn.q_proj", &[queries, hidden], head),
            ("attn_k", "self_attn.k_proj", &[keys, hidden], head),
            ("attn_v", "self_attn.v_proj", &[keys, hidden], None),
            ("attn_output", "self_attn.o_proj", &[hidden, queries], None),
            ("ffn_norm", "post_attention_layernorm", &[hidden], None),
            (
                "ffn_gate",
                "mlp.gate_proj",
                &[config.intermediate_size, hidden],
                None,
            ),
            (
                "ffn_up",
                "mlp.up_proj",
                &[config.intermediate_size, hidden],
                None,
            ),
            (
                "ffn_down",
                "mlp.down_proj",
                &[hidden, config.intermediate_size],
                None,
            ),
        ];
        for (source, target, shape, permuted) in rows {
            plan.add(
                format!("blk.{layer}.{source}.weight"),
                format!("model.layers.{layer}.{target}.weight"),
                shape,
                permuted,
            )?;
        }
    }
    plan.add(
        "output_norm.weight".into(),
        "model.norm.weight".into(),
        &[hidden],
        None,
    )?;
    if !config.tie_word_embeddings {
        plan.add(
            OUTPUT.into(),
            "lm_head.weight".into(),
            &[config.vocab_size, hidden],
            None,
        )?;
    }
    plan.finish()
}

struct Plan<'a> {
    header: &'a Header,
    tensors: Vec<PlannedTensor>,
}

impl Plan<'_> {
    fn add(
        &mut self,
        source: String,
        target: String,
        shape: &[usize],
        permuted_head_rows: Option<usize>,
    ) -> Result<(), ImportError> {
        let Some(entry) = self.header.tensors.get(&source) else {
            return Err(ImportError::Malformed(format!(
                "the tensor {source} is missing"
            )));
        };
        if entry.shape != shape {
            return Err(ImportError::Malformed(format!(
                "the tensor {source} has the shape {:?}, but the metadata imply {shape:?}",
                entry.shape
            )));
        }
        // The header has checked that the product fits.
        let num_elements = shape.iter().product();
        self.tensors.push(PlannedTensor {
            source,
            target,
            shape: shape.to_vec(),
            num_elements,
            permuted_head_rows,
        });
        Ok(())
    }

    fn finish(self) -> Result<Vec<PlannedTensor>, ImportError> {
        let planned: BTreeSet<&str> = self
            .tensors
            .iter()
            .map(|tensor| tensor.source.as_str())
            .collect();
        let left_over =
            self.header.tensors.keys().find(|name| {
                !planned.contains(name.as_str()) && !NOT_WEIGHTS.contains(&name.as_str())
            });
        match left_over {
            Some(name) => Err(ImportError::Unsupported(format!(
                "the tensor {name} has no place in a Llama model, so the file is not imported"
            ))),
            None => Ok(self.tensors),
        }
    }
}
