"""The models: their configurations, and the bytes and operations that computing with them takes
at the least. Knows no programs."""

from dataclasses import dataclass, field, replace

BF16_BYTES = 2
CUT_LAYERS = 4


@dataclass(frozen=True)
class Shape:
    name: str
    title: str
    hidden: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    max_positions: int
    rope: dict = field(hash=False)

    def cut(self) -> "Shape":
        """Few layers of it, so that a reference in float32 is soon computed."""
        return replace(self, name=f"{self.name}-cut", title=f"{self.title}, {CUT_LAYERS} layers", layers=CUT_LAYERS)

    def tiny(self) -> "Shape":
        """As little as shows that everything works; figures of it mean nothing."""
        return replace(self, hidden=256, ffn=512, layers=2, heads=8, kv_heads=2, head_dim=32, vocab=4096)

    def config(self) -> dict:
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab,
            "hidden_size": self.hidden,
            "intermediate_size": self.ffn,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": self.max_positions,
            "rms_norm_eps": 1e-5,
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": False,
            "bos_token_id": 1,
            "eos_token_id": 0,
            "rope_parameters": self.rope,
            "torch_dtype": "bfloat16",
        }

    def layer_weights(self) -> int:
        """Of all layers, without the norms, which are next to nothing."""
        attention = self.hidden * self.head_dim * 2 * (self.heads + self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.ffn)

    def head_weights(self) -> int:
        return self.vocab * self.hidden

    def kv_token_bytes(self) -> int:
        return self.layers * 2 * self.kv_heads * self.head_dim * BF16_BYTES

    def decode_bytes(self, streams: int, context: float, quantize: str = "none") -> float:
        """What a step reads in which each of some streams makes one token after `context` others:
        all weights but the embedding, of which it takes a row each, and all keys and values."""
        layer_bits, head_bits = WEIGHT_BITS[quantize]
        weights = (self.layer_weights() * layer_bits + self.head_weights() * head_bits) / 8
        return weights + streams * context * self.kv_token_bytes()

    def prefill_operations(self, tokens: int) -> float:
        """The head is computed for the last token alone, and a token sees those up to itself."""
        seen = tokens * (tokens + 1) / 2
        attention = 4 * seen * self.layers * self.heads * self.head_dim
        return 2 * self.layer_weights() * tokens + 2 * self.head_weights() + attention


# Of a weight of the layers and of the head, with its share of a scale, as `quantize` has them.
WEIGHT_BITS = {"none": (16, 16), "int8": (8.25, 8.25), "int4": (4.5, 8.25)}

LLAMA_8B = Shape(
    "llama-8b",
    "Llama 3.1 8B's shape",
    hidden=4096,
    ffn=14_336,
    layers=32,
    heads=32,
    kv_heads=8,
    head_dim=128,
    vocab=128_256,
    max_positions=131_072,
    rope={
        "rope_type": "llama3",
        "rope_theta": 500_000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
)
MISTRAL_24B = Shape(
    "mistral-24b",
    "Mistral Small 3 24B's shape",
    hidden=5120,
    ffn=32_768,
    layers=40,
    heads=32,
    kv_heads=8,
    head_dim=128,
    vocab=131_072,
    max_positions=32_768,
    rope={"rope_type": "default", "rope_theta": 100_000_000.0},
)
SHAPES = (LLAMA_8B, MISTRAL_24B)
