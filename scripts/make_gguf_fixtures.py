#!/usr/bin/env python3
"""Tiny GGUF files of each architecture that is imported, as llama.cpp's own converter writes them.

    make_gguf_fixtures.py LLAMA_CPP [OUT]

LLAMA_CPP is a checkout of llama.cpp, of which `conversion/` and `gguf-py/` are used. For each
family a random checkpoint is made with `transformers`, in bf16, and converted. OUT (default:
tests/fixtures/gguf) then holds NAME.gguf, at most 100 KB, and NAME.json: the configuration of the
checkpoint, the SHA-256 of each of its tensors, and for SentencePiece the ids of some texts as
`sentencepiece` finds them. Needs the packages of scripts/requirements-import.txt.
"""

import hashlib
import json
import logging
import pathlib
import sys
import tempfile

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "gguf"

CONTROL = ["<|pad|>", "<|bos|>", "<|eos|>"]
SENTENCES = [
    "The office at the town hall is open from nine to four, except on public holidays.",
    "Votre demande d'allocation a été reçue ; il manque une pièce justificative.",
    "Das Bürgeramt prüft Ihren Antrag; die Frist beträgt vierzehn Tage.",
]
TEXTS = SENTENCES + ["", " ", "a  b   c", "\n\nline\n", "naïve ½ 你好 🏛", " leading and trailing ", "\t<0x09>"]

SHAPE = dict(
    vocab_size=280,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
    tie_word_embeddings=False,
)
SMALL = SHAPE | dict(hidden_size=16, intermediate_size=24, num_attention_heads=2, num_key_value_heads=1)
LONG = dict(max_position_embeddings=65536)
LLAMA_3 = dict(
    rope_type="llama3",
    rope_theta=500000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=8192,
)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64)


def families():
    """Name -> configuration, and the pre-tokenizer that the file names (none: SentencePiece)."""
    t = transformers
    longrope = dict(
        rope_type="longrope",
        rope_theta=10000.0,
        partial_rotary_factor=0.5,
        original_max_position_embeddings=64,
        short_factor=[1.0, 1.1, 1.25, 2.0],
        long_factor=[1.5, 2.5, 4.75, 8.0],
    )
    return {
        "llama": (t.LlamaConfig(**SHAPE | LONG, head_dim=24, rope_parameters=LLAMA_3), "llama-bpe"),
        "llama-spm": (t.LlamaConfig(**SHAPE | dict(vocab_size=400, tie_word_embeddings=True)), None),
        "mixtral": (
            t.MixtralConfig(
                **SHAPE | dict(intermediate_size=32), head_dim=8, num_local_experts=3, num_experts_per_tok=2
            ),
            "smollm",
        ),
        "mistral3": (t.MistralConfig(**SHAPE, head_dim=16, sliding_window=None), "tekken"),
        "qwen2": (t.Qwen2Config(**SHAPE | dict(tie_word_embeddings=True)), "qwen2"),
        "qwen3": (t.Qwen3Config(**SHAPE, head_dim=16, rope_parameters=YARN | {"attention_factor": 1.1}), "qwen2"),
        "qwen3moe": (
            t.Qwen3MoeConfig(
                **SHAPE,
                head_dim=16,
                num_experts=3,
                num_experts_per_tok=2,
                moe_intermediate_size=24,
                norm_topk_prob=True,
                rope_parameters={"rope_type": "default", "rope_theta": 1e6},
            ),
            "qwen2",
        ),
        "gemma2": (
            t.Gemma2Config(
                **SHAPE | dict(tie_word_embeddings=True, vocab_size=400),
                head_dim=16,
                query_pre_attn_scalar=16,
                sliding_window=8,
            ),
            None,
        ),
        "gemma3": (
            t.Gemma3TextConfig(
                **SMALL | dict(num_hidden_layers=7, tie_word_embeddings=True, vocab_size=400),
                head_dim=8,
                query_pre_attn_scalar=8,
                sliding_window=8,
                rope_parameters={
                    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                },
            ),
            None,
        ),
        "olmo2": (t.Olmo2Config(**SHAPE, rope_parameters={"rope_type": "default", "rope_theta": 5e5}), "dbrx"),
        "granite": (
            t.GraniteConfig(
                **SHAPE | dict(tie_word_embeddings=True),
                attention_multiplier=0.015625,
                embedding_multiplier=12.0,
                residual_multiplier=0.22,
                logits_scaling=8.0,
            ),
            "refact",
        ),
        "phi3": (
            t.Phi3Config(
                **SHAPE | dict(num_attention_heads=2, num_key_value_heads=1),
                sliding_window=6,
                original_max_position_embeddings=64,
                rope_parameters=longrope,
            ),
            "dbrx",
        ),
        "smollm3": (t.SmolLM3Config(**SMALL | dict(num_hidden_layers=5, tie_word_embeddings=True)), "llama-bpe"),
        "apertus": (
            t.ApertusConfig(**SHAPE | LONG, rope_parameters=LLAMA_3 | {"rope_theta": 12e6}, dtype="bfloat16"),
            "tekken",
        ),
        "gpt-oss": (gpt_oss_config(), "gpt-4o"),
        "gpt-oss-mxfp4": (gpt_oss_config(), "gpt-4o"),
    }


