//! Architectures without experts that differ from Llama in more than their numbers.

use serde_json::json;

use super::super::architecture::{
    Architecture, FieldKind, HeadDim, LayerPattern, LayerValue, QueryScale, Rope, Scaling,
    SentencePieceStyle,
};
use super::super::tensors as rules;
use super::{LLAMA, ROPE, field};

pub(super) const QWEN_2: Architecture = Architecture {
    name: "qwen2",
    class: "Qwen2ForCausalLM",
    model_type: "qwen2",
    rope: ROPE,
    constants: || json!({"attention_dropout": 0.0, "hidden_act": "silu", "use_sliding_window": false}),
    layer: &[
        rules::PRE_NORMS,
        rules::ATTENTION,
        rules::QKV_BIASES,
        rules::GATED_MLP,
    ],
    sentence_piece: SentencePieceStyle::Refused,
    ..LLAMA
};

pub(super) const QWEN_3: Architecture = Architecture {
    name: "qwen3",
    class: "Qwen3ForCausalLM",
    model_type: "qwen3",
    constants: || {
        json!({
            "attention_bias": false,
            "attention_dropout": 0.0,
            "hidden_act": "silu",
            "use_sliding_window": false,
        })
    },
    layer: &[
        rules::PRE_NORMS,
        rules::ATTENTION,
        rules::HEAD_NORMS,
        rules::GATED_MLP,
    ],
    ..QWEN_2
};

pub(super) const GEMMA_2: Architecture = Architecture {
    name: "gemma2",
    class: "Gemma2ForCausalLM",
    model_type: "gemma2",
    rope: Rope {
        scalings: &[],
        ..ROPE
    },
    fields: &[
        field(
            "attn_logit_softcapping",
            "attn_logit_softcapping",
            FieldKind::Float,
        ),
        field(
            "final_logit_softcapping",
            "final_logit_softcapping",
            FieldKind::Float,
        ),
        field(
            "attention.sliding_window",
            "sliding_window",
            FieldKind::Count,
        ),
    ],
    constants: gemma_constants,
    pattern: LayerPattern::FullEvery(2),
    // The 27B.
    query_scale: QueryScale::HeadDimUnless { num_layers: 46 },
    outer: rules::OUTER_WITH_ONE_ADDED,
    layer: &[rules::GEMMA_NORMS, rules::ATTENTION, rules::GATED_MLP],
    sentence_piece: SentencePieceStyle::Gemma,
    ..LLAMA
};

pub(super) const GEMMA_3: Architecture = Architecture {
    name: "gemma3",
    class: "Gemma3ForCausalLM",
    model_type: "gemma3_text",
    rope: Rope {
        default_theta: 1_000_000.0,
        default_local_theta: Some(10_000.0),
        scalings: &[Scaling::Linear],
        partial: false,
    },
    fields: &[
        field(
            "final_logit_softcapping",
            "final_logit_softcapping",
            FieldKind::OptionalFloat,
        ),
        field(
            "attention.sliding_window",
            "sliding_window",
            FieldKind::Count,
        ),
    ],
    pattern: LayerPattern::FullEvery(6),
    // The 27B.
    query_scale: QueryScale::HeadDimUnless { num_layers: 62 },
    layer: &[
        rules::GEMMA_NORMS,
        rules::GEMMA_HEAD_NORMS,
        rules::ATTENTION,
        rules::GATED_MLP,
    ],
    ..GEMMA_2
};

fn gemma_constants() -> serde_json::Value {
    json!({
        "attention_bias": false,
        "attention_dropout": 0.0,
        "hidden_activation": "gelu_pytorch_tanh",
    })
}

/// OLMo 3 goes by the same name; its window's key is not known here.
pub(super) const OLMO_2: Architecture = Architecture {
    name: "olmo2",
    class: "Olmo2ForCausalLM",
    model_type: "olmo2",
    head_dim: HeadDim::Derived,
    rope: ROPE,
    constants: || json!({"attention_bias": false, "attention_dropout": 0.0, "hidden_act": "silu"}),
    layer: &[
        rules::POST_NORMS,
        rules::WIDE_NORMS,
        rules::ATTENTION,
        rules::GATED_MLP,
    ],
    sentence_piece: SentencePieceStyle::Refused,
    ..LLAMA
};

pub(super) const PHI_3: Architecture = Architecture {
    name: "phi3",
    class: "Phi3ForCausalLM",
    model_type: "phi3",
    head_dim: HeadDim::Derived,
    rope: Rope {
        scalings: &[Scaling::LongRope],
        partial: true,
        ..ROPE
    },
    fields: &[field(
        "attention.sliding_window",
        "sliding_window",
        FieldKind::CountOrNone,
    )],
    constants: || {
        json!({
            "attention_bias": false,
            "attention_dropout": 0.0,
            "embd_pdrop": 0.0,
            "hidden_act": "silu",
            "resid_pdrop": 0.0,
        })
    },
    layer: &[rules::PRE_NORMS, rules::PHI_ATTENTION, rules::PHI_MLP],
    // Phi-3's tokens take the spaces behind them along, which GGUF does not say. Phi-4 has others.
    sentence_piece: SentencePieceStyle::Refused,
    ..LLAMA
};

pub(super) const APERTUS: Architecture = Architecture {
    name: "apertus",
    class: "ApertusForCausalLM",
    model_type: "apertus",
    constants: || {
        json!({
            "attention_bias": false,
            "attention_dropout": 0.0,
            "hidden_act": "xielu",
            "mlp_bias": false,
        })
    },
    layer: &[
        rules::APERTUS_NORMS,
        rules::ATTENTION,
        rules::HEAD_NORMS,
        rules::UNGATED_MLP,
    ],
    layer_values: &[
        xielu("xielu.alpha_p", "mlp.act_fn.alpha_p", &[1]),
        xielu("xielu.alpha_n", "mlp.act_fn.alpha_n", &[1]),
        xielu("xielu.beta", "mlp.act_fn.beta", &[]),
        xielu("xielu.eps", "mlp.act_fn.eps", &[]),
    ],
    sentence_piece: SentencePieceStyle::Refused,
    ..LLAMA
};

const fn xielu(key: &'static str, target: &'static str, shape: &'static [usize]) -> LayerValue {
    LayerValue { key, target, shape }
}
