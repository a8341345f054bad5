"""What `transformers` says of a checkpoint in float32, and how far from it one is that misses a feature."""

from dataclasses import dataclass

import torch

from .checkpoint import build, with_weights_of
from .family import PROMPT_LENGTHS, VOCABULARY, Family

NUM_STEPS = 32
LEAST_MARGIN = 1e-2
# Of the least score of a router that is chosen over the greatest that is not.
LEAST_ROUTER_MARGIN = 2e-3
MOST_DISAGREEMENT = 2e-5
# Different tokens in the continuation of the longest prompt: one that goes round in circles shows little.
LEAST_TOKENS = 6


@dataclass
class Continuation:
    """A prompt's logits at every position, and 32 greedy steps: each one's token, and the logits after it."""

    prompt: list[int]
    prefill: torch.Tensor
    ids: list[int]
    logprobs: list[float]
    margin: float
    decode: torch.Tensor

    def positions(self) -> list[int]:
        """Those whose logits are kept: all of a short prompt, every eighth and the last four of another."""
        last = len(self.prompt) - 1
        if last < 8:
            return list(range(last + 1))
        return sorted({*range(0, last + 1, 8), *range(last - 3, last + 1)})


def prompts() -> list[list[int]]:
    generator = torch.Generator().manual_seed(20)
    return [torch.randint(3, VOCABULARY, (length,), generator=generator).tolist() for length in PROMPT_LENGTHS]


def continued(model, prompt: list[int]) -> Continuation:
    step, cache = torch.tensor([prompt]), None
    ids, logprobs, rows, margins = [], [], [], []
    while True:
        out = model(step, past_key_values=cache, use_cache=True)
        rows.append(out.logits[0])
        if len(ids) == NUM_STEPS:
            break
        cache = out.past_key_values
        row = torch.log_softmax(rows[-1][-1], dim=-1)
        first, second = row.topk(2).values.tolist()
        ids.append(row.argmax().item())
        logprobs.append(round(first, 6))
        margins.append(first - second)
        step = torch.tensor([ids[-1:]])
    return Continuation(prompt, rows[0], ids, logprobs, round(min(margins), 6), torch.cat(rows[1:]))


def whole(model, tokens: list[int]) -> torch.Tensor:
    """Logits at every position, computed without a cache."""
    return model(torch.tensor([tokens]), use_cache=False).logits[0]


def router_margin(model, run) -> float:
    """The least lead of a chosen expert over one that is not, while `run` computes."""
    margins = [float("inf")]

    def look(module, _, output):
        scores = output[0].sort(dim=-1, descending=True).values
        margins.append((scores[:, module.top_k - 1] - scores[:, module.top_k]).min().item())

    hooks = [m.register_forward_hook(look) for m in model.modules() if type(m).__name__.endswith("Router")]
    run()
    for hook in hooks:
        hook.remove()
    return min(margins)


def clear_continuations(model) -> list[Continuation] | None:
    """Of each prompt, unless a token or an expert is chosen by a hair or rounding moves logits by much: what sums in
    another order must come to the same. Nor where one token follows on itself."""
    found = []
    for prompt in prompts():
        if router_margin(model, lambda: found.append(continued(model, prompt))) < LEAST_ROUTER_MARGIN:
            return None
        if found[-1].margin < LEAST_MARGIN or disagreement(model, found[-1]) > MOST_DISAGREEMENT:
            return None
    return found if len(set(found[-1].ids)) >= LEAST_TOKENS else None


def disagreement(model, found: Continuation) -> float:
    """Between logits with a cache and without, which sum in another order."""
    logits = whole(model, found.prompt + found.ids)
    return (logits - torch.cat([found.prefill, found.decode])).abs().max().item()


def moved(family: Family, model, longest: Continuation) -> dict[str, float]:
    """For each feature, how far the logits move that move most where it is missed."""
    tokens = longest.prompt + longest.ids
    expected = whole(model, tokens)
    distances = {}
    for feature, missed in family.features.items():
        other = with_weights_of(model, family, family.served | missed.settings)
        num_changed = 0
        for name, tensor in [*other.named_parameters(), *other.named_buffers()]:
            if missed.weights and missed.weights in name:
                tensor.copy_(missed.become(tensor))
                num_changed += 1
        assert num_changed > 0 or not missed.weights, f"{family.name}: no weight is named {missed.weights}"
        distance = (whole(other, tokens) - expected).abs().max().item()
        assert distance >= missed.at_least, f"{family.name}: {feature} moves logits by {distance} only"
        distances[feature] = distance
    return distances


def check_served(family: Family, model, longest: Continuation) -> None:
    """The settings that stand for long sequences are those `transformers` itself takes for one."""
    native = with_weights_of(model, family, {})
    tokens = longest.prompt + longest.ids
    distance = (whole(native, tokens) - whole(model, tokens)).abs().max().item()
    assert distance < 1e-5, f"{family.name}: a long sequence differs by {distance}"


def first_clear_model(family: Family, randomize):
    """The model of the first seed by which every choice is clear, its continuations, what `randomize` returned, and the
    seed."""
    model = build(family, family.served)
    for seed in range(1, 1000):
        packed = randomize(model, family, seed)
        if continuations := clear_continuations(model):
            return model, continuations, packed, seed
    raise AssertionError(f"{family.name}: no seed without a near-tie")
