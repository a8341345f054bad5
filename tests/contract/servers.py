"""The processes that the suites ask: the built server, and the scripted model."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60
PLAYER_TEST = "serve_script::a_script_is_played_to_whoever_asks"


@contextmanager
def server(binary: Path, model: Path):
    """The binary with a model, two encoders and an API key; what a suite must know of it.

    It is stopped with SIGTERM and must end with status 0.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        key, config = make_key(binary, Path(scratch))
        command = [binary, "serve", "--model", model, "--listen", "127.0.0.1:0", "--config", config]
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stderr=stderr)
        try:
            url = wait_until_ready(process, log)
            yield {"CONTRACT_URL": url, "CONTRACT_KEY": key, "CONTRACT_MODEL": model.name, "CONTRACT_EMBEDDER": "tiny-bert"}
            process.send_signal(signal.SIGTERM)
            if (status := process.wait(STOP_TIMEOUT_S)) != 0:
                print(log.read_text(), file=sys.stderr)
                raise SystemExit(f"the server ended with status {status} after SIGTERM")
        finally:
            process.kill()


def make_key(binary: Path, scratch: Path) -> tuple[str, Path]:
    """A key, and a configuration that knows its hash and names models beside the first."""
    shown = subprocess.run([binary, "keys", "hash", "--name", "contract"], check=True, capture_output=True, text=True)
    key = re.search(r"gch_\w+", shown.stdout)[0]
    config = scratch / "config.toml"
    models = [f'[[models]]\npath = "{ROOT}/tests/fixtures/{name}"\n' for name in ("tiny-bert", "tiny-xlm-roberta")]
    config.write_text(f'[server]\nstate_dir = "{scratch}"\n' + shown.stdout[shown.stdout.index("[[keys]]") :] + "\n" + "\n".join(models))
    return key, config


def wait_until_ready(process: subprocess.Popen, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        address = re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text())
        if address and answers(f"http://{address[1]}/readyz"):
            return f"http://{address[1]}"
        time.sleep(0.05)
    raise SystemExit(f"the server is not ready\n{log.read_text()}")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


def player() -> Path:
    """The test binary that plays scripts, built if it is not."""
    command = ["cargo", "test", "--locked", "--test", "api", "--no-run", "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    [binary] = [m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "api"]
    return Path(binary)


@contextmanager
def play(binary: Path, script: Path):
    """A model that says what the script tells it to, behind the real API, until the block ends."""
    environment = os.environ | {"GUICHET_TEST_SCRIPT": str(script)}
    command = [binary, "--ignored", "--exact", PLAYER_TEST, "--nocapture"]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        begun = next((line for line in process.stdout if line.startswith("{")), None)
        if begun is None:
            raise SystemExit(f"the script {script} is not played")
        place = json.loads(begun)
        yield {
            "CONTRACT_URL": place["url"],
            "CONTRACT_KEY": place["key"],
            "CONTRACT_MODEL": "scripted",
            "CONTRACT_EMBEDDER": "embedder",
            "CONTRACT_PLAYER": str(binary),
        }
        process.communicate(timeout=STOP_TIMEOUT_S)
        if process.returncode != 0:
            raise SystemExit(f"the player of {script} ended with status {process.returncode}")
    finally:
        process.kill()
