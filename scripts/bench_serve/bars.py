"""What has to be reached: ratios of medians of one run, per model, measure and precision."""

from dataclasses import dataclass

from .offline import ROOFLINE
from .plan import GUICHET, LLAMA_CPP, PEERS, TRANSFORMERS, VLLM
from .records import Records

# The fastest of all peers that were measured.
BEST = "best peer"
# As near to what the machine can do as this passes, whatever the peers do.
ROOFLINE_SHARE = 0.8


@dataclass(frozen=True)
class Bar:
    model: str
    measure: str
    precision: str
    peer: str
    factor: float

    def is_time(self) -> bool:
        return is_time(self.measure)

    def text(self) -> str:
        return f"{'≤' if self.is_time() else '≥'} {self.factor:g}× {self.peer}"


def _row(model: str, measure: str, bf16: dict[str, float], int8: float, int4: float) -> list[Bar]:
    return [
        *(Bar(model, measure, "bf16", peer, factor) for peer, factor in bf16.items()),
        Bar(model, measure, "int8", LLAMA_CPP, int8),
        Bar(model, measure, "int4", LLAMA_CPP, int4),
    ]


BARS = [
    *_row("l1b", "prefill.512", {LLAMA_CPP: 1.3, TRANSFORMERS: 1.05}, 3.0, 1.5),
    *_row("smollm2", "prefill.2048", {LLAMA_CPP: 1.8}, 2.5, 2.0),
    *_row("l1b", "decode.1", {LLAMA_CPP: 1.05}, 1.3, 1.3),
    *_row("smollm2", "decode.1", {LLAMA_CPP: 1.2}, 1.6, 1.2),
    *_row("l1b", "decode.16", {LLAMA_CPP: 1.5}, 2.0, 1.6),
    *_row("smollm2", "http.16.tok_s", {LLAMA_CPP: 2.0, VLLM: 1.4}, 3.0, 2.5),
    *_row("smollm2", "http.32.tok_s", {LLAMA_CPP: 2.0, VLLM: 1.3}, 3.0, 2.5),
    *_row("smollm2", "http.16.ttft_p50", {VLLM: 0.75}, 0.4, 0.6),
    *_row("l1b", "http.16.tok_s", {LLAMA_CPP: 1.3, VLLM: 1.1}, 3.0, 1.7),
    *_row("smollm2", "http.1.tok_s", {BEST: 1.25}, 1.6, 1.3),
]


def is_time(measure: str) -> bool:
    """Whether less is better."""
    return any(part in measure for part in ("ttft", "itl", "ready", "resident", "cpu"))


def best_peer(records: Records, model: str, precision: str, measure: str) -> tuple[str, float] | None:
    """The peer to beat and its median; one whose outputs differ is none."""
    found = [
        (peer, value)
        for peer in PEERS
        if not records.differs(model, precision, peer)
        and (value := records.median(model, precision, peer, measure)) is not None
    ]
    if not found:
        return None
    return (min if is_time(measure) else max)(found, key=lambda pair: pair[1])


def judge(bar: Bar, records: Records) -> dict:
    """A bar with its ratio and `passed`, which is none where a side was not measured."""
    judged = {"bar": bar.text(), "model": bar.model, "precision": bar.precision, "measure": bar.measure}
    ours = records.median(bar.model, bar.precision, GUICHET, bar.measure)
    if bar.peer == BEST:
        peer, theirs = best_peer(records, bar.model, bar.precision, bar.measure) or (None, None)
    else:
        peer, theirs = bar.peer, records.median(bar.model, bar.precision, bar.peer, bar.measure)
    if ours is None or theirs is None:
        return judged | {"ratio": None, "passed": None, "why": "not measured"}
    judged |= {"ratio": ours / theirs, "peer": peer}
    if records.differs(bar.model, bar.precision, GUICHET):
        return judged | {"passed": False, "why": "our outputs differ"}
    if records.differs(bar.model, bar.precision, peer):
        return judged | {"passed": None, "why": f"the outputs of {peer} differ"}
    reached = ours <= bar.factor * theirs if bar.is_time() else ours >= bar.factor * theirs
    roofline = records.median(bar.model, bar.precision, GUICHET, f"{ROOFLINE}.{bar.measure}")
    if not reached and roofline is not None and ours >= ROOFLINE_SHARE * roofline:
        return judged | {"passed": True, "why": f"{ours / roofline:.0%} of the roofline"}
    return judged | {"passed": reached, "why": ""}


def judge_all(records: Records) -> list[dict]:
    about = records.about
    asked = [bar for bar in BARS if bar.model in about["models"] and bar.precision in about["precisions"]]
    return [judge(bar, records) for bar in asked]
