"""What a fixture is made of: a `config.json`, and what would be computed if a feature of it were missed."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

# Every fixture has these, so that the same prompts do for all. Neither is a round number to a kernel.
VOCABULARY = 150
PROMPT_LENGTHS = (5, 41, 93)

# Large enough that a norm that takes another one is seen.
EPS = 0.01


@dataclass(frozen=True)
class Missed:
    """A feature that is missed: other settings in the configuration, or other values of the weights whose names hold
    `weights`."""

    settings: dict = field(default_factory=dict)
    weights: str = ""
    become: Callable[[torch.Tensor], torch.Tensor] = torch.zeros_like
    # How far some logit must move at least.
    at_least: float = 1e-2


@dataclass(frozen=True)
class Family:
    name: str
    # As publishers write it.
    config: dict
    features: dict[str, Missed]
    dtype: torch.dtype = torch.bfloat16
    # Names and shapes of the model's tensors in memory -> those of published checkpoints.
    layout: Callable[[dict], dict] = dict
    # Longest sequence to serve. Where rotary embeddings depend on it, `served` are the settings that make
    # `transformers` use for every sequence the table it uses for the longest.
    max_positions: int = 512
    served: dict = field(default_factory=dict)
    # Settings that publishers leave out, and that `transformers` learns from the tensors.
    unsaid: dict = field(default_factory=dict)
    # Weights of experts are stored in MXFP4.
    mxfp4: bool = False


def decoder(hidden: int, layers: int, heads: int, kv_heads: int, ffn: int, **more) -> dict:
    """Settings that every `config.json` has."""
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": hidden,
        "intermediate_size": ffn,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "hidden_act": "silu",
        "max_position_embeddings": 512,
        "rms_norm_eps": EPS,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "use_cache": True,
    } | more


def ones(tensor: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(tensor)


def constant(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tensor: torch.full_like(tensor, value)


NORMS = {
    "norm weights": Missed(weights="layernorm.weight", become=ones),
    "final norm weight": Missed(weights="model.norm.weight", become=ones),
    "norm eps": Missed(settings={"rms_norm_eps": 1e-6}),
}


def older(theta: float, scaling: dict | None = None) -> tuple[dict, dict]:
    """Rotary embeddings as transformers 4 writes them, and what misses the base."""
    settings = {"rope_theta": theta, "rope_scaling": scaling, "torch_dtype": "bfloat16"}
    return settings, {"rope base": Missed(settings={"rope_theta": theta * 3})}


def newer(theta: float, **scaling) -> tuple[dict, dict]:
    """Rotary embeddings as transformers 5 writes them, and what misses the base."""
    parameters = {"rope_type": "default", "rope_theta": theta} | scaling
    settings = {"rope_parameters": parameters, "dtype": "bfloat16"}
    return settings, {"rope base": Missed(settings={"rope_parameters.rope_theta": theta * 3})}


def window(size: int, name: str = "sliding_window") -> dict[str, Missed]:
    return {
        f"window of {size}": Missed(settings={name: 4096}),
        "window to the token": Missed(settings={name: size - 1}),
    }


def biases(*patterns: str) -> dict[str, Missed]:
    return {f"bias of {pattern}": Missed(weights=f"{pattern}.bias") for pattern in patterns}
