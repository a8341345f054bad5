"""Token ids that are asked for. Tokens below `FIRST_WORD` are control tokens and single bytes, which
a text need not show: no prompt holds them."""

import random

FIRST_WORD = 258
# Each token has these likely successors, so many ids further on; weights.py makes it so. Without
# them the best of a hundred thousand random logits is a near tie every few tokens, and a comparison
# of greedy tokens tells nothing; with one alone the layers would have no say.
SUCCESSORS = (7_919, 20_011, 50_021, 90_001)
NUM_PROMPTS = 16
SHORTEST, LONGEST = 20, 700


def words(vocab: int) -> range:
    """The ids of ordinary tokens, also of a vocabulary that is tiny."""
    return range(min(FIRST_WORD, vocab // 4), vocab)


def successor(token: int, offset: int, among: range) -> int:
    return among.start + (token - among.start + offset) % len(among)


def checked(vocab: int, count: int = NUM_PROMPTS, longest: int = LONGEST) -> list[list[int]]:
    """The prompts whose answers are compared: walks that at every second step take a likely
    successor, so that both what is probable and what is not is seen."""
    draw = random.Random("guichet gpu-check")
    among = words(vocab)
    lengths = [SHORTEST, longest, *(draw.randint(SHORTEST, longest) for _ in range(count - 2))]
    return [_walk(draw, among, length) for length in lengths]


def _walk(draw: random.Random, among: range, length: int) -> list[int]:
    walk = [draw.choice(among)]
    while len(walk) < length:
        is_likely = draw.random() < 0.5
        walk.append(successor(walk[-1], draw.choice(SUCCESSORS), among) if is_likely else draw.choice(among))
    return walk


def random_ids(label: str, length: int, vocab: int) -> list[int]:
    """Drawn by the label: no two labels share a prefix."""
    return random.Random(f"guichet gpu-check {label}").choices(words(vocab), k=length)
