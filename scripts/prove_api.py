"""Runs schemathesis against a server of tiny random models.

    prove_api.py GUICHET

This file is also the hooks of that run: schemathesis reads it, and what it does to a request is to
name a model that there is and to ask for few tokens.
"""

import argparse
import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import schemathesis

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "contract"))

import servers  # noqa: E402

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
    with tempfile.TemporaryDirectory() as scratch, servers.server(options.guichet, FIXTURES / GENERATOR) as place:
        url, counts = place["CONTRACT_URL"], Path(scratch) / "statuses.json"
        run = ["run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {place['CONTRACT_KEY']}"]
        run += ["--max-examples", str(options.examples), "--seed", str(options.seed), "--checks", ",".join(CHECKS)]
        run += ["--phases", "coverage,fuzzing", "--continue-on-failure", "--no-color"]
        environment = os.environ | {
            "PYTHONPATH": str(Path(__file__).parent),
            "SCHEMATHESIS_HOOKS": "prove_api",
            "PROVE_API_STATUSES": str(counts),
        }
        cli = Path(sys.executable).parent / "schemathesis"
        failed = subprocess.run([cli, *run], env=environment, cwd=scratch).returncode
        is_alive = servers.answers(f"{url}/readyz")
        return report(json.loads(counts.read_text()), failed, is_alive, options.examples >= EXAMPLES)


def report(counts: dict[str, int], failed: int, is_alive: bool, is_whole: bool) -> int:
    total = sum(counts.values())
    good = sum(count for status, count in counts.items() if status.startswith("2"))
    faults = sum(count for status, count in counts.items() if status.startswith("5"))
    print(f"{total} requests, by status: {dict(sorted(counts.items()))}")
    print(f"{good / total:.1%} succeeded, {faults} were answered with 5xx; the server is {'alive' if is_alive else 'DEAD'}")
    is_enough = not is_whole or total >= LEAST
    return int(failed != 0 or not is_alive or faults > 0 or good / total < LEAST_SHARE or not is_enough)


if __name__ == "__main__":
    sys.exit(main())
