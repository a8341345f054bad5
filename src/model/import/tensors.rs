//! Groups of tensors that families share: GGUF's name, Hugging Face's, the shape, and what has to
//! be undone.

pub(super) mod experts;

use super::architecture::Dim::{
    Ffn, GateAndUp, Head, Hidden, Keys, Queries, QueriesKeysValues, Vocab,
};
use super::architecture::Layout::{AsStored, OneAdded, PairedHeads};
use super::architecture::{Dim, Layout, TensorRule};

pub(super) const EMBEDDING: &str = "token_embd.weight";

const fn tensor(
    source: &'static str,
    target: &'static str,
    shape: &'static [Dim],
    layout: Layout,
) -> TensorRule {
    TensorRule {
        source,
        second: None,
        target,
        shape,
        layout,
    }
}

const EMBEDDING_RULE: TensorRule = tensor(
    EMBEDDING,
    "model.embed_tokens.weight",
    &[Vocab, Hidden],
    AsStored,
);

pub(super) const OUTER: &[TensorRule] = &[
    EMBEDDING_RULE,
    tensor(
        "output_norm.weight",
        "model.norm.weight",
        &[Hidden],
        AsStored,
    ),
];

pub(super) const OUTER_WITH_ONE_ADDED: &[TensorRule] = &[
    EMBEDDING_RULE,
    tensor(
        "output_norm.weight",
        "model.norm.weight",
        &[Hidden],
        OneAdded,
    ),
];

/// The output matrix, of models that have one of their own.
pub(super) const OUTPUT: TensorRule = tensor(
    "output.weight",
    "lm_head.weight",
    &[Vocab, Hidden],
    AsStored,
);

pub(super) const PRE_NORMS: &[TensorRule] = &[
    tensor(
        "attn_norm.weight",
        "input_layernorm.weight",
        &[Hidden],
        AsStored,
    ),
    tensor(
        "ffn_norm.weight",
        "post_attention_layernorm.weight",
        &[Hidden],
        AsStored,
    ),
];

pub(super) const POST_NORMS: &[TensorRule] = &[
    tensor(
        "post_attention_norm.weight",
        "post_attention_layernorm.weight",
        &[Hidden],
        AsStored,
    ),
    tensor(
        "post_ffw_norm.weight",
        "post_feedforward_layernorm.weight",
        &[Hidden],
        AsStored,
    ),
];

pub(super) const GEMMA_NORMS: &[TensorRule] = &[
    tensor(
        "attn_norm.weight",
        "input_layernorm.weight",
        &[Hidden],
        OneAdded,
    ),
    tensor(
        "post_attention_norm.weight",
        "post_attention_layernorm.weight",
        &[Hidden],
        OneAdded,
    ),
    tensor(
        "ffn_norm.weight",
        "pre_feedforward_layernorm.weight",
        &[Hidden],
        OneAdded,
    ),
    tensor(
        "post_ffw_norm.weight",
        "post_feedforward_layernorm.weight",
        &[Hidden],
        OneAdded,
    ),
];

pub(super) const APERTUS_NORMS: &[TensorRule] = &[
    tensor(
        "attn_norm.weight",
        "attention_layernorm.weight",
        &[Hidden],
        AsStored,
    ),
    tensor(
        "ffn_norm.weight",
        "feedforward_layernorm.weight",
        &[Hidden],
        AsStored,
    ),
];

const VALUES: TensorRule = tensor(
    "attn_v.weight",
    "self_attn.v_proj.weight",
    &[Keys, Hidden],
    AsStored,
);
const ATTENTION_OUTPUT: TensorRule = tensor(
    "attn_output.weight",
    "self_attn.o_proj.weight",
    &[Hidden, Queries],
    AsStored,
);

pub(super) const ATTENTION: &[TensorRule] = &[
    tensor(
        "attn_q.weight",
        "self_attn.q_proj.weight",
        &[Queries, Hidden],
        AsStored,
    ),
    tensor(
        "attn_k.weight",
        "self_attn.k_proj.weight",
        &[Keys, Hidden],
        AsStored,
    ),
    VALUES,
    ATTENTION_OUTPUT,
];

pub(super) const PAIRED_ATTENTION: &[TensorRule] = &[
    tensor(
        "attn_q.weight",
        "self_attn.q_proj.weight",
        &[Queries, Hidden],
        PairedHeads,
    ),
    tensor(
        "attn_k.weight",
        "self_attn.k_proj.weight",
        &[Keys, Hidden],
        PairedHeads,
    ),
    VALUES,
    ATTENTION_OUTPUT,
];

pub(super) const PHI_ATTENTION: &[TensorRule] = &[
    tensor(
        "attn_qkv.weight",
        "self_attn.qkv_proj.weight",
        &[QueriesKeysValues, Hidden],
        AsStored,
    ),
    ATTENTION_OUTPUT,
];

pub(super) const QKV_BIASES: &[TensorRule] = &[
    tensor("attn_q.bias", "self_attn.q_proj.bias", &[Queries], AsStored),
    tensor("attn_k.bias", "self_attn.k_proj.bias", &[Keys], AsStored),
    tensor("attn_v.bias", "self_attn.v_proj.bias", &[Keys], AsStored),
];

/// Of each query and key head.
pub(super) const HEAD_NORMS: &[TensorRule] = &[
    tensor(
        "attn_q_norm.weight",
        "self_attn.q_norm.weight",
        &[Head],
        AsStored,
    ),
    tensor(
        "attn_k_norm.weight",
        "self_attn.k_norm.weight",
        &[Head],
        AsStored,
    ),
];

pub(super) const GEMMA_HEAD_NORMS: &[TensorRule] = &[
    tensor(
        "attn_q_norm.weight",
        "self_attn.q_norm.weight",
        &[Head],
        OneAdded,
    ),
    tensor(
        "attn_k_norm.weight",
        "self_attn.k_norm.weight",
        &[Head],
        OneAdded,
    ),
];

/// Of all query heads and all key heads at once.
pub(super) const WIDE_NORMS: &[TensorRule] = &[
    tensor(
        "attn_q_norm.weight",
        "self_attn.q_norm.weight",
        &[Queries],
        AsStored,
    ),
    tensor(
        "attn_k_norm.weight",
        "self_attn.k_norm.weight",
        &[Keys],
        AsStored,
    ),
];

const UP: TensorRule = tensor(
    "ffn_up.weight",
    "mlp.up_proj.weight",
    &[Ffn, Hidden],
    AsStored,
);
const DOWN: TensorRule = tensor(
    "ffn_down.weight",
    "mlp.down_proj.weight",
    &[Hidden, Ffn],
    AsStored,
);

pub(super) const GATED_MLP: &[TensorRule] = &[
    tensor(
        "ffn_gate.weight",
        "mlp.gate_proj.weight",
        &[Ffn, Hidden],
        AsStored,
    ),
    UP,
    DOWN,
];

pub(super) const UNGATED_MLP: &[TensorRule] = &[UP, DOWN];

pub(super) const PHI_MLP: &[TensorRule] = &[
    tensor(
        "ffn_up.weight",
        "mlp.gate_up_proj.weight",
        &[GateAndUp, Hidden],
        AsStored,
    ),
    DOWN,
];
