"""Guichet while a stage asks it."""

from contextlib import contextmanager
from pathlib import Path

from bench_serve.places import Places
from bench_serve.servers import Command, Servers, free_port

from .job import Job, Skipped

MODEL_ID = "gpu-check"
RANDOM_WEIGHTS = "random:1"


@contextmanager
def serving(
    job: Job,
    directory: Path,
    label: str,
    *,
    deterministic: bool,
    max_model_len: int,
    is_random: bool = False,
    env: dict[str, str] | None = None,
):
    """The port of a server that is ready. `is_random`: the directory has no weights."""
    if job.guichet is None:
        raise Skipped("no --guichet was given")
    port = free_port()
    argv = [job.guichet, "serve", "--model", directory, "--model-id", MODEL_ID]
    argv += ["--listen", f"127.0.0.1:{port}", "--max-model-len", max_model_len]
    environment = environ(job, deterministic, is_random) | job.env | (env or {})
    # Of the bench's servers only what starts one is used, which knows no peers.
    servers = Servers(Places(job.out), guichet=None, peers=None, threads=0)
    with servers.running(Command(label, argv, "/readyz", environment), port) as server:
        print(f"   {label}: ready in {server.ready_s:.1f} s", flush=True)
        yield port


def environ(job: Job, deterministic: bool, is_random: bool) -> dict[str, str]:
    found = {
        "GUICHET_SERVER__STATE_DIR": str(job.work / "state"),
        # Every answer is wanted, however long the queue.
        "GUICHET_ENGINE__MAX_QUEUE_MS": "600000",
        # Nobody waits for what is still computed when a stage has ended.
        "GUICHET_SERVER__SHUTDOWN_TIMEOUT_MS": "1000",
    }
    if job.is_try:
        return found
    found |= {"GUICHET_MODEL__DEVICE": job.device(), "GUICHET_MODEL__DETERMINISTIC": str(deterministic).lower()}
    return found | ({"GUICHET_MODEL__WEIGHTS": RANDOM_WEIGHTS} if is_random else {})
