"""Makes tests/fixtures/families: for each family a tiny random checkpoint as its publishers would write it, and what
`transformers` says of it, for our tests to agree with.

    make_family_fixtures.py [--out DIR] [NAME...]

golden.json holds three prompts, their greedy continuations, and how far logits move where a feature of the family is
missed; golden.safetensors the logits: `prefill.<i>` at the positions that golden.json names, `decode.<i>` after each
greedy token. Everything is computed in float32 on the CPU from weights in the checkpoint's own type.
"""

import argparse
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

from family_fixtures import checkpoint, dense, experts, gemma, golden
from family_fixtures.family import Family
from make_fixtures import FIXTURES, write_json

MAX_BYTES = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=FIXTURES / "families")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    families = [*dense.families(), *gemma.families(), *experts.families()]
    known = {family.name for family in families}
    if strange := set(options.names) - known:
        print(f"no family is called {', '.join(sorted(strange))}; there are {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    for family in families:
        if not options.names or family.name in options.names:
            make(family, options.out / family.name)
    return 0


def make(family: Family, path: Path) -> None:
    model, continuations, packed, seed = golden.first_clear_model(family, checkpoint.randomize)
    checkpoint.write(path, family, model, packed)
    if family.served:
        golden.check_served(family, model, continuations[-1])
    distances = golden.moved(family, model, continuations[-1])
    write_golden(path, family, continuations, distances)
    report(path, seed, continuations, distances, max(golden.disagreement(model, found) for found in continuations))


def write_golden(path: Path, family: Family, continuations: list[golden.Continuation], distances: dict) -> None:
    logits, prompts = {}, []
    for i, found in enumerate(continuations):
        positions = found.positions()
        logits[f"prefill.{i}"] = found.prefill[positions].contiguous()
        logits[f"decode.{i}"] = found.decode.contiguous()
        greedy = {"ids": found.ids, "logprobs": found.logprobs, "margin": found.margin}
        prompts.append({"ids": found.prompt, "positions": positions, "greedy": greedy})
    save_file(logits, path / "golden.safetensors")
    about = (
        "float32 on the CPU; end tokens do not end the greedy continuations; margin is the least lead of a greedy token "
        "over the next best log-probability; max_positions is the longest sequence that is served; features are how far "
        "the logits move that move most where one is missed"
    )
    features = {feature: round(distance, 4) for feature, distance in distances.items()}
    write_json(
        path / "golden.json",
        {"about": about, "max_positions": family.max_positions, "features": features, "prompts": prompts},
    )


def report(path: Path, seed: int, continuations: list, distances: dict, disagreement: float) -> None:
    total = sum(file.stat().st_size for file in path.iterdir())
    assert total < MAX_BYTES, f"{path.name}: {total} bytes"
    spread = continuations[-1].prefill.std().item()
    margin = min(found.margin for found in continuations)
    print(
        f"{path.name}: {total // 1000} kB, seed {seed}, logit spread {spread:.2f}, least greedy margin {margin:.3f}, "
        f"with and without a cache {disagreement:.0e}",
        flush=True,
    )
    for feature, distance in distances.items():
        print(f"    {distance:8.3f}  {feature}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
