"""Directories that Guichet and transformers read alike. Those of full shapes have no weights: these
are made on the device."""

import json
import struct
from pathlib import Path

from bench_serve.vocabulary import byte_characters

from .prompts import FIRST_WORD
from .shapes import Shape

CONTROL_TOKENS = ("<|end_of_text|>", "<|begin_of_text|>")


def write_directory(directory: Path, shape: Shape) -> Path:
    """All but the weights."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {
        "config.json": shape.config(),
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": 0},
        "tokenizer.json": tokenizer(shape.vocab),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": CONTROL_TOKENS[1],
            "eos_token": CONTROL_TOKENS[0],
            "clean_up_tokenization_spaces": False,
        },
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content) + "\n")
    return directory


def tokenizer(vocab: int) -> dict:
    """Byte-level, so that it reads any text; every other id is a word of its own, so that a text
    tells its ids."""
    vocabulary = [*CONTROL_TOKENS, *byte_characters().values()]
    assert len(vocabulary) == FIRST_WORD
    # The first character is how such tokenizers write a space.
    vocabulary += [f"\u0120w{id_:05x}" for id_ in range(FIRST_WORD, vocab)]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    control = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": id_, "content": text, **control} for id_, text in enumerate(CONTROL_TOKENS)],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: id_ for id_, token in enumerate(vocabulary)},
            "merges": [],
        },
    }


def vocab_size(directory: Path) -> int:
    return json.loads((directory / "config.json").read_text())["vocab_size"]


def write_weights(directory: Path, tensors: dict) -> None:
    """Tensors of torch in bf16 as one safetensors file, one after another, so that main memory
    need not hold them all."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [start, end]}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    scratch = directory / "model.part"
    with scratch.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for tensor in tensors.values():
            file.write(as_bytes(tensor))
    scratch.replace(directory / "model.safetensors")


def as_bytes(tensor) -> memoryview:
    import torch

    return memoryview(tensor.contiguous().flatten().view(torch.uint8).cpu().numpy())
