"""Makes tests/fixtures/tiny-{bert,xlm-roberta,camembert,modernbert,modernbert-reranker}, and by
make_embedder_fixtures.py tiny-{qwen3-embedding,qwen3-reranker,embeddinggemma}: what `transformers`
says of random encoders, and of decoders in their place, for our tests to agree with.

    make_encoder_fixtures.py [OUT]

golden.json holds texts (or pairs) with their ids and types, and what the model says in float32 on
the CPU: the mean of the last layer, 1 long, or a score.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    CamembertConfig,
    CamembertForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

import make_embedder_fixtures
from make_fixtures import FIXTURES, SENTENCES, write_json

LONG = " ".join(SENTENCES)
TEXTS = [*SENTENCES, "a", "Où est la mairie ?", LONG, LONG[200:420], "[SEP] is a word here, and <s> too"]
QUERY = "Which documents are missing?"


def main() -> None:
    torch.set_grad_enabled(False)
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else FIXTURES
    make_bert(out / "tiny-bert")
    make_xlm_roberta(out / "tiny-xlm-roberta")
    make_camembert(out / "tiny-camembert")
    make_modernbert(out / "tiny-modernbert")
    make_modernbert_reranker(out / "tiny-modernbert-reranker")
    make_embedder_fixtures.make_all(out)


def make_bert(path: Path) -> None:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=320, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    # As files of sentence-transformers have them; a server must not take them for its own.
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=80,
        max_position_embeddings=512,
    )
    model = randomized(BertModel(config, add_pooling_layer=True), seed=3)
    write(path, tokenizer, model, "[SEP]", "[PAD]")
    write_json(
        path / "modules.json",
        [
            {"idx": i, "name": str(i), "path": folder, "type": f"sentence_transformers.models.{kind}"}
            for i, (folder, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")])
        ],
    )
    (path / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 48, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    write_json(path / "1_Pooling" / "config.json", pooling)
    write_json(path / "sentence_bert_config.json", {"max_seq_length": 384, "do_lower_case": False})
    write_json(path / "config_sentence_transformers.json", {"prompts": {"query": "query: "}})

    encoder, hf = AutoModel.from_pretrained(path, attn_implementation="eager").eval(), plain_tokenizer(path)
    golden = []
    for text in TEXTS[:-1]:
        encoding = hf(text, return_tensors="pt")
        mean = encoder(**encoding).last_hidden_state[0].mean(dim=0)
        vector = torch.nn.functional.normalize(mean, dim=0)
        golden.append({"text": text, "ids": encoding.input_ids[0].tolist(), "vector": [round(x, 7) for x in vector.tolist()]})
    # No caller writes a separator: the library splits it as it splits any text.
    golden.append({"text": TEXTS[-1], "has_no": [2, 3], "but_at_the_ends": True})
    write_json(path / "golden.json", golden)
    spread(path, torch.tensor([entry["vector"] for entry in golden[:-1]]))


def make_xlm_roberta(path: Path) -> None:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.UnigramTrainer(vocab_size=320, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=112,
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        num_labels=1,
        layer_norm_eps=1e-5,
    )
    model = randomized(XLMRobertaForSequenceClassification(config), seed=4)
    write(path, tokenizer, model, "</s>", "<pad>")
    write_scores(path, TEXTS[:-1])


def make_camembert(path: Path) -> None:
    """With the head that guesses words, as CamemBERT itself is published."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>", "<mask>"]
    trainer = trainers.UnigramTrainer(vocab_size=320, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 5), ("</s>", 6)]
    )
    config = CamembertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=56,
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=5,
        eos_token_id=6,
        layer_norm_eps=1e-5,
    )
    model = randomized(CamembertForMaskedLM(config), seed=6)
    write(path, tokenizer, model, "</s>", "<pad>")
    write_vectors(path, TEXTS[:-1], lambda hidden: hidden.mean(dim=0))


