"""Load over HTTP: streams that ask one request after the other, and the clock on what comes
back. One thread, one selector, no JSON: the load shares the cores with the server, so it tells
what it took of them."""

import gc
import json
import math
import random
import selectors
import socket
import statistics
import time
from dataclasses import dataclass, field

from . import sse
from .plan import Sizes

# Ids of ordinary tokens in SmolLM2's vocabulary: control tokens stand before them.
ORDINARY_IDS = range(300, 49_000)
# A server that is silent for so long has hung.
SILENCE_S = 300


@dataclass
class Answer:
    sent: float
    # When each piece of text came.
    texts: list[float] = field(default_factory=list)
    ended: float = 0.0
    prompt_tokens: int = 0
    tokens: int = 0
    error: str | None = None

    def time_to_first_token(self) -> float:
        """Random weights may say control tokens only, which have no text."""
        return (self.texts[0] if self.texts else self.ended) - self.sent


def prompt(label: str, length: int) -> list[int]:
    """Token ids drawn by the label: the same for every server, and no two labels share a prefix."""
    draw = random.Random(f"guichet bench {label}")
    return [draw.choice(ORDINARY_IDS) for _ in range(length)]


def request(port: int, model: str, ids: list[int], max_tokens: int) -> bytes:
    body = {
        "model": model,
        "prompt": ids,
        "max_tokens": max_tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    content = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


class _Stream:
    """One client with one request under way."""

    def __init__(self, port: int, content: bytes):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.events = sse.EventStream()
        self.answer = Answer(sent=time.perf_counter())
        self.socket.sendall(content)
        self.socket.setblocking(False)

    def is_finished_after_reading(self) -> bool:
        try:
            data = self.socket.recv(65_536)
        except BlockingIOError:
            return False
        except OSError as error:
            data, self.answer.error = b"", str(error)
        now = time.perf_counter()
        for event in self.events.feed(data):
            if sse.has_text(event):
                self.answer.texts.append(now)
            if counts := sse.usage(event):
                self.answer.tokens = counts.get("completion_tokens", 0)
                self.answer.prompt_tokens = counts.get("prompt_tokens", 0)
            if sse.is_error(event):
                self.answer.error = event[:300].decode(errors="replace")
        if data and not self.events.is_done:
            return False
        self.answer.ended = now
        if not self.events.is_done and self.answer.error is None:
            said = self.events.body[:300].decode(errors="replace")
            self.answer.error = f"status {self.events.status}, and no end of the stream: {said}"
        return True


def drive(port: int, contents: list[bytes], streams: int) -> tuple[list[Answer], float]:
    """Keeps so many requests under way until all are answered. Returns the answers and the
    CPU seconds that asking took."""
    answers: list[Answer] = []
    waiting = iter(contents)
    selector = selectors.DefaultSelector()

    def begin() -> None:
        if (content := next(waiting, None)) is not None:
            stream = _Stream(port, content)
            selector.register(stream.socket, selectors.EVENT_READ, stream)

    gc.disable()
    cpu = time.process_time()
    try:
        for _ in range(streams):
            begin()
        while selector.get_map():
            ready = selector.select(SILENCE_S)
            if not ready:
                raise TimeoutError(f"no byte from the server in {SILENCE_S} s")
            for key, _ in ready:
                if key.data.is_finished_after_reading():
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    answers.append(key.data.answer)
                    begin()
    finally:
        for key in list(selector.get_map().values()):
            key.fileobj.close()
        selector.close()
        gc.enable()
    return answers, time.process_time() - cpu


def measure(port: int, model: str, sizes: Sizes, streams: int) -> tuple[dict[str, float], dict]:
    """The figures of one level of load, and what lies below them."""
    warm_up = [f"warm-up {streams} {index}" for index in range(min(streams, 4))]
    drive(port, [request(port, model, prompt(label, sizes.prompt_tokens), 4) for label in warm_up], streams)
    labels = [f"load {streams} {index}" for index in range(sizes.num_requests(streams))]
    contents = [request(port, model, prompt(label, sizes.prompt_tokens), sizes.output_tokens) for label in labels]
    answers, cpu = drive(port, contents, streams)
    check(answers, sizes)
    return figures(answers, streams) | {f"http.{streams}.client_cpu_s": cpu}, {
        "streams": streams,
        "prompt_tokens": sorted({answer.prompt_tokens for answer in answers}),
        "output_tokens": sum(answer.tokens for answer in answers),
        "ttft_s": [round(answer.time_to_first_token(), 4) for answer in answers],
    }


def check(answers: list[Answer], sizes: Sizes) -> None:
    """A figure counts only if each request was answered in full."""
    for answer in answers:
        if answer.error is not None:
            raise RuntimeError(answer.error)
        if answer.tokens != sizes.output_tokens:
            raise RuntimeError(f"{answer.tokens} tokens came and not {sizes.output_tokens}")
        if answer.prompt_tokens != sizes.prompt_tokens:
            raise RuntimeError(f"the prompt counts {answer.prompt_tokens} tokens and not {sizes.prompt_tokens}")


def figures(answers: list[Answer], streams: int) -> dict[str, float]:
    took = max(answer.ended for answer in answers) - min(answer.sent for answer in answers)
    first = [answer.time_to_first_token() for answer in answers]
    gaps = [after - before for answer in answers for before, after in zip(answer.texts, answer.texts[1:])]
    found = {
        "tok_s": sum(answer.tokens for answer in answers) / took,
        "ttft_p50": statistics.median(first),
        "ttft_p99": percentile(first, 99),
    }
    if gaps:
        found |= {"itl_p50": statistics.median(gaps), "itl_p99": percentile(gaps, 99)}
    return {f"http.{streams}.{name}": value for name, value in found.items()}


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
