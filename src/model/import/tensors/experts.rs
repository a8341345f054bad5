//! Groups of tensors of families with experts.

use super::super::architecture::Dim::{ExpertFfn, Experts, Ffn, Heads, Hidden};
use super::super::architecture::Layout::{AsStored, InputsFirst};
use super::super::architecture::{Dim, TensorRule};
use super::tensor;

/// Rows of two tensors in turn, with the inputs first.
const fn in_turn(
    source: &'static str,
    second: &'static str,
    target: &'static str,
    shape: &'static [Dim],
) -> TensorRule {
    TensorRule {
        source,
        second: Some(second),
        target,
        shape,
        layout: InputsFirst,
    }
}

pub(in super::super) const MIXTRAL_EXPERTS: &[TensorRule] = &[
    tensor(
        "ffn_gate_inp.weight",
        "block_sparse_moe.gate.weight",
        &[Experts, Hidden],
        AsStored,
    ),
    tensor(
        "ffn_gate_exps.weight",
        "block_sparse_moe.experts.{e}.w1.weight",
        &[Experts, Ffn, Hidden],
        AsStored,
    ),
    tensor(
        "ffn_down_exps.weight",
        "block_sparse_moe.experts.{e}.w2.weight",
        &[Experts, Hidden, Ffn],
        AsStored,
    ),
    tensor(
        "ffn_up_exps.weight",
        "block_sparse_moe.experts.{e}.w3.weight",
        &[Experts, Ffn, Hidden],
        AsStored,
    ),
];

pub(in super::super) const QWEN_EXPERTS: &[TensorRule] = &[
    tensor(
        "ffn_gate_inp.weight",
        "mlp.gate.weight",
        &[Experts, Hidden],
        AsStored,
    ),
    tensor(
        "ffn_gate_exps.weight",
        "mlp.experts.{e}.gate_proj.weight",
        &[Experts, ExpertFfn, Hidden],
        AsStored,
    ),
    tensor(
        "ffn_up_exps.weight",
        "mlp.experts.{e}.up_proj.weight",
        &[Experts, ExpertFfn, Hidden],
        AsStored,
    ),
    tensor(
        "ffn_down_exps.weight",
        "mlp.experts.{e}.down_proj.weight",
        &[Experts, Hidden, ExpertFfn],
        AsStored,
    ),
];

pub(in super::super) const GPT_OSS_EXPERTS: &[TensorRule] = &[
    tensor(
        "ffn_gate_inp.weight",
        "mlp.router.weight",
        &[Experts, Hidden],
        AsStored,
    ),
    tensor("ffn_gate_inp.bias", "mlp.router.bias", &[Experts], AsStored),
    in_turn(
        "ffn_gate_exps.weight",
        "ffn_up_exps.weight",
        "mlp.experts.gate_up_proj",
        &[Experts, ExpertFfn, Hidden],
    ),
    in_turn(
        "ffn_gate_exps.bias",
        "ffn_up_exps.bias",
        "mlp.experts.gate_up_proj_bias",
        &[Experts, ExpertFfn],
    ),
    tensor(
        "ffn_down_exps.weight",
        "mlp.experts.down_proj",
        &[Experts, Hidden, ExpertFfn],
        InputsFirst,
    ),
    tensor(
        "ffn_down_exps.bias",
        "mlp.experts.down_proj_bias",
        &[Experts, Hidden],
        AsStored,
    ),
];

pub(in super::super) const GPT_OSS_NORMS: &[TensorRule] = &[
    tensor(
        "attn_norm.weight",
        "input_layernorm.weight",
        &[Hidden],
        AsStored,
    ),
    tensor(
        "post_attention_norm.weight",
        "post_attention_layernorm.weight",
        &[Hidden],
        AsStored,
    ),
];

pub(in super::super) const GPT_OSS_ATTENTION: &[TensorRule] = &[
    tensor(
        "attn_output.bias",
        "self_attn.o_proj.bias",
        &[Hidden],
        AsStored,
    ),
    tensor("attn_sinks.weight", "self_attn.sinks", &[Heads], AsStored),
];
