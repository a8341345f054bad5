"""Decoders whose layers are one attention and one feed-forward network."""

import torch

from .family import NORMS, Family, Missed, biases, constant, decoder, newer, older, ones, window
from .layouts import multimodal

SHORT_FACTORS = [1.05, 1.1, 1.3, 1.6, 2.1, 2.9]
LONG_FACTORS = [1.2, 2.0, 3.5, 6.0, 7.5, 8.0]
HEAD_NORMS = {
    "query norm weights": Missed(weights="q_norm.weight", become=ones),
    "key norm weights": Missed(weights="k_norm.weight", become=ones),
}


def llamas() -> list[Family]:
    llama = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False, "mlp_bias": False}
    # The oldest spelling: `type` in place of `rope_type`.
    linear, linear_base = older(10000.0, {"type": "linear", "factor": 4.0})
    dynamic, dynamic_base = newer(10000.0, rope_type="dynamic", factor=4.0)
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
    yarn, yarn_base = older(10000.0, yarn)
    plain, plain_base = newer(10000.0)
    return [
        Family(
            "llama-linear",
            llama | decoder(48, 2, 6, 2, 80, head_dim=16) | linear | {"torch_dtype": "float32"},
            NORMS | linear_base | {"linear scaling": Missed(settings={"rope_scaling.factor": 1.0})},
            dtype=torch.float32,
        ),
        Family(
            "llama-dynamic",
            llama | decoder(56, 2, 4, 4, 72, head_dim=20, max_position_embeddings=160) | dynamic,
            # The base of sequences of 640 tokens, for shorter ones.
            NORMS
            | dynamic_base
            | {"unscaled within the length": Missed(settings={"rope_parameters.rope_theta": 10000.0 * 13 ** (20 / 18)})},
            max_positions=160,
        ),
        Family(
            "llama-yarn",
            llama | decoder(40, 2, 8, 1, 88, head_dim=12, max_position_embeddings=256) | yarn,
            NORMS
            | yarn_base
            | {
                "YaRN": Missed(settings={"rope_scaling": None}),
                "YaRN's attention factor": Missed(settings={"rope_scaling.attention_factor": 1.0}),
                "YaRN's whole dimensions": Missed(settings={"rope_scaling.truncate": False}),
            },
            max_positions=256,
        ),
        Family(
            "llama-bias",
            llama | decoder(40, 2, 4, 2, 72, head_dim=12, attention_bias=True) | plain,
            NORMS | plain_base | biases("q_proj", "k_proj", "v_proj", "o_proj"),
        ),
        smollm3(),
    ]


def smollm3() -> Family:
    rope, base = older(2000000.0)
    shape = decoder(48, 3, 3, 1, 80, tie_word_embeddings=True)
    layers = {
        "no_rope_layers": [1, 0, 1],
        "no_rope_layer_interval": 4,
        "layer_types": ["full_attention"] * 3,
        "use_sliding_window": False,
        "sliding_window": None,
    }
    return Family(
        "smollm3",
        {"architectures": ["SmolLM3ForCausalLM"], "model_type": "smollm3"} | shape | layers | rope,
        NORMS | base | {"layers without rope": Missed(settings={"no_rope_layers": [1, 1, 1]})},
    )


def mistrals() -> list[Family]:
    mistral = {"architectures": ["MistralForCausalLM"], "model_type": "mistral"}
    mistral_rope, mistral_base = older(10000.0)
    ministral_rope, ministral_base = newer(100000.0)
    text_rope, _ = older(1000000000.0)
    layer_types = ["full_attention"] + ["sliding_attention"] * 3
    ministral = {"architectures": ["MinistralForCausalLM"], "model_type": "ministral", "layer_types": layer_types}
    text = {"model_type": "mistral"} | decoder(40, 2, 6, 2, 72, head_dim=16, sliding_window=None)
    # As published: neither part says that the output head is not tied.
    for name in ("tie_word_embeddings", "bos_token_id", "eos_token_id"):
        del text[name]
    vision = {"model_type": "pixtral", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1}
    vision |= {"num_attention_heads": 2, "head_dim": 8, "patch_size": 4, "image_size": 16, "hidden_act": "gelu"}
    text_rope["torch_dtype"] = "bfloat16"
    mistral3 = {"architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3"}
    mistral3 |= {"image_token_index": 10, "multimodal_projector_bias": False, "projector_hidden_act": "gelu"}
    mistral3 |= {"spatial_merge_size": 2, "vision_feature_layer": -1, "torch_dtype": "bfloat16"}
    mistral3 |= {"text_config": text | text_rope, "vision_config": vision}
    return [
        Family(
            "mistral",
            mistral | decoder(40, 3, 8, 1, 72, head_dim=12, sliding_window=37) | mistral_rope,
            NORMS | mistral_base | window(37),
        ),
        Family(
            "ministral",
            ministral | decoder(32, 4, 3, 3, 56, head_dim=16, sliding_window=20) | ministral_rope,
            NORMS
            | ministral_base
            | window(20)
            | {"one full layer": Missed(settings={"layer_types": ["sliding_attention"] * 4})},
        ),
        Family(
            "mistral3",
            mistral3,
            {
                "norm weights": Missed(weights="layernorm.weight", become=ones),
                "final norm weight": Missed(weights="language_model.norm.weight", become=ones),
                "norm eps": Missed(settings={"text_config.rms_norm_eps": 1e-6}),
                "rope base": Missed(settings={"text_config.rope_theta": 10000.0}),
                "an output head of its own": Missed(settings={"tie_word_embeddings": True}),
            },
            layout=multimodal,
            unsaid={"tie_word_embeddings": False},
        ),
    ]


