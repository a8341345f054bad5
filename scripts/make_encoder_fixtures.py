"""Makes tests/fixtures/tiny-bert and tiny-xlm-roberta: what `transformers` says of random encoders,
for our tests to agree with.

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
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from make_fixtures import FIXTURES, SENTENCES, write_json

LONG = " ".join(SENTENCES)
TEXTS = [*SENTENCES, "a", "Où est la mairie ?", LONG, LONG[200:420], "[SEP] is a word here, and <s> too"]
QUERY = "Which documents are missing?"


def main() -> None:
    torch.set_grad_enabled(False)
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else FIXTURES
    make_bert(out / "tiny-bert")
    make_xlm_roberta(out / "tiny-xlm-roberta")


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
    ranker = AutoModelForSequenceClassification.from_pretrained(path, attn_implementation="eager").eval()
    hf = plain_tokenizer(path)
    golden = []
    for text in TEXTS[:-1]:
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
        if "LayerNorm.weight" in name:
            parameter.copy_(1.0 + 0.2 * noise)
        elif name.endswith("bias"):
            parameter.copy_(0.3 * noise)
        elif "embeddings" in name:
            parameter.copy_(0.8 * noise)
        else:
            parameter.copy_(noise * 1.5 / parameter.shape[1] ** 0.5)
    return model.eval()


def write(path: Path, tokenizer: Tokenizer, model, sep: str, pad: str) -> None:
    path.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in sorted(model.state_dict().items())}
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    keys = model.config.to_dict()
    wanted = [
        "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "hidden_act", "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "pad_token_id",
    ]  # fmt: skip
    config = {"architectures": [type(model).__name__]} | {key: keys[key] for key in wanted}
    if "classifier" in str(list(tensors)):
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
