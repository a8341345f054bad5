"""Stage `torch`: the same figures of `generate` of transformers, with random weights of its own."""

import time

from . import checkpoints, reference
from .job import Findings, Job, need_torch
from .speed import CONTEXT, CONTEXT_ALONE, LONG, STREAMS

ALONE_TOKENS = 64
STREAMS_TOKENS = 32


def run(job: Job, found: Findings) -> None:
    need_torch(job)
    import torch

    shape = job.shapes()[0]
    checkpoints.write_directory(job.work / f"{shape.name}-torch", shape)
    with torch.no_grad():
        model = reference.build(job.work / f"{shape.name}-torch", job.device())
        # It stops nowhere.
        model.generation_config.eos_token_id = None
        model.generation_config.pad_token_id = 0
        long, streams = (256, 4) if job.is_try else (LONG, STREAMS)
        for name, measure in (
            ("decode.1", lambda: _decode(model, 1, CONTEXT_ALONE, ALONE_TOKENS)),
            (f"prefill.{CONTEXT}", lambda: _prefill(model, CONTEXT)),
            (f"prefill.{LONG}", lambda: _prefill(model, long)),
            (f"decode.{STREAMS}", lambda: _decode(model, streams, CONTEXT, STREAMS_TOKENS)),
        ):
            found.add(name, {"tok_s": measure()})
            print(f"   {name}: {found.figures[name]['tok_s']:.1f} tok/s", flush=True)


def _ids(model, rows: int, length: int):
    import torch

    generator = torch.Generator().manual_seed(0)
    return torch.randint(300, model.config.vocab_size, (rows, length), generator=generator).to(model.device)


def _decode(model, rows: int, context: int, tokens: int) -> float:
    """What tokens after the first take, so that the prompt is not counted."""
    ids = _ids(model, rows, context)
    _seconds(model, lambda: _generate(model, ids, 2))
    first = _seconds(model, lambda: _generate(model, ids, 1))
    return rows * tokens / (_seconds(model, lambda: _generate(model, ids, 1 + tokens)) - first)


def _generate(model, ids, tokens: int) -> None:
    import torch

    model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False)


def _prefill(model, tokens: int) -> float:
    ids = _ids(model, 1, tokens)
    times = [_seconds(model, lambda: model(ids, logits_to_keep=1, use_cache=True)) for _ in range(4)]
    # The first one warms up.
    return tokens / sorted(times[1:])[1]


def _seconds(model, call) -> float:
    import torch

    wait = torch.cuda.synchronize if model.device.type == "cuda" else lambda: None
    wait()
    started = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - started
