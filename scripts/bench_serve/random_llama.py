"""Draws a Llama-shaped model of 1.07 billion parameters: random numbers cost as much to
multiply as learned ones. Runs by itself, where numpy is: `random_llama.py DIR`."""

import json
import struct
import sys
from pathlib import Path

import numpy as np

SEED = 1_070_000_000
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 8192,
    "vocab_size": 49_152,
    "tie_word_embeddings": True,
    "rope_theta": 10_000.0,
    "rope_scaling": None,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
    "initializer_range": 0.02,
    "torch_dtype": "bfloat16",
    "use_cache": True,
}


def shapes() -> dict[str, list[int]]:
    hidden, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    keys = CONFIG["num_key_value_heads"] * CONFIG["head_dim"]
    queries = CONFIG["num_attention_heads"] * CONFIG["head_dim"]
    found = {"model.embed_tokens.weight": [CONFIG["vocab_size"], hidden]}
    for layer in range(CONFIG["num_hidden_layers"]):
        found |= {
            f"model.layers.{layer}.{name}.weight": shape
            for name, shape in {
                "input_layernorm": [hidden],
                "self_attn.q_proj": [queries, hidden],
                "self_attn.k_proj": [keys, hidden],
                "self_attn.v_proj": [keys, hidden],
                "self_attn.o_proj": [hidden, queries],
                "post_attention_layernorm": [hidden],
                "mlp.gate_proj": [inner, hidden],
                "mlp.up_proj": [inner, hidden],
                "mlp.down_proj": [hidden, inner],
            }.items()
        }
    return found | {"model.norm.weight": [hidden]}


def draw(name: str, shape: list[int], generator: np.random.Generator) -> bytes:
    """Normal numbers with a deviation of 0.02, rounded to the nearest bf16; norms are one."""
    if len(shape) == 1:
        values = np.ones(shape, dtype=np.float32)
    else:
        values = generator.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
    bits = values.view(np.uint32)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits >> 16).astype("<u2").tobytes()


def main(directory: Path) -> None:
    generator = np.random.default_rng(SEED)
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes().items():
        start, end = end, end + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with (directory / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for name, shape in shapes().items():
            file.write(draw(name, shape, generator))
    (directory / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
