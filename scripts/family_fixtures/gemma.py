"""Gemma 2 and 3: norms around the output of each part too, whose weights count from 1."""

import torch

from .family import VOCABULARY, Family, Missed, decoder
from .layouts import multimodal


def less_one(tensor: torch.Tensor) -> torch.Tensor:
    return tensor - 1.0


def norms(*more: str, prefix: str = "") -> dict[str, Missed]:
    names = ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm", *more]
    missed = {f"{name} weights": Missed(weights=f"{name}.weight") for name in names}
    missed["norms that count from 1"] = Missed(weights="norm.weight", become=less_one)
    missed["norm eps"] = Missed(settings={f"{prefix}rms_norm_eps": 1e-6})
    # The two ways to compute GELU differ by 5e-4 at most; still, more than rounding does.
    missed["GELU by tanh"] = Missed(settings={f"{prefix}hidden_activation": "gelu"}, at_least=3e-4)
    missed["embedding scale"] = Missed(weights="embed_scale", become=torch.ones_like)
    return missed


def gemma_decoder(hidden: int, layers: int, heads: int, kv_heads: int, ffn: int, **more) -> dict:
    settings = decoder(hidden, layers, heads, kv_heads, ffn, tie_word_embeddings=True, attention_bias=False)
    del settings["hidden_act"]
    return settings | {"hidden_activation": "gelu_pytorch_tanh", "bos_token_id": 2, "eos_token_id": 1} | more


def gemma2() -> Family:
    config = {"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "cache_implementation": "hybrid"}
    config |= gemma_decoder(40, 4, 4, 2, 72, head_dim=16, query_pre_attn_scalar=24, sliding_window=27)
    config |= {"hidden_act": "gelu_pytorch_tanh", "attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0}
    config |= {"rope_theta": 10000.0, "torch_dtype": "bfloat16"}
    return Family(
        "gemma2",
        config,
        norms()
        | {
            "rope base": Missed(settings={"rope_theta": 30000.0}),
            "window of 27": Missed(settings={"sliding_window": 4096}),
            "window to the token": Missed(settings={"sliding_window": 26}),
            "every other layer full": Missed(settings={"layer_types": ["sliding_attention"] * 4}),
            "attention soft-cap": Missed(settings={"attn_logit_softcapping": None}),
            "logit soft-cap": Missed(settings={"final_logit_softcapping": None}),
            "query scale": Missed(settings={"query_pre_attn_scalar": 16}),
        },
    )


def gemma3() -> Family:
    layer_types = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    config = {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "layer_types": layer_types}
    config |= gemma_decoder(40, 4, 8, 1, 72, head_dim=12, query_pre_attn_scalar=20, sliding_window=21)
    config |= {"attn_logit_softcapping": None, "final_logit_softcapping": None, "use_bidirectional_attention": False}
    full = {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0}
    local = {"rope_type": "default", "rope_theta": 10000.0}
    config |= {"rope_parameters": {"full_attention": full, "sliding_attention": local}, "dtype": "float32"}
    return Family(
        "gemma3",
        config,
        norms("q_norm", "k_norm")
        | {
            "global rope base": Missed(settings={"rope_parameters.full_attention.rope_theta": 10000.0}),
            "local rope base": Missed(settings={"rope_parameters.sliding_attention.rope_theta": 1000000.0}),
            "linear scaling of global layers": Missed(settings={"rope_parameters.full_attention.factor": 1.0}),
            "window of 21": Missed(settings={"sliding_window": 4096}),
            "window to the token": Missed(settings={"sliding_window": 20}),
            "a full layer": Missed(settings={"layer_types": ["sliding_attention"] * 4}),
            "query scale": Missed(settings={"query_pre_attn_scalar": 12}),
        },
        dtype=torch.float32,
    )


def gemma3_multimodal() -> Family:
    """The text part says only what differs from the defaults of its class, as published."""
    text = {"model_type": "gemma3_text", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 7}
    text |= {"vocab_size": VOCABULARY, "head_dim": 8, "max_position_embeddings": 512, "rms_norm_eps": 0.01}
    text |= {"rope_scaling": {"rope_type": "linear", "factor": 8.0}, "sliding_window": 23}
    vision = {"model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
    vision |= {"num_attention_heads": 2, "patch_size": 4, "image_size": 16, "vision_use_head": False}
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "mm_tokens_per_image": 4}
    config |= {"boi_token_index": 140, "eoi_token_index": 141, "image_token_index": 149, "eos_token_id": [1, 106]}
    config |= {"text_config": text, "vision_config": vision, "torch_dtype": "bfloat16"}
    return Family(
        "gemma3-vl",
        config,
        norms("q_norm", "k_norm", prefix="text_config.")
        | {
            "global rope base": Missed(settings={"text_config.rope_theta": 10000.0}),
            "local rope base": Missed(settings={"text_config.rope_local_base_freq": 1000000.0}),
            "linear scaling of global layers": Missed(settings={"text_config.rope_scaling.factor": 1.0}),
            "window of 23": Missed(settings={"text_config.sliding_window": 4096}),
            "window to the token": Missed(settings={"text_config.sliding_window": 22}),
            "a full layer after five": Missed(settings={"text_config.sliding_window_pattern": 7}),
            "query scale": Missed(settings={"text_config.query_pre_attn_scalar": 8}),
        },
        layout=multimodal,
    )


def families() -> list[Family]:
    return [gemma2(), gemma3(), gemma3_multimodal()]
