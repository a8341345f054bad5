"""Every figure as it was measured, round by round, kept on disk as it comes: a run that is
broken off loses nothing."""

import json
import statistics
from pathlib import Path

from . import machine
from .places import Failed
from .plan import MODELS, PRECISIONS

# What is added last of a subject's figures; without HTTP they come at once.
LAST_FIGURE = {"offline": None, "http": "resident_after_mib"}


class Records:
    def __init__(self, path: Path, about: dict):
        self.path = path
        self.about = about
        self.figures: list[dict] = []
        self.outputs: list[dict] = []
        self.failures: list[dict] = []
        self.commands: dict[str, str] = {}

    @classmethod
    def load(cls, path: Path) -> "Records":
        stored = json.loads(path.read_text())
        records = cls(path, stored["about"])
        records.figures, records.outputs = stored["figures"], stored["outputs"]
        records.failures, records.commands = stored["failures"], stored["commands"]
        return records

    @classmethod
    def resumed(cls, path: Path, about: dict) -> "Records":
        """A run that was broken off, to go on with, or one to go beyond, of the same programs on the
        same machine."""
        records = cls.load(path)
        old, new = records.about, about
        same = ["quick", "threads", *(f"machine.{key}" for key in ("commit", "changed_files", "cpu", "cores"))]
        if different := [key for key in same if _at(old, key) != _at(new, key)]:
            raise Failed(f"{path} cannot be resumed: another {', '.join(different)}")
        merged = {"rounds": max(old["rounds"], new["rounds"]), "versions": old["versions"] | new["versions"]}
        for key, order in (("models", MODELS), ("precisions", PRECISIONS)):
            merged[key] = [name for name in order if name in old[key] or name in new[key]]
        # These two grow while the run prepares, so they are changed and not replaced.
        new["missing"] |= {peer: why for peer, why in old["missing"].items() if peer not in new["versions"]}
        new["notes"][:0] = [note for note in old["notes"] if note not in new["notes"]]
        new |= merged | {"machine": old["machine"]}
        records.about = new
        return records

    def take_up(self, round_: int, cell, subject: str, what: str) -> bool:
        """Whether this is still to be measured; what a broken-off or failed attempt left is dropped."""
        place = self._place(round_, cell, subject)
        last = LAST_FIGURE[what]
        here = [run for run in self.figures if run | place == run and _kind(run) == what]
        if any(last is None or last in run["figures"] for run in here):
            return False
        self.figures = [run for run in self.figures if not any(run is left for left in here)]
        self.failures = [run for run in self.failures if run | place | {"what": what} != run]
        return True

    def add(self, round_: int, cell, subject: str, figures: dict[str, float], raw: dict | None = None) -> None:
        """Figures of one run, by measure, and whatever else it said."""
        measured = {"figures": figures, "raw": raw or {}, "machine": machine.disturbance()}
        self.figures.append(self._place(round_, cell, subject) | measured)
        self.save()

    def add_output(self, round_: int, cell, subject: str, output: dict) -> None:
        self.outputs.append(self._place(round_, cell, subject) | output)
        self.save()

    def add_failure(self, round_: int, cell, subject: str, what: str, error: str) -> None:
        self.failures.append(self._place(round_, cell, subject) | {"what": what, "error": error})
        self.save()

    def values(self, model: str, precision: str, subject: str, measure: str) -> list[float]:
        return [
            run["figures"][measure]
            for run in self.figures
            if (run["model"], run["precision"], run["subject"]) == (model, precision, subject)
            and measure in run["figures"]
        ]

    def median(self, model: str, precision: str, subject: str, measure: str) -> float | None:
        values = self.values(model, precision, subject, measure)
        return statistics.median(values) if values else None

    def is_checked(self, cell, subject: str) -> bool:
        asked = (cell.model.name, cell.precision.name, subject)
        return any((output["model"], output["precision"], output["subject"]) == asked for output in self.outputs)

    def differs(self, model: str, precision: str, subject: str) -> bool:
        """Whether this server's outputs were checked and are not what they should be."""
        return any(
            (output["model"], output["precision"], output["subject"]) == (model, precision, subject)
            and output["verdict"] == "differs"
            for output in self.outputs
        )

    def save(self, **more) -> None:
        stored = {
            "about": self.about,
            "commands": self.commands,
            "figures": self.figures,
            "outputs": self.outputs,
            "failures": self.failures,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".part")
        scratch.write_text(json.dumps(stored | more, indent=1) + "\n")
        scratch.replace(self.path)

    @staticmethod
    def _place(round_: int, cell, subject: str) -> dict:
        return {"round": round_, "model": cell.model.name, "precision": cell.precision.name, "subject": subject}


def _at(about: dict, key: str):
    for name in key.split("."):
        about = about[name]
    return about


def _kind(run: dict) -> str:
    return "offline" if any(name.startswith(("prefill.", "decode.")) for name in run["figures"]) else "http"
