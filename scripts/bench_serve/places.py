"""Where everything lies: the checkout, and the directory outside it that keeps peers and weights."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def default_peers() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "guichet-bench"


@dataclass(frozen=True)
class Places:
    peers: Path

    @property
    def models(self) -> Path:
        return self.peers / "models"

    def log(self, name: str) -> Path:
        """A file for what a program says while nobody listens."""
        logs = self.peers / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return logs / f"{name.replace(' ', '-')}.log"

    def venv(self, name: str) -> Path:
        return self.peers / "venv" / name

    def python(self, name: str) -> Path:
        return self.venv(name) / "bin" / "python"

    def shown(self, line: str) -> str:
        """A command line or a complaint as a reader elsewhere understands it."""
        for path, word in ((self.peers, "$PEERS"), (ROOT, "."), (Path.home(), "~")):
            line = line.replace(str(path), word)
        return line


class Failed(Exception):
    """A program that did not do what it should, in a sentence."""


def run(argv: list, log: Path, env: dict | None = None, cwd: Path | None = None, timeout: float | None = None) -> str:
    """Runs a program to its end and returns what it printed; what it complains about goes to the log."""
    argv = [str(part) for part in argv]
    environment = os.environ | (env or {})
    with log.open("a") as stderr:
        stderr.write(f"$ {' '.join(argv)}\n")
        stderr.flush()
        try:
            done = subprocess.run(
                argv, stdout=subprocess.PIPE, stderr=stderr, env=environment, cwd=cwd, timeout=timeout, text=True
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failed(f"{Path(argv[0]).name}: {error}") from error
    if done.returncode != 0:
        with log.open("a") as file:
            file.write(done.stdout)
        raise Failed(f"{Path(argv[0]).name} ended with status {done.returncode}; see {log}")
    return done.stdout
