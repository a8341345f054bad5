"""The servers: how each is started so that all have the same threads, room and weights, and one
at a time from start to end."""

import http.client
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import processes
from .guichet import Guichet
from .models import Weights
from .peers import Peers
from .places import Failed, Places
from .plan import GUICHET, LLAMA_CPP, VLLM, Cell

# The name under which every server knows its model.
MODEL_ID = "bench"
# Room for as many tokens in each KV cache, which all streams need together.
KV_TOKENS = 16_384
MAX_STREAMS = 32
READY_TIMEOUT_S = 600


@dataclass(frozen=True)
class Command:
    subject: str
    argv: list
    # Answers 200 as soon as requests will be.
    ready_path: str
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    subject: str
    port: int
    pid: int
    ready_s: float

    def resident_mib(self) -> float:
        return processes.resident_mib(self.pid)


class Servers:
    def __init__(self, places: Places, guichet: Guichet, peers: Peers, threads: int):
        self.places = places
        self.guichet = guichet
        self.peers = peers
        self.threads = threads

    def command(self, subject: str, cell: Cell, weights: Weights, port: int) -> Command:
        make = {GUICHET: self._guichet, LLAMA_CPP: self._llama_cpp, VLLM: self._vllm}
        return make[subject](cell, weights, port)

    def reference(self, weights: Weights, port: int) -> Command:
        """Guichet in full precision."""
        argv = [*self._guichet_argv(weights.directory, port), "--dtype", "f32"]
        return Command(GUICHET, argv, "/readyz", self._guichet_env(1024))

    def _guichet(self, cell: Cell, weights: Weights, port: int) -> Command:
        argv = self._guichet_argv(weights.directory, port)
        if not cell.precision.is_native:
            argv += ["--quantize", cell.precision.quantize]
        return Command(GUICHET, argv, "/readyz", self._guichet_env(512))

    def _guichet_argv(self, directory: Path, port: int) -> list:
        argv = [self.guichet.binary, "serve", "--model", directory, "--model-id", MODEL_ID]
        return [*argv, "--listen", f"127.0.0.1:{port}", "--max-model-len", "2048"]

    def _guichet_env(self, kv_cache_mib: int) -> dict[str, str]:
        return {
            "GUICHET_ENGINE__NUM_THREADS": str(self.threads),
            "GUICHET_ENGINE__KV_CACHE_MIB": str(kv_cache_mib),
            "GUICHET_ENGINE__PREFIX_CACHE": "off",
            "GUICHET_SERVER__STATE_DIR": str(self.places.peers / "state"),
        }

    def _llama_cpp(self, cell: Cell, weights: Weights, port: int) -> Command:
        argv = [self.peers.llama_cpp("llama-server"), "--host", "127.0.0.1", "--port", port, "-t", self.threads]
        argv += ["-np", MAX_STREAMS, "-c", KV_TOKENS, "--cache-ram", 0, "--no-webui", "--alias", MODEL_ID]
        return Command(LLAMA_CPP, [*argv, "-m", weights.gguf[cell.precision.name]], "/health")

    def _vllm(self, _cell: Cell, weights: Weights, port: int) -> Command:
        argv = [self.peers.vllm, "serve", weights.directory, "--host", "127.0.0.1", "--port", port]
        argv += ["--dtype", "bfloat16", "--max-model-len", 2048, "--max-num-seqs", MAX_STREAMS]
        argv += ["--served-model-name", MODEL_ID, "--no-enable-prefix-caching"]
        env = {
            "VLLM_CPU_KVCACHE_SPACE": "2",
            "VLLM_CPU_OMP_THREADS_BIND": f"0-{self.threads - 1}",
            "OMP_NUM_THREADS": str(self.threads),
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "LD_PRELOAD": self.peers.vllm_preloads(),
        }
        return Command(VLLM, argv, "/health", env)

    @contextmanager
    def running(self, command: Command, port: int):
        """The server while it is ready; afterwards it has ended."""
        log = self.places.log(f"serve-{command.subject}")
        started = time.monotonic()
        with log.open("w") as said:
            process = subprocess.Popen(
                [str(part) for part in command.argv],
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                env=os.environ | command.env,
                start_new_session=True,
            )
        try:
            _wait_until_ready(process, command, port, log)
            yield Server(command.subject, port, process.pid, time.monotonic() - started)
        finally:
            processes.stop(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(process: subprocess.Popen, command: Command, port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failed(f"{command.subject} ended with status {process.returncode} before it was ready; see {log}")
        if _is_ready(port, command.ready_path):
            return
        time.sleep(0.02)
    raise Failed(f"{command.subject} was not ready within {READY_TIMEOUT_S} s; see {log}")


def _is_ready(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
