"""Asking a server for completions, one at a time or many at once, and what it says in token ids and
log-probabilities."""

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench_serve.places import Failed
from bench_serve.vocabulary import Vocabulary

from .server import MODEL_ID

TIMEOUT_S = 120


@dataclass(frozen=True)
class Said:
    """Numbers as JSON has them, which tells each f32 from every other."""

    tokens: tuple[int | None, ...]
    logprobs: tuple[float, ...]

    @classmethod
    def of(cls, tokens: list[str], logprobs: list[float], vocabulary: Vocabulary) -> "Said":
        return cls(tuple(vocabulary.id(token) for token in tokens), tuple(logprobs))


class Client:
    def __init__(self, port: int, directory: Path):
        self.port = port
        self.vocabulary = Vocabulary(directory / "tokenizer.json")

    def scores(self, ids: list[int]) -> list[float]:
        """The log-probability of each token of a prompt but the first, which follows nothing."""
        said = self._ask(ids, 0, echo=True)["choices"][0]["logprobs"]["token_logprobs"]
        if len(said) != len(ids):
            raise Failed(f"{len(said)} tokens were scored of a prompt of {len(ids)}")
        return said[1:]

    def greedy(self, ids: list[int], num_tokens: int) -> Said:
        said = self._ask(ids, num_tokens)["choices"][0]["logprobs"]
        return Said.of(said["tokens"], said["token_logprobs"], self.vocabulary)

    def streamed(self, ids: list[int], num_tokens: int) -> Said:
        content = self._post(_body(ids, num_tokens, stream=True))
        tokens, logprobs = [], []
        for line in content.decode().splitlines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line.removeprefix("data: "))
            if "error" in event:
                raise Failed(f"a stream ended with {event['error']}")
            for choice in event["choices"]:
                if choice["logprobs"]:
                    tokens += choice["logprobs"]["tokens"]
                    logprobs += choice["logprobs"]["token_logprobs"]
        return Said.of(tokens, logprobs, self.vocabulary)

    def counter(self, name: str) -> int:
        """A counter of `/metrics`, over all models; 0 where there is none."""
        lines = _exchange(self.port, "GET", "/metrics", None).decode()
        return sum(int(float(value)) for value in re.findall(rf"^{name}_total(?:{{.*}})? (\S+)", lines, re.MULTILINE))

    def _ask(self, ids: list[int], num_tokens: int, **more) -> dict:
        return json.loads(self._post(_body(ids, num_tokens, **more)))

    def _post(self, body: dict) -> bytes:
        return _exchange(self.port, "POST", "/v1/completions", json.dumps(body))


def at_once(ask, prompts: list[list[int]]) -> list:
    """The answers in the order of the prompts, all of which wait at the same time."""
    with ThreadPoolExecutor(max_workers=len(prompts)) as threads:
        return list(threads.map(ask, prompts))


def _body(ids: list[int], num_tokens: int, **more) -> dict:
    body = {"model": MODEL_ID, "prompt": ids, "max_tokens": num_tokens, "temperature": 0, "logprobs": 0}
    return body | {"ignore_eos": True} | more


def _exchange(port: int, method: str, path: str, body: str | None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"{path}: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise Failed(f"{path} answered {answer.status}: {content[:300].decode(errors='replace')}")
    return content
