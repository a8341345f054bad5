//! The architectures that are imported: one entry each. What stands here is what llama.cpp's
//! `conversion/` does to a checkpoint, the other way round.

mod dense;
mod experts;

use serde_json::json;

use super::architecture::{
    Architecture, Field, FieldKind, HeadDim, LayerPattern, QueryScale, Rope, Scaling,
    SentencePieceStyle,
};
use super::tensors as rules;
use dense::{APERTUS, GEMMA_2, GEMMA_3, OLMO_2, PHI_3, QWEN_2, QWEN_3};
use experts::{GPT_OSS, MIXTRAL, QWEN_3_MOE};

/// The architecture of a file, by `general.architecture` and whether it has experts.
pub(super) fn find(name: &str, has_experts: bool) -> Option<&'static Architecture> {
    ARCHITECTURES
        .into_iter()
        .find(|one| one.name == name && one.has_experts == has_experts)
}

/// Names for people, in the order of the table.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = ARCHITECTURES.iter().map(|one| one.name).collect();
    names.dedup();
    names
}

static ARCHITECTURES: [&Architecture; 14] = [
    &LLAMA,
    &MIXTRAL,
    &MISTRAL_3,
    &QWEN_2,
    &QWEN_3,
    &QWEN_3_MOE,
    &GEMMA_2,
    &GEMMA_3,
    &OLMO_2,
    &GRANITE,
    &PHI_3,
    &SMOLLM_3,
    &APERTUS,
    &GPT_OSS,
];

const fn field(key: &'static str, name: &'static str, kind: FieldKind) -> Field {
    Field { key, name, kind }
}

/// What most families scale their rotary embeddings with, if at all.
const ROPE: Rope = Rope {
    default_theta: 10_000.0,
    default_local_theta: None,
    scalings: &[Scaling::Linear, Scaling::Yarn],
    partial: false,
};

const LLAMA: Architecture = Architecture {
    name: "llama",
    has_experts: false,
    class: "LlamaForCausalLM",
    model_type: "llama",
    head_dim: HeadDim::Written,
    rope: Rope {
        scalings: &[Scaling::Linear, Scaling::Yarn, Scaling::Llama3],
        ..ROPE
    },
    fields: &[],
    constants: || {
        json!({
            "attention_bias": false,
            "attention_dropout": 0.0,
            "hidden_act": "silu",
            "mlp_bias": false,
            "pretraining_tp": 1,
        })
    },
    pattern: LayerPattern::Uniform,
    query_scale: QueryScale::None,
    outer: rules::OUTER,
    layer: &[rules::PRE_NORMS, rules::PAIRED_ATTENTION, rules::GATED_MLP],
    layer_values: &[],
    sentence_piece: SentencePieceStyle::Llama,
};

/// The text part of Mistral Small 3 and its like. Ministral 3 scales its queries by their
/// position, whose key is not known here.
const MISTRAL_3: Architecture = Architecture {
    name: "mistral3",
    class: "MistralForCausalLM",
    model_type: "mistral",
    rope: ROPE,
    constants: || json!({"attention_dropout": 0.0, "hidden_act": "silu", "sliding_window": null}),
    ..LLAMA
};

const GRANITE: Architecture = Architecture {
    name: "granite",
    class: "GraniteForCausalLM",
    model_type: "granite",
    head_dim: HeadDim::Derived,
    rope: ROPE,
    fields: &[
        field("attention.scale", "attention_multiplier", FieldKind::Float),
        field("embedding_scale", "embedding_multiplier", FieldKind::Float),
        field("residual_scale", "residual_multiplier", FieldKind::Float),
        field("logit_scale", "logits_scaling", FieldKind::Float),
    ],
    constants: || {
        json!({
            "attention_bias": false,
            "attention_dropout": 0.0,
            "hidden_act": "silu",
            "mlp_bias": false,
        })
    },
    sentence_piece: SentencePieceStyle::Refused,
    ..LLAMA
};

const SMOLLM_3: Architecture = Architecture {
    name: "smollm3",
    class: "SmolLM3ForCausalLM",
    model_type: "smollm3",
    rope: ROPE,
    constants: || {
        json!({
            "attention_bias": false,
            "attention_dropout": 0.0,
            "hidden_act": "silu",
            "mlp_bias": false,
            "use_sliding_window": false,
        })
    },
    pattern: LayerPattern::NoRopeEvery(4),
    sentence_piece: SentencePieceStyle::Refused,
    ..LLAMA
};
