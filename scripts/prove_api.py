"""Runs schemathesis against a server of tiny random models.

    prove_api.py GUICHET

This file is also the hooks of that run: schemathesis reads it, and what it does to a request is to
name a model that there is and to ask for few tokens.
"""

import argparse
import atexit
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import schemathesis

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
GENERATOR, EMBEDDER, RERANKER = "tiny-llama", "tiny-bert", "tiny-xlm-roberta"
MODELS = {"/v1/embeddings": EMBEDDER, "/v1/rerank": RERANKER, "/rerank": RERANKER}
MAX_TOKENS = 8
# Of each operation; with those that cover the schema they come to more than LEAST.
EXAMPLES = 500
LEAST, LEAST_SHARE = 10_000, 0.30
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]
START_TIMEOUT_S = 60

statuses = Counter()


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        body["model"] = MODELS.get(context.operation.path, GENERATOR)
        for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "min_tokens"):
            if isinstance(body.get(name), int) and body[name] > MAX_TOKENS:
                body[name] = MAX_TOKENS
        if context.operation.path.startswith(("/v1/chat", "/v1/responses")):
            name = "max_tokens" if "messages" in body else "max_output_tokens"
            body.setdefault(name, MAX_TOKENS)
    return body


@schemathesis.hook
def after_call(context, case, response):
    statuses[response.status_code] += 1


def write_statuses() -> None:
    if path := os.environ.get("PROVE_API_STATUSES"):
        Path(path).write_text(json.dumps(statuses))


atexit.register(write_statuses)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("guichet", type=Path)
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="of each operation")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        config, counts, log = (Path(scratch) / name for name in ("config.toml", "statuses.json", "log"))
        models = "".join(f'[[models]]\npath = "{FIXTURES / name}"\n' for name in (GENERATOR, EMBEDDER, RERANKER))
        config.write_text(f'[server]\nstate_dir = "{scratch}"\n{models}')
        command = [options.guichet, "serve", "--config", config, "--listen", "127.0.0.1:0"]
        with log.open("w") as stderr:
            server = subprocess.Popen(command, stderr=stderr)
        try:
            url = wait_until_ready(server, log)
            run = ["run", f"{url}/openapi.json", "--max-examples", str(options.examples), "--seed", str(options.seed)]
            run += ["--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing", "--continue-on-failure", "--no-color"]
            environment = os.environ | {
                "PYTHONPATH": str(Path(__file__).parent),
                "SCHEMATHESIS_HOOKS": "prove_api",
                "PROVE_API_STATUSES": str(counts),
            }
            cli = Path(sys.executable).parent / "schemathesis"
            failed = subprocess.run([cli, *run], env=environment, cwd=scratch).returncode
            alive = server.poll() is None and is_ready(f"{url}/readyz")
        finally:
            server.terminate()
            server.wait()
        return report(json.loads(counts.read_text()), failed, alive, options.examples >= EXAMPLES)


def report(counts: dict[str, int], failed: int, alive: bool, whole: bool) -> int:
    total = sum(counts.values())
    good = sum(count for status, count in counts.items() if status.startswith("2"))
    faults = sum(count for status, count in counts.items() if status.startswith("5"))
    print(f"{total} requests, by status: {dict(sorted(counts.items()))}")
    print(f"{good / total:.1%} succeeded, {faults} were answered with 5xx; the server is {'alive' if alive else 'DEAD'}")
    is_enough = not whole or total >= LEAST
    return int(failed != 0 or not alive or faults > 0 or good / total < LEAST_SHARE or not is_enough)


def wait_until_ready(server: subprocess.Popen, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        address = re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text())
        if address and is_ready(f"http://{address[1]}/readyz"):
            return f"http://{address[1]}"
        time.sleep(0.05)
    raise SystemExit(f"the server is not ready\n{log.read_text()}")


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except urllib.error.URLError:
        return False


if __name__ == "__main__":
    sys.exit(main())
