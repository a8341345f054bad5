"""Stage `serve`: how even the streams are that a server gives under an ordinary load, which is 70 % of
what it can do at most."""

import statistics
import time

from bench_serve.places import Failed
from bench_serve.traffic import Answer, percentile

from . import checkpoints, load
from .job import Findings, Job
from .server import serving

MAX_MODEL_LEN = 4096
STREAMS = 64
LOAD_PART = 0.7
PROMPT_TOKENS, OUTPUT_TOKENS = 512, 128
# Of one request alone, for the time to its first token.
ALONE_TOKENS, ALONE_REQUESTS = 1024, 9
# Until as many are under way as will be.
RAMP_S = 5.0


def run(job: Job, found: Findings) -> None:
    shape = job.shapes()[0]
    directory = job.full(shape)
    if not job.is_try:
        checkpoints.write_directory(directory, shape)
    ramp = min(RAMP_S, job.capacity_seconds / 3)
    sizes = load.Sizes(PROMPT_TOKENS, OUTPUT_TOKENS, shape.vocab)
    options = {"deterministic": True, "max_model_len": MAX_MODEL_LEN, "is_random": True}
    with serving(job, directory, "serve", **options) as port:
        found.add("alone", _alone(port, shape.vocab))
        loads, start, end = load.closed(port, sizes, STREAMS, job.capacity_seconds, job.load_processes)
        capacity = rate([answer for one in loads for answer in one.answers], start + ramp, end)
        found.add("capacity", {"tok_s": capacity} | _clock(loads))
        print(f"   {STREAMS} streams: {capacity:.0f} tok/s", flush=True)
        wanted = LOAD_PART * capacity / OUTPUT_TOKENS
        loads, start, end = load.opened(port, sizes, wanted, job.serve_seconds, job.load_processes)
        answers = [answer for one in loads for answer in one.answers]
        found.add("open", {"requests_s": wanted} | figures(answers, start + ramp) | _clock(loads))
        print(f"   open loop: {found.figures['open']}", flush=True)


def _alone(port: int, vocab: int) -> dict:
    sizes = load.Sizes(ALONE_TOKENS, 4, vocab)
    contents = [load.content(sizes, f"alone {index}", sizes.output_tokens) for index in range(ALONE_REQUESTS)]
    # Each is due as soon as the one before is answered.
    asked = (load.Request(time.perf_counter(), content) for content in contents)
    answers = load.drive(port, asked, at_once=1).answers
    fail_on_errors(answers)
    # The first one warms up.
    first = [answer.time_to_first_token() for answer in answers[1:]]
    return {"ttft_p50": statistics.median(first), "ttft_max": max(first), "prompt_tokens": ALONE_TOKENS}


def rate(answers: list[Answer], start: float, end: float) -> float:
    """Tokens per second between two times, both within the load."""
    fail_on_errors(answers)
    return sum(start <= text < end for answer in answers for text in answer.texts) / (end - start)


def figures(answers: list[Answer], start: float) -> dict:
    """Of all requests that came after `start`."""
    counted = [answer for answer in answers if answer.sent >= start]
    good = [answer for answer in counted if answer.error is None and answer.texts]
    gaps = [after - before for answer in good for before, after in zip(answer.texts, answer.texts[1:])]
    errors = [answer.error for answer in counted if answer.error is not None]
    if not gaps:
        raise Failed(f"no request was answered with more than one token; {errors[:1]}")
    first = [answer.time_to_first_token() for answer in good]
    lasted = max(answer.ended for answer in good) - start
    itl_p50, itl_p99 = percentile(gaps, 50), percentile(gaps, 99)
    return {
        "requests": len(counted),
        "errors": len(errors),
        "error": errors[0] if errors else None,
        "tok_s": sum(answer.tokens for answer in good) / lasted,
        # Less than 1: some tokens came together, and the gaps between them were not seen.
        "texts_per_token": sum(len(answer.texts) for answer in good) / max(1, sum(answer.tokens for answer in good)),
        "itl_p50": itl_p50,
        "itl_p90": percentile(gaps, 90),
        "itl_p99": itl_p99,
        "itl_p999": percentile(gaps, 99.9),
        "itl_max": max(gaps),
        "itl_p99_ratio": itl_p99 / itl_p50,
        "ttft_p50": percentile(first, 50),
        "ttft_p99": percentile(first, 99),
    }


def fail_on_errors(answers: list[Answer]) -> None:
    for answer in answers:
        if answer.error is not None:
            raise Failed(answer.error)


def _clock(loads: list[load.Load]) -> dict:
    late = [seconds for one in loads for seconds in one.late_s]
    return {"client_late_p99": percentile(late, 99), "client_busy": max(one.busy for one in loads)}
