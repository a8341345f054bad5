"""The command line, and the order of things: stage after stage, then one table."""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench_serve import machine
from bench_serve.places import ROOT

from . import bars, stages, table
from .job import Job, write_json
from .stages import STAGES

WORK = Path(tempfile.gettempdir()) / "guichet-gpu"


def main() -> int:
    options = parse()
    if options.report:
        return finish(found_in(options.report), None)
    # So that a run that is told to end takes its stage with it, and still shows what it has.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    job = Job(
        out=options.out.resolve(),
        work=options.work.resolve(),
        guichet=options.guichet,
        decoder=options.decoder,
        tests=tuple(options.tests),
        sanitizer=options.sanitizer,
        is_try=options.is_try,
        env=dict(options.env),
        rounds=options.rounds,
        serve_seconds=options.serve_seconds,
        capacity_seconds=options.capacity_seconds,
        load_processes=options.load_processes,
    )
    about = {"machine": describe(), "gpu": gpu(), "options": sys.argv[1:]}
    write_json(job.out / "about.json", about)
    print(f"{about['gpu'] or 'no GPU is found'}; {os.cpu_count()} cores", flush=True)
    code = 1
    try:
        for name in options.stages:
            stages.run(STAGES[name], job, options.budget.get(name, STAGES[name].budget_s))
    finally:
        results = found_in([job.out])
        code = finish({name: results[name] for name in options.stages if name in results}, job.out / "table.json")
    return code


def parse() -> argparse.Namespace:
    about = "Whether Guichet is right and fast on an NVIDIA GPU, in one table."
    parser = argparse.ArgumentParser(prog="scripts/gpu-check", description=about)
    parser.add_argument("--guichet", type=executable, help="a server that was built with CUDA")
    parser.add_argument("--decoder", type=executable, help="the bench of the decoder, built with CUDA")
    parser.add_argument("--tests", type=shlex.split, default=[], metavar="COMMAND", help="the kernels' tests, as one word")
    parser.add_argument("--sanitizer", help="compute-sanitizer, where it is not found by its name")
    known = ",".join(STAGES)
    parser.add_argument(
        "--stages", type=stage_names, default=list(STAGES), metavar="LIST", help=f"some of {known} [default: all]"
    )
    parser.add_argument(
        "--budget", type=budgets, default={}, metavar="STAGE=SECONDS,...", help="more or less time for some stages"
    )
    parser.add_argument("--out", type=Path, default=WORK / "out", help="for figures and logs [default: %(default)s]")
    parser.add_argument("--work", type=Path, default=WORK, help="for checkpoints, 12 GB [default: %(default)s]")
    parser.add_argument(
        "--env", type=partial(pair, "="), action="append", default=[], metavar="NAME=VALUE", help="for every server"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of the decoder's bench [default: %(default)s]")
    parser.add_argument("--serve-seconds", type=float, default=120, help="of the open loop [default: %(default)s]")
    parser.add_argument("--capacity-seconds", type=float, default=15, help="of the closed loop [default: %(default)s]")
    parser.add_argument("--load-processes", type=int, default=4, help="that ask [default: %(default)s]")
    parser.add_argument("--try", dest="is_try", action="store_true", help="tiny shapes on the CPU: shows that all works")
    parser.add_argument("--report", type=Path, nargs="+", metavar="DIR", help="measure nothing: one table of earlier runs")
    return parser.parse_args()


def executable(text: str) -> Path:
    path = Path(text).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    return path


def stage_names(text: str) -> list[str]:
    asked = [name for name in text.split(",") if name]
    if unknown := [name for name in asked if name not in STAGES]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(STAGES)}")
    # In their own order: some read what others write.
    return [name for name in STAGES if name in asked]


def budgets(text: str) -> dict[str, float]:
    found = {}
    for name, seconds in (pair("=", part) for part in text.split(",")):
        stage_names(name)
        found[name] = float(seconds)
    return found


def pair(separator: str, text: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} has no {separator}")
    return name, value


def describe() -> dict:
    try:
        return machine.describe(ROOT)
    except OSError as error:
        # A machine that is lent may have no git.
        return {"unknown": str(error)}


def gpu() -> str:
    asked = "name,driver_version,memory.total,power.limit,clocks.max.sm"
    try:
        run = subprocess.run(["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"], capture_output=True, text=True)
    except OSError:
        return ""
    return run.stdout.strip()


def found_in(directories: list[Path]) -> dict[str, dict]:
    """What the stages have left; of a stage that ran more than once, the last."""
    paths = [directory / f"{name}.json" for directory in directories for name in STAGES]
    return {path.stem: json.loads(path.read_text()) for path in paths if path.exists()}


def finish(results: dict[str, dict], path: Path | None) -> int:
    lines = bars.lines(results)
    took = {name: result["seconds"] for name, result in results.items()}
    if path is not None:
        write_json(path, {"lines": [line.to_json() for line in lines], "seconds": took})
    print("\n" + table.text(lines))
    print("Seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in took.items()))
    return 1 if any(line.passed is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
