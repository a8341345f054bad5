"""Decoders some of whose feed-forward networks are mixtures of experts."""

from .dense import HEAD_NORMS
from .family import NORMS, Family, Missed, biases, constant, decoder, newer, older, window
from .layouts import mixtral, qwen_experts


def mixtral_family() -> Family:
    rope, base = older(1000000.0)
    config = {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "output_router_logits": False}
    config |= decoder(40, 2, 6, 2, 40, head_dim=12, sliding_window=None, num_local_experts=5, num_experts_per_tok=2)
    return Family(
        "mixtral",
        config | rope,
        NORMS
        | base
        | {
            "two experts a token": Missed(settings={"num_experts_per_tok": 1}),
            "router": Missed(weights="mlp.gate.weight"),
        },
        layout=mixtral,
    )


def qwen2_moe() -> Family:
    rope, base = older(1000000.0)
    config = {"architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "norm_topk_prob": False}
    config |= decoder(40, 4, 5, 5, 56, use_sliding_window=False, sliding_window=32768, max_window_layers=21)
    config |= {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "decoder_sparse_step": 2}
    config |= {"shared_expert_intermediate_size": 40}
    return Family(
        "qwen2-moe",
        config | rope,
        NORMS
        | base
        | biases("q_proj", "k_proj", "v_proj")
        | {
            "two experts a token": Missed(settings={"num_experts_per_tok": 1}),
            "shares of experts as they are": Missed(settings={"norm_topk_prob": True}),
            "shared expert": Missed(weights="shared_expert.down_proj"),
            "gate of the shared expert": Missed(weights="shared_expert_gate"),
        },
        layout=qwen_experts,
    )


def qwen3_moe() -> Family:
    rope, base = newer(1000000.0)
    config = {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "norm_topk_prob": True}
    config |= decoder(40, 3, 8, 1, 56, head_dim=12, attention_bias=False, use_sliding_window=False, sliding_window=None)
    config |= {"num_experts": 6, "num_experts_per_tok": 3, "moe_intermediate_size": 24, "decoder_sparse_step": 1}
    config |= {"mlp_only_layers": [1]}
    return Family(
        "qwen3-moe",
        config | rope,
        NORMS
        | HEAD_NORMS
        | base
        | {
            "three experts a token": Missed(settings={"num_experts_per_tok": 2}),
            "shares of experts that sum to 1": Missed(settings={"norm_topk_prob": False}),
        },
        layout=qwen_experts,
    )


GPT_OSS = {"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "attention_bias": True}
GPT_OSS_FEATURES = (
    NORMS
    | biases("q_proj", "k_proj", "v_proj", "o_proj", "router")
    | {
        "bias of experts' gate and up": Missed(weights="gate_up_proj_bias"),
        "bias of experts' down": Missed(weights="down_proj_bias"),
        # So low that it takes no share of the probability.
        "attention sinks": Missed(weights="sinks", become=constant(-1e4)),
        "clamped SwiGLU": Missed(settings={"swiglu_limit": 1000.0}),
        "slope of SwiGLU": Missed(settings={"swiglu_alpha": 1.0}),
        "two experts a token": Missed(settings={"num_experts_per_tok": 1}),
    }
)


def gpt_oss() -> Family:
    yarn = {"rope_type": "yarn", "factor": 8.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False}
    rope, base = newer(150000.0, **yarn, original_max_position_embeddings=32)
    layer_types = ["sliding_attention", "full_attention"] * 2
    config = GPT_OSS | decoder(40, 4, 8, 1, 24, head_dim=16, sliding_window=22, swiglu_limit=1.5)
    config |= {"num_local_experts": 5, "num_experts_per_tok": 2, "layer_types": layer_types, "max_position_embeddings": 256}
    return Family(
        "gpt-oss",
        config | rope,
        GPT_OSS_FEATURES
        | base
        | window(22)
        | {
            "every other layer full": Missed(settings={"layer_types": ["sliding_attention"] * 4}),
            "YaRN": Missed(settings={"rope_parameters.rope_type": "default"}),
            "YaRN's attention factor": Missed(settings={"rope_parameters.attention_factor": 1.0}),
            "YaRN's broken dimensions": Missed(settings={"rope_parameters.truncate": True}),
        },
        max_positions=256,
    )


def gpt_oss_mxfp4() -> Family:
    yarn = {"rope_type": "yarn", "factor": 8.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False}
    rope, base = older(150000.0, yarn | {"original_max_position_embeddings": 32})
    layer_types = ["sliding_attention", "full_attention"]
    config = GPT_OSS | decoder(64, 2, 3, 3, 96, head_dim=16, sliding_window=35, swiglu_limit=1.5, swiglu_alpha=1.702)
    config |= {"num_local_experts": 4, "num_experts_per_tok": 2, "experts_per_token": 2, "layer_types": layer_types}
    config |= {"initial_context_length": 32, "max_position_embeddings": 256}
    kept = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]
    config |= {"quantization_config": {"modules_to_not_convert": kept, "quant_method": "mxfp4"}}
    return Family(
        "gpt-oss-mxfp4",
        config | rope,
        GPT_OSS_FEATURES | base | window(35) | {"YaRN": Missed(settings={"rope_scaling.rope_type": "default"})},
        max_positions=256,
        mxfp4=True,
    )


def families() -> list[Family]:
    return [mixtral_family(), qwen2_moe(), qwen3_moe(), gpt_oss(), gpt_oss_mxfp4()]