def apertus() -> Family:
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    rope, base = older(12000000.0, scaling | {"original_max_position_embeddings": 64})
    apertus = {"architectures": ["ApertusForCausalLM"], "model_type": "apertus", "qk_norm": True, "post_norm": False}
    shape = decoder(48, 3, 6, 2, 88, hidden_act="xielu", attention_bias=False, mlp_bias=False)
    # softplus(0.203) is 0.8, softplus(-1.05) is 0.3: what xIELU starts from.
    return Family(
        "apertus",
        apertus | shape | rope,
        NORMS
        | HEAD_NORMS
        | base
        | {
            "llama3 scaling": Missed(settings={"rope_scaling.factor": 1.0}),
            "xIELU's positive slope": Missed(weights="alpha_p", become=constant(0.203)),
            "xIELU's negative slope": Missed(weights="alpha_n", become=constant(-1.05)),
            "xIELU's beta": Missed(weights="act_fn.beta", become=constant(0.0)),
        },
    )


def olmo2() -> Family:
    rope, base = older(500000.0)
    olmo2 = {"architectures": ["Olmo2ForCausalLM"], "model_type": "olmo2", "attention_bias": False}
    return Family(
        "olmo2",
        olmo2 | decoder(48, 2, 6, 2, 72) | rope | {"torch_dtype": "float32"},
        NORMS | HEAD_NORMS | base,
        dtype=torch.float32,
    )


def granite() -> Family:
    rope, base = older(10000.0)
    granite = {"architectures": ["GraniteForCausalLM"], "model_type": "granite"}
    shape = decoder(48, 3, 6, 3, 72, tie_word_embeddings=True, attention_bias=False, mlp_bias=False)
    multipliers = {"embedding": 0.6, "residual": 0.7, "attention": 0.2}
    shape |= {f"{name}_multiplier": value for name, value in multipliers.items()} | {"logits_scaling": 1.7}
    missed = {f"{name} multiplier": Missed(settings={f"{name}_multiplier": 1.0}) for name in ("embedding", "residual")}
    missed["attention multiplier"] = Missed(settings={"attention_multiplier": 8**-0.5})
    missed["logits scaling"] = Missed(settings={"logits_scaling": 1.0})
    return Family("granite", granite | shape | rope, NORMS | base | missed)


def phis() -> list[Family]:
    phi3 = {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "embd_pdrop": 0.0, "resid_pdrop": 0.0}
    factors = {"short_factor": SHORT_FACTORS, "long_factor": LONG_FACTORS, "type": "longrope"}
    rope, base = older(10000.0, factors)
    attention = {"longrope's attention factor": Missed(settings={"rope_scaling.attention_factor": 1.0})}
    short = {f"rope_scaling.{name}": SHORT_FACTORS for name in ("short_factor", "long_factor")}
    long = {f"rope_scaling.{name}": LONG_FACTORS for name in ("short_factor", "long_factor")}
    whole = {"rope_scaling.short_factor": [*SHORT_FACTORS, 3.5, 4.5], "rope_scaling.long_factor": [*LONG_FACTORS, 8.0, 8.0]}
    return [
        Family(
            "phi3",
            phi3
            | decoder(48, 3, 4, 4, 72, sliding_window=29, original_max_position_embeddings=64, attention_bias=False)
            | rope,
            NORMS | base | window(29) | attention | {"longrope's long factors": Missed(settings=short)},
            served=long,
        ),
        Family(
            "phi4-mini",
            phi3
            | decoder(48, 3, 3, 1, 72, tie_word_embeddings=True, partial_rotary_factor=0.75, attention_bias=False)
            | {"sliding_window": 262144, "original_max_position_embeddings": 256, "max_position_embeddings": 1024}
            | rope,
            NORMS
            | base
            | attention
            | {
                "longrope's short factors": Missed(settings=long),
                "partial rotary embedding": Missed(settings={"partial_rotary_factor": 1.0} | whole),
            },
            max_positions=256,
        ),
    ]


def qwens() -> list[Family]:
    qwen2 = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
    rope, base = older(1000000.0)
    plain = {"use_sliding_window": False, "sliding_window": 131072, "max_window_layers": 21}
    windowed = {"use_sliding_window": True, "sliding_window": 19, "max_window_layers": 1}
    qwen_biases = biases("q_proj", "k_proj", "v_proj")
    qwen3 = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": False}
    qwen3 |= {"use_sliding_window": False, "sliding_window": None, "layer_types": ["full_attention"] * 3}
    qwen3_rope, qwen3_base = newer(1000000.0)
    return [
        Family(
            "qwen2",
            qwen2 | decoder(48, 3, 6, 2, 72, tie_word_embeddings=True) | plain | rope,
            NORMS | base | qwen_biases,
        ),
        Family(
            "qwen2-window",
            qwen2 | decoder(48, 3, 4, 4, 72) | windowed | rope,
            NORMS | base | qwen_biases | window(19) | {"a first full layer": Missed(settings={"max_window_layers": 0})},
        ),
        Family(
            "qwen3",
            qwen3 | decoder(40, 3, 8, 1, 72, head_dim=16, tie_word_embeddings=True) | qwen3_rope,
            NORMS | HEAD_NORMS | qwen3_base,
        ),
    ]


def families() -> list[Family]:
    return [*llamas(), *mistrals(), apertus(), olmo2(), granite(), *phis(), *qwens()]

