"""Stage `parity`: what Guichet says of the cuts beside what torch says in float32 and in bf16."""

from . import reference
from .api import Client, at_once
from .errors import Errors, num_leading, partings
from .job import Findings, Job
from .server import serving
from .shapes import Shape

MAX_MODEL_LEN = 1024
# A difference of two log-probabilities has the errors of both. They are those of bf16 without the
# rounding of logits, which Guichet does not do.
ERRORS_OF_A_GAP = 2


def run(job: Job, found: Findings) -> None:
    for shape in job.shapes():
        told = reference.load(job, shape)
        for deterministic in (True, False):
            found.add(f"{shape.name} {deterministic}", _beside(job, shape, deterministic, told))


def _beside(job: Job, shape: Shape, deterministic: bool, told: dict) -> dict:
    label = f"parity-{shape.name}-{'deterministic' if deterministic else 'free'}"
    env = {"GUICHET_ENGINE__PREFIX_CACHE": "off"}
    directory = job.cut(shape)
    with serving(job, directory, label, deterministic=deterministic, max_model_len=MAX_MODEL_LEN, env=env) as port:
        client = Client(port, directory)
        scores = [client.scores(ids) for ids in told["prompts"]]
        greedy = at_once(lambda ids: client.greedy(ids, reference.NUM_GREEDY), told["prompts"])
    return compare(scores, [list(said.tokens) for said in greedy], told)


def compare(scores: list[list[float]], greedy: list[list[int]], told: dict) -> dict:
    true = told["f32"]
    ours = Errors.between(scores, true["logprobs"])
    torch = Errors.between(told["bf16"]["logprobs"], true["logprobs"])
    f32_head = Errors.between(told["bf16_f32_head"]["logprobs"], true["logprobs"])
    expected = [one["tokens"] for one in true["greedy"]]
    torch_greedy = [one["tokens"] for one in told["bf16"]["greedy"]]
    top = [[dict(map(tuple, step)) for step in one["top"]] for one in true["greedy"]]
    tolerance = ERRORS_OF_A_GAP * f32_head.p99
    parted = partings(greedy, expected, top)
    return {
        "errors": ours.to_json(),
        "torch": torch.to_json(),
        "torch_f32_head": f32_head.to_json(),
        "mean_ratio": ours.mean / torch.mean,
        "p99_ratio": ours.p99 / torch.p99,
        "mean_ratio_f32_head": ours.mean / f32_head.mean,
        "p99_ratio_f32_head": ours.p99 / f32_head.p99,
        "greedy": {
            "tokens": sum(map(len, expected)),
            "as_f32": num_leading(greedy, expected),
            "as_bf16": num_leading(greedy, torch_greedy),
            "torch_as_f32": num_leading(torch_greedy, expected),
            "tolerance": tolerance,
            "partings": [
                {
                    "prompt": one.prompt,
                    "position": one.position,
                    "gap": one.gap,
                    "near_tie": one.is_near_tie(tolerance),
                }
                for one in parted
            ],
        },
    }
