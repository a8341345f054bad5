"""Names of tensors in memory, and those that published checkpoints have. `transformers` 5 keeps the experts of a layer in
one tensor, and the parts of multimodal models below `model`."""

import re

import torch

State = dict[str, torch.Tensor]


def mixtral(state: State) -> State:
    """w1 is the gate, w3 the way up, w2 the way down."""
    renamed = {name.replace(".mlp.", ".block_sparse_moe."): tensor for name, tensor in state.items()}
    return unfused(renamed, ("w1", "w3", "w2"))


def qwen_experts(state: State) -> State:
    return unfused(state, ("gate_proj", "up_proj", "down_proj"))


def unfused(state: State, names: tuple[str, str, str]) -> State:
    """`experts.gate_up_proj` `[experts, 2 * ffn, hidden]` and `experts.down_proj`, a tensor for each expert's matrix."""
    gate, up, down = names
    published = {}
    for name, tensor in state.items():
        if name.endswith(".experts.gate_up_proj"):
            prefix = name.removesuffix("gate_up_proj")
            for expert, matrix in enumerate(tensor):
                published[f"{prefix}{expert}.{gate}.weight"], published[f"{prefix}{expert}.{up}.weight"] = matrix.chunk(2)
        elif name.endswith(".experts.down_proj"):
            prefix = name.removesuffix("down_proj")
            published |= {f"{prefix}{expert}.{down}.weight": matrix for expert, matrix in enumerate(tensor)}
        else:
            published[name] = tensor
    return published


def multimodal(state: State) -> State:
    names = [
        (r"^lm_head\.", "language_model.lm_head."),
        (r"^model\.language_model\.", "language_model.model."),
        (r"^model\.(vision_tower|multi_modal_projector)\.", r"\1."),
        (r"^vision_tower\.(?=embeddings|encoder|post_layernorm)", "vision_tower.vision_model."),
    ]
    published = {}
    for name, tensor in state.items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        published[name] = tensor
    return published