# As ModernBERT is published; transformers 5 writes other keys, which the reranker has.
MODERNBERT = {
    "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 2,
    "hidden_activation": "gelu", "max_position_embeddings": 512, "norm_eps": 1e-5, "norm_bias": False,
    "attention_bias": False, "mlp_bias": False, "local_attention": 16, "classifier_activation": "gelu",
    "classifier_bias": False, "classifier_pooling": "mean", "pad_token_id": 3, "bos_token_id": 1, "eos_token_id": 2,
    "cls_token_id": 1, "sep_token_id": 2,
}  # fmt: skip
BEFORE_5 = {"global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0}


def make_modernbert(path: Path) -> None:
    tokenizer = modernbert_tokenizer()
    shape = {"vocab_size": tokenizer.get_vocab_size()} | MODERNBERT
    model = randomized(ModernBertForMaskedLM(ModernBertConfig.from_dict(shape | BEFORE_5)), seed=7)
    write(path, tokenizer, model, "[SEP]", "[PAD]", config=shape | BEFORE_5 | {"position_embedding_type": "absolute"})
    write_vectors(path, TEXTS[:-1], lambda hidden: hidden.mean(dim=0))


def make_modernbert_reranker(path: Path) -> None:
    tokenizer = modernbert_tokenizer()
    shape = {"vocab_size": tokenizer.get_vocab_size()} | MODERNBERT
    model = randomized(ModernBertForSequenceClassification(ModernBertConfig.from_dict(shape | {"num_labels": 1})), seed=8)
    keys = model.config.to_dict()
    config = shape | {key: keys[key] for key in ("layer_types", "rope_parameters")}
    write(path, tokenizer, model, "[SEP]", "[PAD]", config=config)
    write_scores(path, TEXTS[:-1])


def modernbert_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def write_vectors(path: Path, texts: list[str], pool) -> None:
    encoder, hf = AutoModel.from_pretrained(path, attn_implementation="eager").eval(), plain_tokenizer(path)
    golden = []
    for text in texts:
        encoding = hf(text, return_tensors="pt")
        encoding.pop("token_type_ids", None)
        vector = torch.nn.functional.normalize(pool(encoder(**encoding).last_hidden_state[0]), dim=0)
        golden.append({"text": text, "ids": encoding.input_ids[0].tolist(), "vector": [round(x, 7) for x in vector.tolist()]})
    write_json(path / "golden.json", golden)
    spread(path, torch.tensor([entry["vector"] for entry in golden]))


def write_scores(path: Path, texts: list[str]) -> None:
    ranker = AutoModelForSequenceClassification.from_pretrained(path, attn_implementation="eager").eval()
    hf = plain_tokenizer(path)
    golden = []
    for text in texts:
        encoding = hf(QUERY, text, return_tensors="pt")
        encoding.pop("token_type_ids", None)
        score = ranker(**encoding).logits[0, 0].item()
        golden.append({"query": QUERY, "text": text, "ids": encoding.input_ids[0].tolist(), "score": round(score, 6)})
    write_json(path / "golden.json", golden)
    spread(path, torch.tensor([[entry["score"]] for entry in golden]))


def randomized(model, seed: int):
    """Weights large enough that attention is far from flat, and no bias is zero."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if name.lower().endswith("norm.weight"):
            parameter.copy_(1.0 + 0.2 * noise)
        elif name.endswith("bias"):
            parameter.copy_(0.3 * noise)
        elif "embeddings" in name:
            parameter.copy_(0.8 * noise)
        else:
            parameter.copy_(noise * 1.5 / parameter.shape[1] ** 0.5)
    return model.eval()


BERT_KEYS = [
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act",
    "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "pad_token_id",
]  # fmt: skip


def write(path: Path, tokenizer: Tokenizer, model, sep: str, pad: str, config: dict | None = None) -> None:
    path.mkdir(parents=True, exist_ok=True)
    tied = getattr(model, "_tied_weights_keys", None) or {}
    tensors = {name: tensor.contiguous() for name, tensor in sorted(model.state_dict().items()) if name not in tied}
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    keys = model.config.to_dict()
    config = config or {key: keys[key] for key in BERT_KEYS}
    config = {"architectures": [type(model).__name__], "model_type": keys["model_type"]} | config
    if any(name.startswith("classifier.") for name in tensors):
        config |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    write_json(path / "config.json", config)
    tokenizer.save(str(path / "tokenizer.json"), pretty=True)
    write_json(
        path / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": pad, "sep_token": sep, "model_max_length": 512},
    )


def plain_tokenizer(path: Path):
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def spread(path: Path, values: torch.Tensor) -> None:
    total = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(f"{path.name}: {total} bytes, spread over texts {values.std(dim=0).mean().item():.3f}")


if __name__ == "__main__":
    main()
