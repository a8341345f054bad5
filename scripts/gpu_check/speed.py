"""Stage `speed`: Guichet's decoder in process, without HTTP, beside what the GPU can do."""

import json

from bench_serve import places

from . import checkpoints, gpu
from .job import Findings, Job, Skipped, need_torch
from .server import RANDOM_WEIGHTS
from .shapes import LLAMA_8B, MISTRAL_24B, Shape

LONG, SHORT = 8192, 1024
STREAMS, CONTEXT = 64, 1024
# As the bench has them: tokens before those of a stream that decodes alone, and tokens that each
# stream then decodes.
CONTEXT_ALONE, STEPS = 16, 32


def run(job: Job, found: Findings) -> None:
    if job.decoder is None:
        raise Skipped("no --decoder was given")
    if job.is_try:
        raise Skipped("without a GPU there is nothing to measure")
    limits = {}
    try:
        need_torch(job)
        limits = gpu.limits()
        found.add("limits", limits)
        print(f"   {' '.join(f'{name} {value:.4g}' for name, value in limits.items())}", flush=True)
    except Skipped as why:
        print(f"-- the GPU's limits are not measured: {why}", flush=True)
    whole = ["--prefill", f"{SHORT},{LONG}", "--decode", f"1,{STREAMS}"]
    alone = ["--prefill", str(SHORT), "--decode", "1"]
    cells = [(LLAMA_8B, True, whole), (LLAMA_8B, False, whole), (MISTRAL_24B, False, alone), (MISTRAL_24B, True, alone)]
    # Last, because it takes the CPU a while to round weights.
    measured = [(*cell, "none") for cell in cells] + [(LLAMA_8B, True, whole, "int8"), (LLAMA_8B, True, whole, "int4")]
    for shape, deterministic, sizes, quantize in measured:
        name = cell_name(shape, deterministic, quantize)
        try:
            said = _measure(job, name, shape, deterministic, sizes, quantize)
            found.add(name, figures(said, shape, limits, quantize))
            print(f"   {name}: {_shown(found.figures[name])}", flush=True)
        except places.Failed as error:
            # The others' figures are worth having all the same.
            found.add(name, {"failed": str(error)})
            print(f"!! {name}: {error}", flush=True)


def cell_name(shape: Shape, deterministic: bool, quantize: str = "none") -> str:
    return f"{shape.name} {deterministic if quantize == 'none' else quantize}"


def _measure(job: Job, name: str, shape: Shape, deterministic: bool, sizes: list[str], quantize: str) -> dict:
    directory = checkpoints.write_directory(job.full(shape), shape)
    argv = [job.decoder, "--model", directory, "--device", job.device(), "--weights", RANDOM_WEIGHTS]
    argv += ["--deterministic", str(deterministic).lower(), "--context", CONTEXT, "--chunk", LONG]
    argv += [*sizes, "--rounds", job.rounds, "--quantize", quantize, "--json"]
    said = places.run(argv, job.log(f"speed-{name.replace(' ', '-')}"), job.env)
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if not lines:
        raise places.Failed(f"the bench has printed no JSON but {said[:200]!r}")
    return json.loads(lines[-1])


def figures(said: dict, shape: Shape, limits: dict[str, float], quantize: str = "none") -> dict:
    """Each measure as tokens per second, and as a part of the limit where that is known."""
    found = {}
    for streams, speed in said.get("decode", {}).items():
        context = (CONTEXT_ALONE if streams == "1" else CONTEXT) + STEPS / 2
        bytes_s = speed / int(streams) * shape.decode_bytes(int(streams), context, quantize)
        found[f"decode.{streams}"] = {"tok_s": speed} | _parts(bytes_s, limits, "copy_bytes_s", "read_bytes_s")
    for tokens, speed in said.get("prefill", {}).items():
        operations_s = speed / int(tokens) * shape.prefill_operations(int(tokens))
        seconds = int(tokens) / speed
        found[f"prefill.{tokens}"] = {"tok_s": speed, "s": seconds} | _parts(operations_s, limits, "matmul_operations_s")
    return found


def _parts(rate: float, limits: dict[str, float], *names: str) -> dict[str, float]:
    return {f"of_{name}": rate / limits[name] for name in names if name in limits}


def _shown(found: dict) -> str:
    return ", ".join(f"{name} {measured['tok_s']:.0f} tok/s" for name, measured in found.items())
