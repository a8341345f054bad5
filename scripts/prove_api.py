"""Runs schemathesis against a server of tiny random models.

    prove_api.py GUICHET

This file is also the hooks of that run: schemathesis reads it. What it does to a request is to name
models, responses and files that there are, and to ask for few tokens.
"""

import argparse
import atexit
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter, defaultdict
from pathlib import Path

import schemathesis

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "contract"))

import servers  # noqa: E402

FIXTURES = ROOT / "tests" / "fixtures"
GENERATOR, EMBEDDER, RERANKER = "tiny-llama", "tiny-bert", "tiny-xlm-roberta"
MODELS = {"/v1/embeddings": EMBEDDER, "/v1/rerank": RERANKER, "/rerank": RERANKER}
MAX_TOKENS = 8
# Of the embedding model.
DIMENSIONS = 48
# First each property at its bounds and beyond, and requests of both kinds; then good ones alone, four
# times as many, since a server that refuses everything breaks no schema. Of each operation:
EXAMPLES = 150
RUNS = [("coverage,fuzzing", "all", 1), ("fuzzing", "positive", 4)]
LEAST, LEAST_SHARE = 10_000, 0.30
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]

statuses = Counter()
stored: list[str] = []
files: list[str] = []
num_paths = 0


@schemathesis.hook
def before_call(context, case, kwargs):
    """Names what there is, and asks for few tokens; all else of a request stays as it was made."""
    body, path = case.body, case.operation.path
    name_files(body)
    if not isinstance(body, dict) or not isinstance(body.get("model", ""), str):
        return
    if "model" in body:
        body["model"] = MODELS.get(path, GENERATOR)
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "min_tokens"):
        if isinstance(body.get(name), int) and body[name] > MAX_TOKENS:
            body[name] = MAX_TOKENS
    if path == "/v1/chat/completions" and "messages" in body:
        body.setdefault("max_completion_tokens", MAX_TOKENS)
    if path == "/v1/responses" and "input" in body:
        body.setdefault("max_output_tokens", MAX_TOKENS)
        if isinstance(body.get("previous_response_id"), str) and stored:
            body["previous_response_id"] = stored[-1]
    if path == "/v1/embeddings":
        if isinstance(body.get("dimensions"), int):
            body["dimensions"] = DIMENSIONS
        # This model has no prompts.
        if isinstance(body.get("input_type"), str):
            del body["input_type"]


def name_files(body: object) -> None:
    """Each `file_id` in it names a file that there is, and no other file is sent beside it."""
    if isinstance(body, dict):
        if isinstance(body.get("file_id"), str):
            body["file_id"] = os.environ["PROVE_API_FILE"]
            body.pop("file_data", None)
        for value in body.values():
            name_files(value)
    elif isinstance(body, list):
        for value in body:
            name_files(value)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Every other path names something that there is."""
    global num_paths
    num_paths += 1
    path = context.operation.path
    if num_paths % 2 and path.startswith("/v1/models/"):
        return path_parameters | {"id": GENERATOR}
    if num_paths % 2 and path.startswith("/v1/responses/") and stored:
        return path_parameters | {"id": stored[num_paths % len(stored)]}
    if num_paths % 2 and path.startswith("/v1/files/") and files:
        return path_parameters | {"id": files[num_paths % len(files)]}
    return path_parameters


@schemathesis.hook
def after_call(context, case, response):
    statuses[f"{case.method} {case.operation.path} {response.status_code}"] += 1
    if case.operation.path == "/v1/responses" and response.status_code == 200:
        # A stream has none at its beginning.
        if found := re.match(rb'{"id":"(resp_\w+)"', response.content):
            stored.append(found[1].decode())
    if case.method == "POST" and case.operation.path == "/v1/files" and response.status_code == 200:
        files.append(json.loads(response.content)["id"])


def keep_letter(url: str, key: str) -> str:
    """The id of a file that requests may name, and nobody deletes."""
    parts = [('name="purpose"', "user_data"), ('name="file"; filename="letter.txt"', "Objet : demande")]
    body = "".join(f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n" for head, text in parts) + "--b--\r\n"
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=b"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/files", body.encode(), headers)) as answer:
        return json.load(answer)["id"]


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
        run += ["--seed", str(options.seed), "--checks", ",".join(CHECKS), "--continue-on-failure", "--no-color"]
        environment = os.environ | {
            "PYTHONPATH": str(Path(__file__).parent),
            "SCHEMATHESIS_HOOKS": "prove_api",
            "PROVE_API_STATUSES": str(counts),
            "PROVE_API_FILE": keep_letter(url, place["CONTRACT_KEY"]),
        }
        cli, failed, answered = Path(sys.executable).parent / "schemathesis", 0, Counter()
        for phases, mode, times in RUNS:
            more = ["--phases", phases, "--mode", mode, "--max-examples", str(options.examples * times)]
            failed |= subprocess.run([cli, *run, *more], env=environment, cwd=scratch).returncode
            answered.update(json.loads(counts.read_text()))
        is_alive = servers.answers(f"{url}/readyz")
        return report(answered, failed, is_alive, options.examples >= EXAMPLES)


def report(counts: Counter, failed: int, is_alive: bool, is_whole: bool) -> int:
    by_status, by_operation = Counter(), defaultdict(Counter)
    for what, count in counts.items():
        operation, status = what.rsplit(" ", 1)
        by_status[status] += count
        by_operation[operation][status] += count
    for operation, answers in sorted(by_operation.items()):
        print(f"  {operation}: {dict(sorted(answers.items()))}")
    total = by_status.total()
    good = sum(count for status, count in by_status.items() if status.startswith("2"))
    faults = sum(count for status, count in by_status.items() if status.startswith("5"))
    print(f"{total} requests, by status: {dict(sorted(by_status.items()))}")
    print(f"{good / total:.1%} succeeded, {faults} were answered with 5xx; the server is {'alive' if is_alive else 'DEAD'}")
    is_enough = not is_whole or total >= LEAST
    return int(failed != 0 or not is_alive or faults > 0 or good / total < LEAST_SHARE or not is_enough)


if __name__ == "__main__":
    sys.exit(main())
