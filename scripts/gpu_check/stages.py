"""The stages. Each runs in a process of its own, so that one that fails, hangs or breaks the device
costs its own figures alone, and so that what it held of the GPU is free for the next."""

import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench_serve import processes

from . import invariance, kernels, parity, reference, serve, speed, torch_generate
from .job import BROKEN_OFF, Findings, Job, Skipped, write_json

# After it was told to end, a stage has so long to end what it has started.
GRACE_S = 15


@dataclass(frozen=True)
class Stage:
    name: str
    run: Callable[[Job, Findings], None]
    budget_s: float
    about: str


STAGES = {
    stage.name: stage
    for stage in (
        Stage("kernels", kernels.run, 200, "each kernel against its CPU form, and under compute-sanitizer"),
        Stage("reference", reference.run, 150, "writes the cuts, and what torch says of them"),
        Stage("parity", parity.run, 150, "log-probabilities and greedy tokens beside torch's"),
        Stage("invariance", invariance.run, 120, "the same answers whatever else is computed"),
        Stage("speed", speed.run, 220, "prefill and decode beside what the GPU can do"),
        Stage("torch", torch_generate.run, 90, "generate of transformers"),
        Stage("serve", serve.run, 240, "streams over HTTP at 70 % of the capacity"),
    )
}


def run(stage: Stage, job: Job, budget_s: float) -> None:
    """Leaves the figures in the job's directory, also of a stage that does not end well."""
    print(f"== {stage.name}: {stage.about}", flush=True)
    path = job.out / f"{stage.name}.json"
    path.unlink(missing_ok=True)
    # A fresh interpreter: a forked one cannot use CUDA if this one ever did.
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(stage.name, job))
    started, why = time.monotonic(), None
    process.start()
    try:
        process.join(budget_s)
        if process.is_alive():
            why = f"its {budget_s:g} s were over"
    finally:
        _end(process)
        why = why or f"its process ended with status {process.exitcode}"
        _say_how_it_ended(path, why, time.monotonic() - started)


def _say_how_it_ended(path: Path, why: str, seconds: float) -> None:
    """Of one that could not say so itself."""
    left = json.loads(path.read_text()) if path.exists() else {"status": BROKEN_OFF, "figures": {}}
    if left["status"] == BROKEN_OFF:
        print(f"!! {path.stem}: {why}", flush=True)
        write_json(path, left | {"why": why, "seconds": round(seconds, 1)})


def _end(process) -> None:
    if not process.is_alive():
        return
    below = processes.descendants(process.pid)
    process.terminate()
    process.join(GRACE_S)
    # A server that outlives its stage would hold the GPU's memory.
    for pid in below:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.join()


def _run(name: str, job: Job) -> None:
    # So that a stage that is told to end takes its server with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found = Findings(job.out / f"{name}.json")
    try:
        STAGES[name].run(job, found)
        found.end("done")
    except Skipped as why:
        print(f"-- {name} is skipped: {why}", flush=True)
        found.end("skipped", str(why))
    except Exception as error:
        # Whatever it is: the next stage has to go on, and a reader wants to know.
        job.log(f"{name}-failure").write_text(traceback.format_exc())
        why = f"{type(error).__name__}: {error}"[:600]
        print(f"!! {name} failed: {why}", flush=True)
        found.end("failed", why)