def gpt_oss_config():
    return transformers.GptOssConfig(
        **SHAPE | dict(intermediate_size=32, num_attention_heads=2, num_key_value_heads=1),
        head_dim=16,
        num_local_experts=3,
        num_experts_per_tok=2,
        sliding_window=8,
        rope_parameters=YARN | dict(rope_theta=150000.0, beta_fast=32.0, beta_slow=1.0, truncate=False),
    )


def make_checkpoint(name, config, pre, path):
    """A directory as makers of models publish it: bf16, and the tokenizer."""
    torch.manual_seed(sum(name.encode()))
    model = transformers.AutoModelForCausalLM.from_config(config).to(torch.bfloat16)
    for parameter_name, parameter in model.named_parameters():
        if "act_fn" not in parameter_name:
            # Wide enough that no layer is close to doing nothing.
            torch.nn.init.normal_(parameter, 0.2 if "norm" in parameter_name else 0.0, 0.2)
    model.save_pretrained(path)
    if name == "gpt-oss-mxfp4":
        pack_experts(path)
    if pre is None:
        train_sentence_piece(path, config.vocab_size, gemma=name.startswith("gemma"))
    else:
        train_byte_level(path)


def pack_experts(path):
    """Experts in MXFP4, as OpenAI publishes them."""
    tensors = read_tensors(path)
    for name in [name for name in tensors if name.endswith(("gate_up_proj", "down_proj"))]:
        num_experts, inputs, outputs = tensors.pop(name).shape
        blocks = (num_experts, outputs, inputs // 32, 16)
        tensors[name + "_blocks"] = torch.randint(0, 256, blocks, dtype=torch.uint8)
        tensors[name + "_scales"] = torch.randint(120, 126, blocks[:3], dtype=torch.uint8)
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((path / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}
    (path / "config.json").write_text(json.dumps(config))


def train_byte_level(path):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=275, special_tokens=CONTROL, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.save(str(path / "tokenizer.json"))
    pad, bos, eos = CONTROL
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": pad, "bos_token": bos, "eos_token": eos}
    (path / "tokenizer_config.json").write_text(json.dumps(config))


def train_sentence_piece(path, vocab_size, gemma):
    import sentencepiece

    user_defined = ["\n\n", *("▁" * count for count in range(2, 7))] if gemma else []
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_prefix=str(path / "tokenizer"),
        model_type="bpe",
        vocab_size=vocab_size,
        byte_fallback=True,
        add_dummy_prefix=not gemma,
        allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        user_defined_symbols=user_defined,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(path / "tokenizer.model"))
    added = {
        str(model.piece_to_id(piece)): {"content": piece, "special": piece not in user_defined}
        for piece in ["<pad>", "<s>", "</s>", "<unk>", *user_defined]
    }
    config = {
        "add_bos_token": True,
        "added_tokens_decoder": added,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
    }
    (path / "tokenizer_config.json").write_text(json.dumps(config))


def convert(llama_cpp, path, out, architecture=None, pre=None):
    """Converts a directory as `convert_hf_to_gguf.py` does, in bf16. With `pre`, the name of the
    pre-tokenizer is not looked for among those that the converter knows."""
    sys.path[:0] = [str(llama_cpp), str(llama_cpp / "gguf-py")]
    import conversion
    import conversion.base
    import conversion.mistral3
    import gguf

    logging.disable(logging.INFO)
    hparams = conversion.base.ModelBase.load_hparams(path, False)
    found = conversion.get_model_class(architecture or hparams["architectures"][0])
    if architecture == "Mistral3ForConditionalGeneration":
        found = conversion.mistral3.Mistral3Model.Ministral3Model

    class Converter(found):
        model_arch = found.model_arch

        def get_vocab_base_pre(self, tokenizer):
            return pre or super().get_vocab_base_pre(tokenizer)

        def set_vocab(self):
            if (self.dir_model / "tokenizer.model").is_file():
                super().set_vocab()
            else:
                self._set_vocab_gpt2()

    with torch.inference_mode():
        Converter(path, gguf.LlamaFileType.MOSTLY_BF16, out, model_name="tiny").write()


def read_tensors(path):
    with safe_open(path / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def digests(path):
    """Name -> shape and SHA-256 of the bytes in bf16, with MXFP4 multiplied out."""
    tensors = sorted(multiplied_out(path).items())
    return {name: {"shape": list(tensor.shape), "sha256": sha256(tensor)} for name, tensor in tensors}


def multiplied_out(path):
    """The tensors of a directory, with MXFP4 as bf16."""
    tensors = read_tensors(path)
    for name in [name.removesuffix("_blocks") for name in tensors if name.endswith("_blocks")]:
        from transformers.integrations.mxfp4 import convert_moe_packed_tensors

        tensors[name] = convert_moe_packed_tensors(tensors.pop(name + "_blocks"), tensors.pop(name + "_scales"))
    return tensors


def sha256(tensor):
    data = tensor.to(torch.bfloat16).contiguous().view(torch.int16)
    return hashlib.sha256(data.numpy().tobytes()).hexdigest()


# Fields of training, and fields that makers of models do not write: their classes' defaults.
UNSAID = {
    "_sliding_window_pattern",
    "dtype",
    "max_window_layers",
    "output_router_logits",
    "quantization_config",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "swiglu_alpha",
    "transformers_version",
    "use_bidirectional_attention",
}


def expected_config(path):
    """Fields of the original, those of rotary embeddings where makers of models write them."""
    config = json.loads((path / "config.json").read_text())
    config = {name: value for name, value in config.items() if name not in UNSAID}
    if set(config.get("layer_types") or []) == {"full_attention"}:
        del config["layer_types"]
    if config["model_type"] == "qwen3_moe":
        config["num_experts"] = config.pop("num_local_experts")
    rope = config.pop("rope_parameters")
    if "full_attention" in rope:
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = rope["full_attention"]
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    return config


def encoded(path):
    if not (path / "tokenizer.model").is_file():
        return []
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(path / "tokenizer.model"))
    return [{"text": text, "ids": model.encode(text)} for text in TEXTS]


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    llama_cpp = pathlib.Path(sys.argv[1]).resolve()
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else FIXTURES
    out.mkdir(parents=True, exist_ok=True)
    for name, (config, pre) in families().items():
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch)
            make_checkpoint(name, config, pre, path)
            architecture = "Mistral3ForConditionalGeneration" if name == "mistral3" else None
            gguf_file = out / f"{name}.gguf"
            convert(llama_cpp, path, gguf_file, architecture, pre)
            expected = {"config": expected_config(path), "tensors": digests(path), "encode": encoded(path)}
            (out / f"{name}.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")
        print(f"{name}: {gguf_file.stat().st_size} bytes, {len(expected['tensors'])} tensors", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
