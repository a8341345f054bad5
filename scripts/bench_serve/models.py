"""The weights, in each form that a subject reads: safetensors for Guichet, vLLM and
transformers, and GGUF made of the same numbers for llama.cpp."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from .peers import Peers
from .places import ROOT, Failed, Places, run
from .plan import LLAMA_CPP, MODELS, PRECISIONS, Model

SMOLLM2 = ROOT / "weights" / "smollm2-135m-instruct"
# What a random model borrows of SmolLM2, so that it has a vocabulary to speak with.
TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]
RANDOM_SHAPE = Path(__file__).parent / "random_llama.py"


@dataclass(frozen=True)
class Weights:
    directory: Path
    # By precision; absent where llama.cpp is missing.
    gguf: dict[str, Path]


def prepare(model: Model, precisions: list[str], places: Places, peers: Peers) -> Weights:
    """Makes what is not there yet. A file that is there and is newer than what it came from stays."""
    if not (SMOLLM2 / "model.safetensors").exists():
        raise Failed(f"{SMOLLM2.relative_to(ROOT)} is missing: `make weights` fetches it")
    directory = _random_llama(places, model) if model.is_random else SMOLLM2
    gguf = {}
    if peers.has(LLAMA_CPP):
        try:
            gguf = _gguf(model, directory, precisions, places, peers)
        except Failed as error:
            peers.lose(LLAMA_CPP, f"the weights of {model.name} could not be converted: {error}")
    return Weights(directory, gguf)


def _random_llama(places: Places, model: Model) -> Path:
    directory = places.models / model.name
    if (directory / "config.json").exists():
        return directory
    print(f"== Drawing the weights of the {MODELS[model.name].title}", flush=True)
    directory.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        shutil.copyfile(SMOLLM2 / name, directory / name)
    # It writes config.json last, so that a run that is broken off is done again.
    run([places.python("tools"), RANDOM_SHAPE, directory], places.log("models"))
    return directory


def _gguf(model: Model, directory: Path, precisions: list[str], places: Places, peers: Peers) -> dict[str, Path]:
    places.models.mkdir(parents=True, exist_ok=True)
    log = places.log("models")
    native = places.models / f"{model.name}-BF16.gguf"
    if not _is_made(native, directory / "model.safetensors"):
        print(f"== Converting {model.name} to GGUF", flush=True)
        convert = [peers.torch(), peers.llama_cpp_source / "convert_hf_to_gguf.py", directory]
        part = native.with_suffix(".part")
        run([*convert, "--outtype", "bf16", "--outfile", part], log)
        part.rename(native)
    files = {"bf16": native}
    for precision in precisions:
        kind = PRECISIONS[precision].gguf
        file = files.setdefault(precision, places.models / f"{model.name}-{kind}.gguf")
        if not _is_made(file, native):
            print(f"== Quantising {model.name} to {kind}", flush=True)
            part = file.with_suffix(".part")
            run([peers.llama_cpp("llama-quantize"), native, part, kind, "2"], log)
            part.rename(file)
    return files


def _is_made(file: Path, source: Path) -> bool:
    return file.exists() and file.stat().st_mtime >= source.stat().st_mtime
