"""Makes tests/fixtures/tiny-{qwen3-embedding,qwen3-reranker,embeddinggemma}: what `transformers` says
of random decoders that embed and rerank. Called by make_encoder_fixtures.py.

golden.json holds texts with what stands before them and their ids, and what the model says in float32
on the CPU: a vector, 1 long, or the logit of `yes` less that of `no`.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch.nn.functional import normalize
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3TextConfig,
    Gemma3TextModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
)

from make_fixtures import SENTENCES, write_json

LONG = " ".join(SENTENCES)
TEXTS = [*SENTENCES, "a", "Où est la mairie ?", LONG, LONG[200:420]]
QUERY = "Which documents are missing?"

# The keys of Qwen3's config.json, as they are published.
QWEN3 = {
    "model_type": "qwen3", "attention_bias": False, "attention_dropout": 0.0, "head_dim": 16, "hidden_act": "silu",
    "hidden_size": 32, "intermediate_size": 56, "max_position_embeddings": 1024, "max_window_layers": 2,
    "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
    "rope_scaling": None, "rope_theta": 1000000, "sliding_window": None, "use_sliding_window": False,
    "torch_dtype": "float32",
}  # fmt: skip


def make_all(out: Path) -> None:
    make_qwen3_embedding(out / "tiny-qwen3-embedding")
    make_qwen3_reranker(out / "tiny-qwen3-reranker")
    make_embeddinggemma(out / "tiny-embeddinggemma")


def make_qwen3_embedding(path: Path) -> None:
    """As Qwen3-Embedding-8B is published: no `model.` in front of names, and neither a head nor a tie."""
    tokenizer = qwen_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", pair="$A $B <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
    )
    config = QWEN3 | {"vocab_size": tokenizer.get_vocab_size(), "tie_word_embeddings": False}
    model = randomized(Qwen3Model(Qwen3Config.from_dict(config)), seed=9)
    write(path, tokenizer, model.state_dict(), {"architectures": ["Qwen3ForCausalLM"]} | config)
    write_modules(path, ["Transformer", "Pooling", "Normalize"], "lasttoken", 32)
    prompts = {"query": "Instruct: Find what answers the query\nQuery:", "document": ""}
    write_json(path / "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": None})
    write_vectors(path, prompts["query"], lambda hidden: hidden[-1])


def make_qwen3_reranker(path: Path) -> None:
    tokenizer = qwen_tokenizer()
    config = QWEN3 | {"vocab_size": tokenizer.get_vocab_size(), "tie_word_embeddings": True}
    model = randomized(Qwen3ForCausalLM(Qwen3Config.from_dict(config)), seed=10)
    tensors = {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    write(path, tokenizer, tensors, {"architectures": ["Qwen3ForCausalLM"]} | config)

    # As the model's card computes it, in three pieces.
    ranker, hf = AutoModelForCausalLM.from_pretrained(path, attn_implementation="eager").eval(), AutoTokenizer.from_pretrained(path)
    ids = lambda text: hf(text, add_special_tokens=False).input_ids
    before = ids(
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
        'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
    )
    after = ids("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")
    yes, no = hf.convert_tokens_to_ids("yes"), hf.convert_tokens_to_ids("no")
    instruction = "Given a web search query, retrieve relevant passages that answer the query"
    golden = []
    for text in TEXTS:
        question = before + ids(f"<Instruct>: {instruction}\n<Query>: {QUERY}\n<Document>: {text}") + after
        logits = ranker(torch.tensor([question])).logits[0, -1]
        score = (logits[yes] - logits[no]).item()
        golden.append({"query": QUERY, "text": text, "ids": question, "score": round(score, 6)})
    write_json(path / "golden.json", golden)
    spread(path, torch.tensor([[entry["score"]] for entry in golden]))


def make_embeddinggemma(path: Path) -> None:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=320, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", pair="<bos> $A $B <eos>", special_tokens=[("<bos>", 2), ("<eos>", 1)]
    )
    # The keys are as they are published: of the window each side has half.
    config = {
        "model_type": "gemma3_text", "vocab_size": tokenizer.get_vocab_size(), "attention_bias": False,
        "attn_logit_softcapping": None, "final_logit_softcapping": None, "bos_token_id": 2, "eos_token_id": 1,
        "pad_token_id": 0, "head_dim": 16, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 32,
        "intermediate_size": 48, "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
        "max_position_embeddings": 512, "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 1,
        "query_pre_attn_scalar": 24, "rms_norm_eps": 1e-6, "rope_local_base_freq": 10000.0, "rope_scaling": None,
        "rope_theta": 1000000.0, "sliding_window": 16, "use_bidirectional_attention": True, "dtype": "float32",
    }  # fmt: skip
    model = randomized(Gemma3TextModel(Gemma3TextConfig.from_dict(config)), seed=11)
    write(path, tokenizer, model.state_dict(), {"architectures": ["Gemma3TextModel"]} | config)
    write_modules(path, ["Transformer", "Pooling", "Dense", "Dense", "Normalize"], "mean_tokens", 32)
    generator = torch.Generator().manual_seed(12)
    wide = write_dense(path / "2_Dense", 32, 64, generator)
    narrow = write_dense(path / "3_Dense", 64, 24, generator)
    prompts = {"query": "task: search result | query: ", "document": "title: none | text: "}
    write_json(path / "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": None})
    write_json(path / "sentence_bert_config.json", {"max_seq_length": 384, "do_lower_case": False})
    write_vectors(path, prompts["query"], lambda hidden: narrow @ (wide @ hidden.mean(dim=0)))


def qwen_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES + ["yes", "no"] * 50, trainer)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in ("<think>", "</think>")])
    assert None not in [tokenizer.token_to_id(token) for token in ("yes", "no")]
    return tokenizer


def randomized(model, seed: int):
    """Weights large enough that attention is far from flat."""
    generator = torch.Generator().manual_seed(seed)
    # Gemma's norms multiply with one more than their weight.
    one = 0.0 if model.config.model_type == "gemma3_text" else 1.0
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("norm.weight"):
            parameter.copy_(one + 0.2 * noise)
        elif "embed_tokens" in name:
            parameter.copy_(0.3 * noise)
        else:
            parameter.copy_(noise * 1.5 / parameter.shape[1] ** 0.5)
    return model.eval()


def write(path: Path, tokenizer: Tokenizer, tensors: dict, config: dict) -> None:
    path.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in sorted(tensors.items())}
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    write_json(path / "config.json", config)
    tokenizer.save(str(path / "tokenizer.json"), pretty=True)
    write_json(path / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512})


def write_modules(path: Path, kinds: list[str], pooling: str, width: int) -> None:
    folders = ["" if kind == "Transformer" else f"{i}_{kind}" for i, kind in enumerate(kinds)]
    modules = [
        {"idx": i, "name": str(i), "path": folder, "type": f"sentence_transformers.models.{kind}"}
        for i, (folder, kind) in enumerate(zip(folders, kinds))
    ]
    write_json(path / "modules.json", modules)
    (path / "1_Pooling").mkdir(exist_ok=True)
    modes = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
    config = {f"pooling_mode_{mode}": mode == pooling for mode in modes}
    write_json(path / "1_Pooling" / "config.json", {"word_embedding_dimension": width} | config | {"include_prompt": True})


def write_dense(path: Path, inputs: int, outputs: int, generator: torch.Generator) -> torch.Tensor:
    path.mkdir(exist_ok=True)
    weight = torch.randn((outputs, inputs), generator=generator) / inputs**0.5
    save_file({"linear.weight": weight}, path / "model.safetensors", metadata={"format": "pt"})
    config = {"in_features": inputs, "out_features": outputs, "bias": False}
    write_json(path / "config.json", config | {"activation_function": "torch.nn.modules.linear.Identity"})
    return weight


def write_vectors(path: Path, prompt: str, pool) -> None:
    model, hf = AutoModel.from_pretrained(path, attn_implementation="eager").eval(), AutoTokenizer.from_pretrained(path)
    golden = []
    for before, text in [("", text) for text in TEXTS] + [(prompt, QUERY)]:
        ids = hf(before + text).input_ids
        vector = normalize(pool(model(torch.tensor([ids])).last_hidden_state[0]), dim=0)
        entry = {"prompt": before} if before else {}
        golden.append(entry | {"text": text, "ids": ids, "vector": [round(x, 7) for x in vector.tolist()]})
    write_json(path / "golden.json", golden)
    spread(path, torch.tensor([entry["vector"] for entry in golden]))


def spread(path: Path, values: torch.Tensor) -> None:
    total = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(f"{path.name}: {total} bytes, spread over texts {values.std(dim=0).mean().item():.3f}")
