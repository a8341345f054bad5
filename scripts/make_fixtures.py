"""Makes the golden fixtures: what `transformers` says, for our tests to agree with.

    make_fixtures.py tiny [OUT]               tests/fixtures/tiny-llama and tiny-llama-tied
    make_fixtures.py smollm2 DIR OUT.json     greedy tokens of SmolLM2 for eight prompts
    make_fixtures.py compare DIR DUMP         log-probabilities of a dump against transformers

Everything is computed in float32 on the CPU from weights in the checkpoint's own type.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures"

# ChatML, as SmolLM2 and many others use it.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

SENTENCES = [
    "The office at the town hall is open from nine to four, except on public holidays.",
    "Please send the missing documents before the end of the month.",
    "Votre demande d'allocation a été reçue ; il manque une pièce justificative.",
    "Merci de joindre une copie de votre pièce d'identité et un relevé d'identité bancaire.",
    "Das Bürgeramt prüft Ihren Antrag; die Frist beträgt vierzehn Tage, größere Änderungen ausgenommen.",
    "Bitte füllen Sie das Formular vollständig aus und schicken Sie es an die Straße der Gerichte 5.",
]

SMOLLM2_PROMPTS = [
    "The capital of France is Paris. The capital of Germany is",
    "A citizen may appeal against the decision within two months of its notification. "
    "The appeal must be made in writing and must state",
    "Madame, Monsieur, nous avons bien reçu votre demande d'allocation logement. "
    "Afin de compléter votre dossier, nous vous prions de",
    "L'été dernier, la préfecture a été fermée à cause des travaux ; où dois-je déposer ma requête ?",
    "Sehr geehrte Damen und Herren, hiermit stelle ich einen Antrag auf Wohngeld. Meine Adresse ist Große Straße",
    "Die Behörde prüft die Unterlagen und entscheidet über die Höhe der Unterstützung. Außerdem",
    "Step 1: Collect the documents.\nStep 2: Fill in the form.\nStep 3:",
    "<|im_start|>user\nWhat is a birth certificate?<|im_end|>\n<|im_start|>assistant\n",
]


def main() -> int:
    torch.set_grad_enabled(False)
    match sys.argv[1:]:
        case ["tiny", *out]:
            make_tiny(Path(out[0]) if out else FIXTURES)
        case ["smollm2", model_dir, out]:
            make_smollm2(model_dir, Path(out))
        case ["compare", model_dir, dump]:
            return compare(model_dir, Path(dump))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


# --- tiny random checkpoints ----------------------------------------------------------


def make_tiny(out: Path) -> None:
    tokenizer = train_tokenizer()
    shape = dict(
        vocab_size=320,
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        hidden_act="silu",
    )
    # The width of all query heads differs from the hidden size, and llama3 scaling bites
    # from position 0 on. The configuration is written as transformers 4 wrote it.
    write_checkpoint(
        out / "tiny-llama",
        tokenizer,
        LlamaConfig(
            **shape,
            hidden_size=48,
            num_hidden_layers=3,
            num_attention_heads=6,
            num_key_value_heads=2,
            head_dim=16,
            intermediate_size=80,
            tie_word_embeddings=False,
            rope_parameters=dict(
                rope_type="llama3",
                rope_theta=10000.0,
                factor=4.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=128,
            ),
        ),
        dtype=torch.float32,
        seed=5,  # the first seed without a near-tie
        eos=2,
        shards=1,
        transformers_4=True,
    )
    # Tied, bfloat16, two shards, the configuration as transformers 5 writes it, the chat
    # template in its own file, two end tokens.
    write_checkpoint(
        out / "tiny-llama-tied",
        tokenizer,
        LlamaConfig(
            **shape,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=8,
            num_key_value_heads=4,
            head_dim=8,
            intermediate_size=112,
            tie_word_embeddings=True,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0),
        ),
        dtype=torch.bfloat16,
        seed=4,
        eos=[2, 0],
        shards=2,
        transformers_4=False,
    )


def train_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    assert tokenizer.get_vocab_size() == 320
    return tokenizer


def write_checkpoint(path, tokenizer, config, *, dtype, seed, eos, shards, transformers_4):
    path.mkdir(parents=True, exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    model = random_model(config, dtype, seed)
    write_config(path, config, dtype, transformers_4)
    write_weights(path, model, shards)
    write_text_files(path, tokenizer, eos, template_file=not transformers_4)
    write_golden(path)


def random_model(config: LlamaConfig, dtype: torch.dtype, seed: int) -> LlamaForCausalLM:
    """Weights large enough that attention and logits are far from flat."""
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            parameter.copy_(1.0 + 0.2 * noise)
        elif "embed_tokens" in name or "lm_head" in name:
            # Tied and large, every token would predict itself.
            parameter.copy_((0.3 if config.tie_word_embeddings else 0.8) * noise)
        else:
            parameter.copy_(noise * 1.5 / parameter.shape[1] ** 0.5)
    return model.to(dtype).eval()


def write_config(path: Path, config: LlamaConfig, dtype: torch.dtype, transformers_4: bool) -> None:
    keys = config.to_dict()
    wanted = [
        "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_act",
        "max_position_embeddings", "rms_norm_eps", "attention_bias", "mlp_bias",
        "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id",
    ]  # fmt: skip
    written = {"architectures": ["LlamaForCausalLM"]} | {key: keys[key] for key in wanted}
    name = str(dtype).removeprefix("torch.")
    rope = dict(keys["rope_parameters"])
    if transformers_4:
        written["rope_theta"] = rope.pop("rope_theta")
        written["rope_scaling"] = rope
        written["torch_dtype"] = name
    else:
        written["rope_parameters"] = rope
        written["dtype"] = name
    write_json(path / "config.json", written)


def write_weights(path: Path, model: LlamaForCausalLM, shards: int) -> None:
    tensors = dict(sorted(model.state_dict().items()))
    if model.config.tie_word_embeddings:
        tensors.pop("lm_head.weight", None)
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    if shards == 1:
        save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
        return
    names = list(tensors)
    size = -(-len(names) // shards)
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = {name: tensors[name] for name in names[i * size : (i + 1) * size]}
        save_file(part, path / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_json(path / "model.safetensors.index.json", index)


def write_text_files(path: Path, tokenizer: Tokenizer, eos, template_file: bool) -> None:
    tokenizer.save(str(path / "tokenizer.json"), pretty=True)
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
        "model_max_length": 512,
        "clean_up_tokenization_spaces": False,
    }
    if template_file:
        (path / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    else:
        tokenizer_config["chat_template"] = CHAT_TEMPLATE
    write_json(path / "tokenizer_config.json", tokenizer_config)
    write_json(
        path / "generation_config.json",
        {"bos_token_id": 1, "eos_token_id": eos, "pad_token_id": 2},
    )


def write_golden(path: Path) -> None:
    """golden.json holds prompts, ids and greedy continuations; golden.safetensors, under
    `logits.<i>`, the logits at every position of prompt i."""
    model, tokenizer = load(path)
    long = " ".join(SENTENCES)
    ids = tokenizer(long, add_special_tokens=False).input_ids
    chat = [{"role": "user", "content": "Où est la mairie ? Straße 5 🏛"}]
    rendered = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    prompts = [ids[:1], ids[5:12], tokenizer(rendered, add_special_tokens=False).input_ids]
    prompts += [ids[20:84], ids[84:149], ids[:200]]

    logits, entries = {}, []
    for i, prompt in enumerate(prompts):
        logits[f"logits.{i}"] = model(torch.tensor([prompt])).logits[0].contiguous()
        entries.append({"ids": prompt, "greedy": greedy(model, prompt, 32)})
    margin = min(entry["greedy"]["margin"] for entry in entries)
    assert margin > 1e-2, f"{path.name}: a near-tie of {margin} makes the greedy fixture fragile"

    save_file(logits, path / "golden.safetensors")
    texts = SENTENCES + ["", " ", "\n\n  leading", "naïve café ½ 🇫🇷 你好", "<|im_end|> inside", "e\u0301 combining"]
    golden = {
        "about": "float32 on the CPU; end tokens do not end the greedy continuations; "
        "margin is the least lead of a greedy token over the next best log-probability",
        "prompts": entries,
        "encode": [{"text": t, "ids": tokenizer(t, add_special_tokens=False).input_ids} for t in texts],
        "chat": {"messages": chat, "rendered": rendered, "ids": prompts[2]},
    }
    write_json(path / "golden.json", golden)
    total = sum(file.stat().st_size for file in path.iterdir())
    spread = logits["logits.5"].std().item()
    print(f"{path.name}: {total} bytes, logit spread {spread:.2f}, least greedy margin {margin:.3f}")


# --- SmolLM2 --------------------------------------------------------------------------


def make_smollm2(model_dir: str, out: Path) -> None:
    model, tokenizer = load(model_dir)
    entries = []
    for text in SMOLLM2_PROMPTS:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        entries.append({"text": text, "ids": ids, "greedy": greedy(model, ids, 64, top=5)})
        print(f"{len(ids):4} tokens, least margin {entries[-1]['greedy']['margin']:.4f}: {text[:60]!r}", flush=True)
    write_json(out, {"about": "SmolLM2-135M-Instruct (the imported GGUF), float32, 64 greedy tokens", "prompts": entries})


def compare(model_dir: str, dump: Path) -> int:
    """DUMP is a safetensors file with `logprobs.<i>` of shape [tokens, vocabulary], and
    optionally `ids.<i>`, for the prompts of `make_fixtures.py smollm2`."""
    model, tokenizer = load(model_dir)
    ours = load_file(dump)
    worst, changed, positions = 0.0, 0, 0
    for i, text in enumerate(SMOLLM2_PROMPTS):
        ids = tokenizer(text, add_special_tokens=False).input_ids
        if f"ids.{i}" in ours:
            assert ours[f"ids.{i}"].tolist() == ids, f"prompt {i}: other token ids"
        theirs = torch.log_softmax(model(torch.tensor([ids])).logits[0], dim=-1)
        mine = ours[f"logprobs.{i}"].float()
        difference = (mine - theirs).abs().max().item()
        top = (mine.argmax(-1) != theirs.argmax(-1)).sum().item()
        print(f"prompt {i}: {len(ids)} positions, largest difference {difference:.2e}, {top} other top tokens")
        worst, changed, positions = max(worst, difference), changed + top, positions + len(ids)
    print(f"all: {positions} positions, largest difference {worst:.2e} (limit 2e-3), {changed} other top tokens")
    return 0 if worst <= 2e-3 and changed == 0 else 1


# --- shared ---------------------------------------------------------------------------


def load(path):
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager")
    return model.eval(), AutoTokenizer.from_pretrained(path)


def greedy(model, prompt: list[int], count: int, top: int = 0) -> dict:
    ids, logprobs, tops, margin = [], [], [], float("inf")
    step, cache = torch.tensor([prompt]), None
    while len(ids) < count:
        out = model(step, past_key_values=cache, use_cache=True)
        row, cache = torch.log_softmax(out.logits[0, -1], dim=-1), out.past_key_values
        best = row.topk(max(top, 2))
        margin = min(margin, (best.values[0] - best.values[1]).item())
        ids.append(best.indices[0].item())
        logprobs.append(round(best.values[0].item(), 6))
        tops.append([[t, round(v, 5)] for t, v in zip(best.indices.tolist(), best.values.tolist())])
        step = torch.tensor([ids[-1:]])
    result = {"ids": ids, "logprobs": logprobs, "margin": round(margin, 6)}
    return result | ({"top": tops} if top else {})


def write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
