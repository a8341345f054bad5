"""Random weights of which greedy tokens are worth comparing. The residual stream is in equal parts the
token's embedding and what the layers say; the head prefers a few successors of the token, and
among these the layers decide."""

from .prompts import FIRST_WORD, SUCCESSORS
from .shapes import Shape

SEED = 8
# The deviation of what a product yields for an input whose deviation is 1. Attention scores then have
# one of about 1.6, and each half of a layer adds about half an embedding.
GAINS = {"q": 1.28, "k": 1.28, "v": 1.28, "o": 1.7, "gate": 1.28, "up": 1.28, "down": 0.53, "head": 1.0}
# By how much the logit of a successor lies above the others', whose deviation is about 1: enough to
# stand out from a hundred thousand of them.
PEAK = 14.0
# The embedding's part of the last hidden state, as a factor.
EMBEDDING_PART = 0.58


def draw(shape: Shape, device: str) -> dict:
    """Tensors in bf16, by the names of a checkpoint."""
    import torch

    generator = torch.Generator(device=device).manual_seed(SEED)

    def normal(*size: int, deviation: float = 1.0):
        return torch.randn(*size, device=device, generator=generator).mul_(deviation)

    def product(name: str, outputs: int, inputs: int):
        return normal(outputs, inputs, deviation=GAINS[name] / inputs**0.5).bfloat16()

    def norm():
        return normal(shape.hidden, deviation=0.1).add_(1.0).bfloat16()

    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    embedding = normal(shape.vocab, shape.hidden).bfloat16()
    found = {"model.embed_tokens.weight": embedding}
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}"
        found |= {
            f"{prefix}.input_layernorm.weight": norm(),
            f"{prefix}.self_attn.q_proj.weight": product("q", q, shape.hidden),
            f"{prefix}.self_attn.k_proj.weight": product("k", kv, shape.hidden),
            f"{prefix}.self_attn.v_proj.weight": product("v", kv, shape.hidden),
            f"{prefix}.self_attn.o_proj.weight": product("o", shape.hidden, q),
            f"{prefix}.post_attention_layernorm.weight": norm(),
            f"{prefix}.mlp.gate_proj.weight": product("gate", shape.ffn, shape.hidden),
            f"{prefix}.mlp.up_proj.weight": product("up", shape.ffn, shape.hidden),
            f"{prefix}.mlp.down_proj.weight": product("down", shape.hidden, shape.ffn),
        }
    found["model.norm.weight"] = norm()
    head = normal(shape.vocab, shape.hidden, deviation=GAINS["head"] / shape.hidden**0.5)
    words = embedding[FIRST_WORD:].float()
    for offset in SUCCESSORS:
        # Row t + offset of the head gets the embedding of t.
        head[FIRST_WORD:].add_(words.roll(offset, dims=0), alpha=PEAK / (EMBEDDING_PART * shape.hidden))
    found["lm_head.weight"] = head.bfloat16()
    return found
