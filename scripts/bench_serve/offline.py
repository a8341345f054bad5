"""Figures without HTTP: each project's own bench, in a process of its own."""

import json
from pathlib import Path

from .guichet import Guichet
from .models import Weights
from .peers import Peers
from .places import Failed, Places, run
from .plan import GUICHET, LLAMA_CPP, TRANSFORMERS, Cell

TRANSFORMERS_PREFILL = Path(__file__).parent / "transformers_prefill.py"
TIMEOUT_S = 1800
# A recorded name for figures that no server has: what this machine could do at most.
ROOFLINE = "roofline"


class Offline:
    def __init__(self, places: Places, guichet: Guichet, peers: Peers, threads: int):
        self.places = places
        self.guichet = guichet
        self.peers = peers
        self.threads = threads

    def commands(self, subject: str, cell: Cell, weights: Weights) -> list[list]:
        make = {GUICHET: self._guichet, LLAMA_CPP: self._llama_cpp, TRANSFORMERS: self._transformers}
        return make[subject](cell, weights)

    def measure(self, subject: str, cell: Cell, weights: Weights) -> tuple[dict[str, float], dict]:
        """Figures by measure, and what the programs said."""
        log = self.places.log(f"offline-{subject}")
        env = {"OMP_NUM_THREADS": str(self.threads)} if subject == TRANSFORMERS else None
        outputs = [run(argv, log, env, timeout=TIMEOUT_S) for argv in self.commands(subject, cell, weights)]
        read = {GUICHET: read_guichet, LLAMA_CPP: read_llama_cpp, TRANSFORMERS: read_guichet}
        try:
            return read[subject](outputs), {"output": [json_lines(output) for output in outputs]}
        except (ValueError, LookupError) as error:
            raise Failed(f"the output of {subject}'s bench is not as expected: {error!r}; see {log}") from error

    def _guichet(self, cell: Cell, weights: Weights) -> list[list]:
        argv = [self.guichet.bench, "--model", weights.directory, "--quantize", cell.precision.quantize]
        request = f"{cell.sizes.prompt_tokens},{cell.sizes.output_tokens}"
        streams = ",".join(str(streams) for streams in cell.sizes.streams)
        argv += ["--request", request, "--streams", streams]
        return [[*argv, "--threads", self.threads, "--json"]]

    def _llama_cpp(self, cell: Cell, weights: Weights) -> list[list]:
        sizes, file = cell.sizes, weights.gguf[cell.precision.name]
        bench = [self.peers.llama_cpp("llama-bench"), "-m", file, "-t", self.threads, "-r", 1, "-o", "json"]
        prefill = ",".join(str(tokens) for tokens in sizes.prefill)
        batched = [self.peers.llama_cpp("llama-batched-bench"), "-m", file, "-t", self.threads]
        # Its context must hold all sequences to their ends.
        room = sizes.batch * (sizes.batch_context + sizes.batch_tokens)
        batched += ["-c", room, "-npp", sizes.batch_context, "-ntg", sizes.batch_tokens, "-npl", sizes.batch]
        return [[*bench, "-p", prefill, "-n", sizes.decode_tokens], [*batched, "--output-format", "jsonl"]]

    def _transformers(self, cell: Cell, weights: Weights) -> list[list]:
        argv = [self.peers.torch(), TRANSFORMERS_PREFILL, weights.directory, self.threads]
        return [[*argv, *cell.sizes.prefill]]


def json_lines(output: str) -> list:
    """What is JSON in an output: the whole of it, or single lines."""
    try:
        return [json.loads(output)]
    except ValueError:
        return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def read_guichet(outputs: list[str]) -> dict[str, float]:
    """One object of figures by kind and size; what it calls roofline goes by that name."""
    (said,) = json_lines(outputs[0])
    found = _by_measure(said)
    roofline = _by_measure(said.get(ROOFLINE, {}))
    over_http = said.get(ROOFLINE, {}).get("http", {})
    roofline |= {f"http.{streams}.tok_s": float(value) for streams, value in over_http.items() if value is not None}
    return found | {f"{ROOFLINE}.{measure}": value for measure, value in roofline.items()}


def _by_measure(said: dict) -> dict[str, float]:
    kinds = ("prefill", "decode")
    return {f"{kind}.{size}": float(value) for kind in kinds for size, value in said.get(kind, {}).items() if value is not None}


def read_llama_cpp(outputs: list[str]) -> dict[str, float]:
    (tests,) = json_lines(outputs[0])
    found = {}
    for test in tests:
        measure = "decode.1" if test["n_gen"] > 0 else f"prefill.{test['n_prompt']}"
        found[measure] = float(test["avg_ts"])
    (batch,) = json_lines(outputs[1])
    return found | {f"decode.{batch['pl']}": float(batch["speed_tg"])}
