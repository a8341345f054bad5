"""Our own executables: the server, built for release, and the bench of the decoder."""

import json
from pathlib import Path

from .places import ROOT, Failed, Places, run

# A release build from nothing, with link-time optimisation, on two slow cores.
BUILD_TIMEOUT_S = 3600


class Guichet:
    def __init__(self, places: Places, binary: Path | None, bench: Path | None):
        self.places = places
        self.binary = binary
        self.bench = bench

    def build_server(self) -> None:
        if self.binary is None:
            print("== Building guichet for release", flush=True)
            self.binary = self._built(["build", "--release", "--bin", "guichet"], "guichet")

    def build_bench(self) -> None:
        if self.bench is None:
            print("== Building the bench of the decoder", flush=True)
            self.bench = self._built(["bench", "--no-run", "--bench", "decoder"], "decoder")

    def version(self) -> str:
        if self.binary is None:
            return "not built"
        return run([self.binary, "--version"], self.places.log("guichet")).split()[-1]

    def _built(self, cargo: list[str], target: str) -> Path:
        argv = ["cargo", cargo[0], "--locked", "--message-format=json", *cargo[1:]]
        said = run(argv, self.places.log("cargo"), cwd=ROOT, timeout=BUILD_TIMEOUT_S)
        return executable(said, target)


def executable(messages: str, target: str) -> Path:
    """The file that cargo says it has made."""
    for line in messages.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("target", {}).get("name") == target and message.get("executable"):
            return Path(message["executable"])
    raise Failed(f"cargo has built no executable called {target}")
