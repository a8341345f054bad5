"""Makes tests/fixtures/sampling.json: with what probability each token must be drawn.

    sampling_reference.py [OUT.json]

Everything is computed in float64 from the definitions, by sorting whole vocabularies. Beside
each case stands the value that the chi-square statistic of `num_draws` draws exceeds once in
a million; a token is a bin of its own where at least five draws are expected, all others are
one bin together, and that one joins the smallest where it still expects fewer than five.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.stats import chi2

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "sampling.json"
NUM_DRAWS = 200_000
P_VALUE = 1e-6
# No cut may be so close that the rounding of float32 decides it.
LEAST_GAP = 1e-5


def main() -> int:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    cases = [finished(**case) for case in all_cases()]
    golden = {
        "about": "made by scripts/sampling_reference.py, which says what is in here",
        "num_draws": NUM_DRAWS,
        "p_value": P_VALUE,
        "cases": cases,
    }
    # A case a line: indented, the numbers would be thousands of lines.
    lines = [json.dumps(case) for case in golden.pop("cases")]
    head = json.dumps(golden)[:-1]
    out.write_text(head + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n")
    print(f"{out.name}: {len(cases)} cases, {out.stat().st_size} bytes")
    return 0


def all_cases():
    rng = np.random.default_rng(20)

    def logits(size: int, spread: float) -> list[float]:
        # Multiples of 1/1024 are the same number in float32, float64 and in decimals.
        return (np.round(rng.normal(0.0, spread, size) * 1024) / 1024).tolist()

    def history(size: int, count: int) -> list[int]:
        # Few tokens, and some of them often.
        return (rng.integers(0, size, count) ** 2 // size).tolist()

    yield dict(name="the model's own distribution", logits=logits(120, 1.5))
    yield dict(name="a low temperature", logits=logits(60, 2.0), temperature=0.4)
    yield dict(name="a high temperature and top-k", logits=logits(200, 2.0), temperature=1.7, top_k=25)
    yield dict(name="top-p", logits=logits(150, 1.5), top_p=0.8)
    yield dict(name="top-p of what top-k leaves", logits=logits(150, 1.5), top_k=30, top_p=0.7)
    yield dict(name="min-p", logits=logits(100, 1.5), temperature=1.3, min_p=0.08)
    yield dict(name="every cut at once", logits=logits(200, 1.8), temperature=1.2, top_k=40, top_p=0.9, min_p=0.2)
    yield dict(
        name="a repetition penalty",
        logits=logits(80, 1.5),
        repetition_penalty=1.4,
        prompt=history(80, 60),
        generated=history(80, 20),
    )
    yield dict(
        name="frequency and presence penalties",
        logits=logits(60, 1.2),
        frequency_penalty=0.3,
        presence_penalty=-0.6,
        temperature=0.9,
        prompt=history(60, 30),
        generated=history(60, 40),
    )
    biased = logits(90, 1.5)
    yield dict(
        name="biases, bans and a constraint",
        logits=biased,
        logit_bias=[[3, 2.5], [17, -4.0], [int(np.argmax(biased)), 100.0], [40, 1.25], [41, -100.0]],
        banned=[int(np.argmax(biased)), 5],
        allowed=[i for i in range(90) if i % 3 != 1 or i == 40],
    )
    yield dict(
        name="equal logits, cut in the order of their ids",
        logits=np.repeat([0.5, 2.0, 1.0, -1.0], 12).tolist(),
        top_k=30,
        top_p=0.9,
    )
    yield dict(
        name="everything at once",
        logits=logits(180, 2.0),
        temperature=0.8,
        top_k=60,
        top_p=0.95,
        min_p=0.02,
        repetition_penalty=0.85,
        frequency_penalty=-0.15,
        presence_penalty=0.5,
        logit_bias=[[0, -3.0], [9, 2.0], [100, 1.5]],
        banned=[4],
        prompt=history(180, 80),
        generated=history(180, 50),
    )


def finished(name: str, logits: list[float], **asked) -> dict:
    probabilities = distribution(np.array(logits), **asked)
    expected, _ = bins(probabilities)
    return {
        "name": name,
        **asked,
        "logits": logits,
        "probabilities": [float(f"{p:.12g}") for p in probabilities],
        "num_bins": len(expected),
        "critical": float(f"{chi2.isf(P_VALUE, len(expected) - 1):.9g}"),
    }


def distribution(
    logits: np.ndarray,
    *,
    allowed: list[int] | None = None,
    banned: list[int] = (),
    logit_bias: list[list] = (),
    repetition_penalty: float = 1.0,
    frequency_penalty: float = 0.0,
    presence_penalty: float = 0.0,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    min_p: float = 0.0,
    prompt: list[int] = (),
    generated: list[int] = (),
) -> np.ndarray:
    size = len(logits)
    edited = logits.copy()
    possible = np.array([allowed is None or i in allowed for i in range(size)])
    edited[~possible] = -np.inf
    edited[list(banned)] = -np.inf
    for token, bias in logit_bias:
        edited[token] += bias
    for token in {*prompt, *generated}:
        edited[token] = edited[token] / repetition_penalty if edited[token] > 0 else edited[token] * repetition_penalty
    for token, count in Counter(generated).items():
        edited[token] -= count * frequency_penalty + presence_penalty

    p = softmax(edited / temperature)
    # Most probable first, equals by their ids.
    order = sorted(range(size), key=lambda i: (-p[i], i))
    if top_k is not None:
        decided(p[order[top_k - 1]] / p[order[top_k]], 1.0, tie=True)
        p = without(p, order[top_k:])
    if top_p < 1.0:
        reached = np.cumsum(p[order])
        for value in reached:
            decided(value, top_p)
        p = without(p, order[int(np.argmax(reached >= top_p)) + 1 :])
    if min_p > 0.0:
        for value in p[p > 0.0] / p.max():
            decided(value, min_p)
        p = without(p, np.flatnonzero(p < min_p * p.max()))
    return p


def without(p: np.ndarray, cut) -> np.ndarray:
    assert p[cut].sum() > 0.01, "a cut that takes next to nothing tests nothing"
    left = p.copy()
    left[cut] = 0.0
    return left / left.sum()


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def decided(value: float, bound: float, tie: bool = False) -> None:
    gap = abs(value / bound - 1.0)
    assert gap > LEAST_GAP or (tie and gap == 0.0), f"{value} is too close to {bound}"


def bins(probabilities: np.ndarray) -> tuple[list[float], list[list[int]]]:
    """Expected counts and the tokens of each bin."""
    expected = probabilities * NUM_DRAWS
    members = [[i] for i in range(len(expected)) if expected[i] >= 5]
    rest = [i for i in range(len(expected)) if 0 < expected[i] < 5]
    if rest:
        if expected[rest].sum() >= 5:
            members.append(rest)
        else:
            min(members, key=lambda bin: expected[bin[0]]).extend(rest)
    return [float(expected[bin].sum()) for bin in members], members


if __name__ == "__main__":
    sys.exit(main())
