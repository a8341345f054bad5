"""Stage `invariance`: an answer is the same, bit for bit, whatever else the server computes and however
it cuts the work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from . import prompts
from .api import Client, at_once
from .job import Findings, Job
from .reference import NUM_GREEDY
from .server import serving

MAX_MODEL_LEN = 1024
# Others that are answered meanwhile, so that batches are wider than the prompts alone make them.
NUM_OTHERS = 32
# A step of an odd size, which cuts prompts where no kernel does; and a cache that the prompts do not
# all fit into, so that some are preempted.
FEW_TOKENS = 97
LITTLE_CACHE_MIB = 40


def run(job: Job, found: Findings) -> None:
    deterministic = Matrix(job, found, deterministic=True)
    deterministic.batches()
    deterministic.servers()
    # What a server does that may choose freely is reported, and nothing more.
    Matrix(job, found, deterministic=False).batches()


class Matrix:
    """Every prompt in every variant, held against the same prompt asked alone."""

    def __init__(self, job: Job, found: Findings, deterministic: bool):
        self.job, self.found, self.deterministic = job, found, deterministic
        self.shape = job.shapes()[0]
        self.asked = job.prompts(self.shape)
        lengths = (40 + 9 * index for index in range(NUM_OTHERS))
        self.others = [prompts.random_ids(f"other {n}", n, self.shape.vocab) for n in lengths]
        self.alone: list = []
        self.variants: dict[str, dict] = {}

    def batches(self) -> None:
        """What a server makes of the same requests at other times and in other company."""
        with self._server("plain", {}) as client:
            greedy = _greedy(client)
            self.alone = [greedy(ids) for ids in self.asked]
            self._compare(client, "alone again", [greedy(ids) for ids in self.asked])
            self._compare(client, "at once", at_once(greedy, self.asked))
            self._compare(client, "in another order", at_once(greedy, self.asked[::-1])[::-1])
            streamed = at_once(lambda ids: client.streamed(ids, NUM_GREEDY), self.asked)
            self._compare(client, "in streams", streamed)
            beside = at_once(greedy, [*self.others, *self.asked])[NUM_OTHERS:]
            self._compare(client, f"beside {NUM_OTHERS} others", beside)
            scores = [client.scores(ids) for ids in self.asked]
            self._compare(client, "scored at once", at_once(client.scores, self.asked), scores)

    def servers(self) -> None:
        """What other servers make of them."""
        with self._server("cached", {"PREFIX_CACHE": "per-caller"}) as client:
            greedy = _greedy(client)
            self._compare(client, "filling the prefix cache", [greedy(ids) for ids in self.asked])
            self._compare(client, "from the prefix cache", [greedy(ids) for ids in self.asked])
            self._compare(client, "from the prefix cache, at once", at_once(greedy, self.asked))
        for name, env, variant in (
            ("few", {"MAX_NUM_BATCHED_TOKENS": str(FEW_TOKENS)}, f"in steps of {FEW_TOKENS} tokens"),
            ("little", {"KV_CACHE_MIB": str(LITTLE_CACHE_MIB)}, f"with a cache of {LITTLE_CACHE_MIB} MiB"),
        ):
            with self._server(name, env) as client:
                self._compare(client, variant, at_once(_greedy(client), self.asked))

    @contextmanager
    def _server(self, name: str, engine: dict[str, str]) -> Iterator[Client]:
        label = f"invariance-{name}-{'deterministic' if self.deterministic else 'free'}"
        env = {f"GUICHET_ENGINE__{key}": value for key, value in ({"PREFIX_CACHE": "off"} | engine).items()}
        options = {"deterministic": self.deterministic, "max_model_len": MAX_MODEL_LEN, "env": env}
        directory = self.job.cut(self.shape)
        with serving(self.job, directory, label, **options) as port:
            yield Client(port, directory)

    def _compare(self, client: Client, variant: str, answers: list, alone: list | None = None) -> None:
        counted = same(self.alone if alone is None else alone, answers)
        self.variants[variant] = counted | {"preemptions": client.counter("guichet_preemptions")}
        self.found.add("deterministic" if self.deterministic else "free", self.variants)
        print(f"   {variant}: {counted['same']} of {counted['of']} are the same", flush=True)


def _greedy(client: Client) -> Callable:
    return partial(client.greedy, num_tokens=NUM_GREEDY)


def same(alone: list, answers: list) -> dict:
    """How many answers are equal to the last bit, and which are not."""
    differing = [index for index, (one, other) in enumerate(zip(alone, answers, strict=True)) if one != other]
    return {"same": len(alone) - len(differing), "of": len(alone), "differing": differing}
