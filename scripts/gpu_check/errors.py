"""How far answers lie from a reference: errors of log-probabilities, and where greedy tokens part."""

import math
import statistics
from dataclasses import asdict, dataclass

from bench_serve.places import Failed
from bench_serve.traffic import percentile


@dataclass(frozen=True)
class Errors:
    mean: float
    p99: float
    largest: float
    count: int

    @classmethod
    def between(cls, found: list[list[float]], reference: list[list[float]]) -> "Errors":
        """Over all positions of all prompts."""
        if [len(one) for one in found] != [len(one) for one in reference]:
            raise Failed("the answers have not as many log-probabilities as the reference")
        apart = [abs(a - b) for one, other in zip(found, reference) for a, b in zip(one, other)]
        if not all(math.isfinite(error) for error in apart):
            raise Failed("some log-probabilities are no numbers")
        return cls(statistics.fmean(apart), percentile(apart, 99), max(apart), len(apart))

    def to_json(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Parting:
    """The first place where an answer says something else than the reference."""

    prompt: int
    position: int
    # By how much the reference preferred its own token; none: the other is not among its best.
    gap: float | None

    def is_near_tie(self, tolerance: float) -> bool:
        return self.gap is not None and self.gap <= tolerance


def partings(found: list[list[int]], reference: list[list[int]], top: list[list[dict[int, float]]]) -> list[Parting]:
    """`top`: at each place of the reference the log-probabilities of its best tokens. After the first
    difference the texts are two, and nothing is to be compared."""
    parted = []
    for prompt, (said, expected) in enumerate(zip(found, reference, strict=True)):
        position = leading(said, expected)
        if position == len(expected):
            continue
        best = top[prompt][position]
        other = best.get(said[position]) if position < len(said) else None
        gap = None if other is None else best[expected[position]] - other
        parted.append(Parting(prompt, position, gap))
    return parted


def leading(said: list[int], expected: list[int]) -> int:
    """How many tokens are equal before the first that is not."""
    for index, (one, other) in enumerate(zip(said, expected)):
        if one != other:
            return index
    return min(len(said), len(expected))


def num_leading(found: list[list[int]], reference: list[list[int]]) -> int:
    return sum(leading(said, expected) for said, expected in zip(found, reference, strict=True))
