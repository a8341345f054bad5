"""What a stage is given, and what it leaves: figures by name, kept on disk as they come, so that one
that is broken off loses nothing."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import prompts
from .shapes import SHAPES, Shape

BROKEN_OFF = "broken off"


class Skipped(Exception):
    """A stage that lacks something, in a sentence."""


@dataclass(frozen=True)
class Job:
    # For figures and logs; and for checkpoints, which are large and may be kept.
    out: Path
    work: Path
    guichet: Path | None = None
    decoder: Path | None = None
    tests: tuple[str, ...] = ()
    sanitizer: str | None = None
    # Tiny shapes on the CPU.
    is_try: bool = False
    # For every server; what a stage is about to vary goes before it.
    env: dict[str, str] = field(default_factory=dict)
    rounds: int = 3
    serve_seconds: float = 120
    capacity_seconds: float = 15
    load_processes: int = 4

    def device(self) -> str:
        return "cpu" if self.is_try else "cuda"

    def shapes(self) -> list[Shape]:
        return [shape.tiny() if self.is_try else shape for shape in SHAPES]

    def cut(self, shape: Shape) -> Path:
        return self.work / f"{shape.name}-cut"

    def full(self, shape: Shape) -> Path:
        """Without weights; only a GPU makes them, so that a try takes the cut."""
        return self.cut(shape) if self.is_try else self.work / shape.name

    def prompts(self, shape: Shape) -> list[list[int]]:
        return prompts.checked(shape.vocab, *((4, 120) if self.is_try else ()))

    def log(self, name: str) -> Path:
        logs = self.out / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return logs / f"{name}.log"


class Findings:
    def __init__(self, path: Path):
        self.path = path
        self.figures: dict = {}
        self.state = {"status": BROKEN_OFF, "why": None}
        self._started = time.monotonic()
        self._save()

    def add(self, name: str, figures) -> None:
        self.figures[name] = figures
        self._save()

    def end(self, status: str, why: str | None = None) -> None:
        self.state = {"status": status, "why": why}
        self._save()

    def _save(self) -> None:
        seconds = round(time.monotonic() - self._started, 1)
        write_json(self.path, self.state | {"seconds": seconds, "figures": self.figures})


def write_json(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(content, indent=1) + "\n")
    scratch.replace(path)


def need_torch(job: Job) -> None:
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise Skipped(f"{error.name} is not installed for this Python") from error
    if not job.is_try and not torch.cuda.is_available():
        raise Skipped("torch finds no GPU")
