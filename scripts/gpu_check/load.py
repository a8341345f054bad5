"""Load over HTTP from several processes: streams that ask one request after the other (closed), or
requests that come when they come, however the server does (open). No JSON is read: a thousand
events in a second must cost next to nothing, or the clock on them tells of the load and not of the
server."""

import gc
import multiprocessing
import random
import selectors
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from bench_serve import sse
from bench_serve.traffic import SILENCE_S, Answer, request

from .prompts import random_ids
from .server import MODEL_ID

# From the call until all processes are there.
START_S = 2.0


@dataclass(frozen=True)
class Sizes:
    prompt_tokens: int
    output_tokens: int
    vocab: int


@dataclass(frozen=True)
class Request:
    due: float
    content: bytes


@dataclass
class Load:
    """What one process has seen."""

    answers: list[Answer] = field(default_factory=list)
    # How late requests were sent, and how busy the process was: the clock's own errors.
    late_s: list[float] = field(default_factory=list)
    busy: float = 0.0


class _Stream:
    """One request under way."""

    def __init__(self, port: int, asked: Request):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.events = sse.EventStream()
        # Whoever waits to be sent waits, too.
        self.answer = Answer(sent=asked.due)
        self.socket.sendall(asked.content)
        self.socket.setblocking(False)

    def is_finished_after_reading(self, now: float) -> bool:
        answer = self.answer
        try:
            data = self.socket.recv(65_536)
        except BlockingIOError:
            return False
        except OSError as error:
            data, answer.error = b"", str(error)
        for event in self.events.feed(data):
            if sse.has_text(event):
                answer.texts.append(now)
            elif counts := sse.usage(event):
                answer.tokens = counts.get("completion_tokens", 0)
                answer.prompt_tokens = counts.get("prompt_tokens", 0)
            elif sse.is_error(event):
                answer.error = event[:300].decode(errors="replace")
        if data and not self.events.is_done:
            return False
        answer.ended = now
        if not self.events.is_done and answer.error is None:
            said = self.events.body[:300].decode(errors="replace")
            answer.error = f"status {self.events.status}, and no end of the stream: {said}"
        return True


def drive(port: int, requests: Iterator[Request], at_once: int | None = None) -> Load:
    """Sends each request when it is due, or as soon after as fewer than `at_once` are under way, and
    reads until all are answered."""
    load, selector = Load(), selectors.DefaultSelector()
    began, cpu = time.perf_counter(), time.process_time()
    following = None

    def send_what_is_due() -> float | None:
        """Seconds until the next is due; none: when it is depends on an answer, or there is none."""
        nonlocal following
        while at_once is None or len(selector.get_map()) < at_once:
            following = following or next(requests, None)
            if following is None:
                return None
            if (wait := following.due - time.perf_counter()) > 0:
                return wait
            stream = _Stream(port, following)
            load.late_s.append(time.perf_counter() - following.due)
            selector.register(stream.socket, selectors.EVENT_READ, stream)
            following = None
        return None

    gc.disable()
    try:
        while (wait := send_what_is_due()) is not None or selector.get_map():
            ready = selector.select(SILENCE_S if wait is None else wait)
            if not ready and wait is None:
                raise TimeoutError(f"no byte from the server in {SILENCE_S} s")
            # All of them have come by now; that they are read one after the other is our doing.
            now = time.perf_counter()
            for key, _ in ready:
                if key.data.is_finished_after_reading(now):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    load.answers.append(key.data.answer)
    finally:
        for key in list(selector.get_map().values()):
            key.fileobj.close()
        selector.close()
        gc.enable()
    load.busy = (time.process_time() - cpu) / (time.perf_counter() - began)
    return load


def closed(port: int, sizes: Sizes, streams: int, seconds: float, num_processes: int) -> tuple[list[Load], float, float]:
    """So many streams for so long. Returns what the processes saw, and when it began and ended."""
    num_processes = min(num_processes, streams)
    start = time.perf_counter() + START_S
    shares = [len(range(index, streams, num_processes)) for index in range(num_processes)]
    calls = [(port, sizes, share, index, start, start + seconds) for index, share in enumerate(shares)]
    return _in_processes(_drive_closed, calls), start, start + seconds


def opened(port: int, sizes: Sizes, rate: float, seconds: float, num_processes: int) -> tuple[list[Load], float, float]:
    """Requests at a rate per second, each independent of all others. Poisson processes add up to one."""
    start = time.perf_counter() + START_S
    calls = [(port, sizes, rate / num_processes, index, start, start + seconds) for index in range(num_processes)]
    return _in_processes(_drive_opened, calls), start, start + seconds


def _in_processes(function, calls: list[tuple]) -> list[Load]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(calls), mp_context=context) as pool:
        return [future.result() for future in [pool.submit(function, *call) for call in calls]]


def _drive_closed(port: int, sizes: Sizes, streams: int, index: int, start: float, end: float) -> Load:
    return drive(port, _one_after_another(sizes, streams, index, start, end), at_once=streams)


def _one_after_another(sizes: Sizes, streams: int, index: int, start: float, end: float) -> Iterator[Request]:
    """The first of each stream is cut at random, so that not all end at the same time for ever."""
    draw, number = random.Random(index), 0
    while (now := max(start, time.perf_counter())) < end:
        tokens = draw.randint(1, sizes.output_tokens) if number < streams else sizes.output_tokens
        yield Request(now, content(sizes, f"closed {index} {number}", tokens))
        number += 1


def _drive_opened(port: int, sizes: Sizes, rate: float, index: int, start: float, end: float) -> Load:
    return drive(port, arrivals(sizes, rate, index, start, end))


def arrivals(sizes: Sizes, rate: float, index: int, start: float, end: float) -> Iterator[Request]:
    draw, due, number = random.Random(f"arrivals {index}"), start, 0
    while (due := due + draw.expovariate(rate)) < end:
        yield Request(due, content(sizes, f"open {index} {number}", sizes.output_tokens))
        number += 1


def content(sizes: Sizes, label: str, tokens: int) -> bytes:
    # The port is only the name of a host.
    return request(80, MODEL_ID, random_ids(label, sizes.prompt_tokens, sizes.vocab), tokens)
