//! Architectures with experts.

use serde_json::json;

use super::super::architecture::{
    Architecture, Field, FieldKind, LayerPattern, Rope, Scaling, SentencePieceStyle,
};
use super::super::tensors as rules;
use super::super::tensors::experts;
use super::dense::QWEN_2;
use super::{LLAMA, ROPE, field};

const NUM_EXPERTS_PER_TOKEN: Field =
    field("expert_used_count", "num_experts_per_tok", FieldKind::Count);

pub(super) const MIXTRAL: Architecture = Architecture {
    has_experts: true,
    class: "MixtralForCausalLM",
    model_type: "mixtral",
    fields: &[
        field("expert_count", "num_local_experts", FieldKind::Count),
        NUM_EXPERTS_PER_TOKEN,
    ],
    constants: || json!({"attention_dropout": 0.0, "hidden_act": "silu", "sliding_window": null}),
    layer: &[
        rules::PRE_NORMS,
        rules::PAIRED_ATTENTION,
        experts::MIXTRAL_EXPERTS,
    ],
    ..LLAMA
};

pub(super) const QWEN_3_MOE: Architecture = Architecture {
    name: "qwen3moe",
    has_experts: true,
    class: "Qwen3MoeForCausalLM",
    model_type: "qwen3_moe",
    fields: &[
        field("expert_count", "num_experts", FieldKind::Count),
        NUM_EXPERTS_PER_TOKEN,
        field(
            "expert_feed_forward_length",
            "moe_intermediate_size",
            FieldKind::Count,
        ),
    ],
    constants: || {
        json!({
            "attention_bias": false,
            "attention_dropout": 0.0,
            "decoder_sparse_step": 1,
            "hidden_act": "silu",
            "mlp_only_layers": [],
            "norm_topk_prob": true,
            "use_sliding_window": false,
        })
    },
    layer: &[
        rules::PRE_NORMS,
        rules::ATTENTION,
        rules::HEAD_NORMS,
        experts::QWEN_EXPERTS,
    ],
    ..QWEN_2
};

pub(super) const GPT_OSS: Architecture = Architecture {
    name: "gpt-oss",
    has_experts: true,
    class: "GptOssForCausalLM",
    model_type: "gpt_oss",
    rope: Rope {
        scalings: &[Scaling::YarnUntruncated],
        ..ROPE
    },
    fields: &[
        field("expert_count", "num_local_experts", FieldKind::Count),
        NUM_EXPERTS_PER_TOKEN,
        field(
            "expert_feed_forward_length",
            "intermediate_size",
            FieldKind::Count,
        ),
        field(
            "attention.sliding_window",
            "sliding_window",
            FieldKind::Count,
        ),
    ],
    constants: || {
        json!({
            "attention_bias": true,
            "attention_dropout": 0.0,
            "hidden_act": "silu",
            "swiglu_limit": 7.0,
        })
    },
    pattern: LayerPattern::FullEvery(2),
    layer: &[
        experts::GPT_OSS_NORMS,
        rules::ATTENTION,
        rules::QKV_BIASES,
        experts::GPT_OSS_ATTENTION,
        experts::GPT_OSS_EXPERTS,
    ],
    sentence_piece: SentencePieceStyle::Refused,
    ..LLAMA
};
