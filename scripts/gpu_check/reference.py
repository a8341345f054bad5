"""Stage `reference`: writes the cuts, and what torch says of them. Float32 is what is true; bf16 is how
far from it the same model in the same type lies elsewhere."""

import json
import time
from pathlib import Path

from bench_serve.places import Failed

from . import checkpoints, weights
from .errors import Errors, num_leading
from .job import Findings, Job, need_torch
from .shapes import Shape

NUM_GREEDY = 64
# Best tokens that are kept at each place of a greedy text.
NUM_TOP = 8


def run(job: Job, found: Findings) -> None:
    need_torch(job)
    for shape in job.shapes():
        cut = shape if job.is_try else shape.cut()
        found.add(shape.name, _of_cut(cut, job.cut(shape), job.prompts(shape), job.device()))


def load(job: Job, shape: Shape) -> dict:
    path = job.cut(shape) / "reference.json"
    if not path.exists():
        raise Failed(f"{path} is missing: the stage `reference` writes it")
    return json.loads(path.read_text())


def _of_cut(shape: Shape, directory: Path, asked: list[list[int]], device: str) -> dict:
    import torch

    started = time.monotonic()
    checkpoints.write_directory(directory, shape)
    tensors = weights.draw(shape, device)
    checkpoints.write_weights(directory, tensors)
    written = time.monotonic() - started
    print(f"   {shape.name}: weights drawn and written in {written:.1f} s", flush=True)
    with torch.no_grad():
        model = build(directory, device, tensors)
        del tensors
        bf16 = {"logprobs": [_logprobs(model, ids) for ids in asked], "greedy": [_greedy(model, ids) for ids in asked]}
        f32_head = _with_f32_head(model, asked)
        # In float32 throughout, and with products that are not rounded to TF32.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.set_float32_matmul_precision("highest")
        model.float()
        model.set_attn_implementation("eager")
        f32 = {"logprobs": [_logprobs(model, ids) for ids in asked], "greedy": [_greedy(model, ids) for ids in asked]}
    del model
    if device == "cuda":
        torch.cuda.empty_cache()
    told = {"prompts": asked, "f32": f32, "bf16": bf16, "bf16_f32_head": {"logprobs": f32_head}}
    (directory / "reference.json").write_text(json.dumps(told) + "\n")
    return about(told) | {"written_s": written, "seconds": time.monotonic() - started}


def about(told: dict) -> dict:
    """What a reader should know of the reference before he trusts it."""
    true, greedy = told["f32"]["logprobs"], told["f32"]["greedy"]
    tokens = [one["tokens"] for one in greedy]
    gaps = sorted(step[0][1] - step[1][1] for one in greedy for step in one["top"])
    return {
        "bf16": Errors.between(told["bf16"]["logprobs"], true).to_json(),
        "bf16_f32_head": Errors.between(told["bf16_f32_head"]["logprobs"], true).to_json(),
        "bf16_leading": num_leading([one["tokens"] for one in told["bf16"]["greedy"]], tokens),
        "greedy_tokens": sum(map(len, tokens)),
        "distinct_tokens": len({token for one in tokens for token in one}),
        "median_gap": gaps[len(gaps) // 2],
    }


def build(directory: Path, device: str, tensors: dict | None = None):
    """A model of transformers in bf16; without tensors with random weights of its own."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig.from_pretrained(directory, attn_implementation="sdpa")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    if tensors is not None:
        model.load_state_dict(tensors, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def _logprobs(model, ids: list[int]) -> list[float]:
    """Of each token of a prompt but the first."""
    import torch

    asked = torch.tensor([ids], device=model.device)
    return _of_targets(model(asked, use_cache=False).logits[0], asked[0])


def _of_targets(logits, ids) -> list[float]:
    import torch

    logprobs = torch.log_softmax(logits[:-1].float(), dim=-1)
    return logprobs.gather(1, ids[1:, None])[:, 0].tolist()


def _with_f32_head(model, asked: list[list[int]]) -> list[list[float]]:
    """As in bf16, but logits are not rounded to it, which takes more from torch's than all the rest."""
    import torch

    head, found = model.lm_head.weight.float(), []
    for ids in asked:
        ids = torch.tensor([ids], device=model.device)
        hidden = model.model(ids, use_cache=False).last_hidden_state[0]
        found.append(_of_targets(hidden.float() @ head.T, ids[0]))
    return found


def _greedy(model, ids: list[int]) -> dict:
    import torch
    from transformers import DynamicCache

    cache = DynamicCache()
    following, tokens, top = torch.tensor([ids], device=model.device), [], []
    for _ in range(NUM_GREEDY):
        logits = model(following, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[0, -1]
        best = torch.log_softmax(logits.float(), dim=-1).topk(NUM_TOP)
        tokens.append(int(best.indices[0]))
        top.append(list(zip(best.indices.tolist(), best.values.tolist())))
        following = best.indices[:1][None]
    return {"tokens": tokens, "top": top}
