"""What is measured: the models, the precision classes and the sizes. Knows no programs."""

from dataclasses import dataclass, replace

GUICHET, LLAMA_CPP, VLLM, TRANSFORMERS = "guichet", "llama.cpp", "vllm", "transformers"
PEERS = (LLAMA_CPP, VLLM, TRANSFORMERS)


@dataclass(frozen=True)
class Sizes:
    """How much is asked of a model. Every figure of one measure has the same sizes."""

    # Tokens of a prefill without HTTP, one row each.
    prefill: tuple[int, ...]
    # One sequence decodes so many tokens.
    decode_tokens: int = 128
    # So many sequences decode together, each after a context of so many tokens.
    batch: int = 16
    batch_context: int = 512
    batch_tokens: int = 32
    # Over HTTP: streams at a time, requests of each, and the tokens of a request.
    streams: tuple[int, ...] = (1, 16, 32)
    requests_per_stream: int = 4
    least_requests: int = 8
    prompt_tokens: int = 143
    output_tokens: int = 64

    def quick(self) -> "Sizes":
        """As little as shows that everything works; its figures mean nothing."""
        return replace(
            self,
            prefill=(32,),
            decode_tokens=8,
            batch=2,
            batch_context=32,
            batch_tokens=8,
            streams=(1, 4),
            requests_per_stream=1,
            least_requests=2,
            output_tokens=16,
        )

    def num_requests(self, streams: int) -> int:
        return max(self.least_requests, self.requests_per_stream * streams)


@dataclass(frozen=True)
class Model:
    name: str
    title: str
    sizes: Sizes
    # Random weights say next to nothing, and what they say is no text: their outputs are
    # compared but prove nothing.
    is_random: bool
    # The best prefill of a large model that we know is that of transformers.
    transformers: bool


@dataclass(frozen=True)
class Precision:
    name: str
    # What `guichet serve` is told; nothing for the checkpoint's own type.
    quantize: str
    # llama.cpp's type of the same width.
    gguf: str
    # vLLM and transformers run the checkpoint's own type only.
    is_native: bool


MODELS = {
    model.name: model
    for model in (
        Model("smollm2", "SmolLM2 135M", Sizes(prefill=(512, 2048)), is_random=False, transformers=False),
        Model(
            "l1b",
            "1.07B random Llama shape",
            Sizes(prefill=(512,), streams=(1, 16), output_tokens=32),
            is_random=True,
            transformers=True,
        ),
    )
}

PRECISIONS = {
    precision.name: precision
    for precision in (
        Precision("bf16", quantize="none", gguf="BF16", is_native=True),
        Precision("int8", quantize="int8", gguf="Q8_0", is_native=False),
        Precision("int4", quantize="int4", gguf="Q4_0", is_native=False),
    )
}


@dataclass(frozen=True)
class Cell:
    """One model at one precision."""

    model: Model
    precision: Precision
    sizes: Sizes

    def name(self) -> str:
        return f"{self.model.name} {self.precision.name}"

    def runs(self, subject: str) -> bool:
        """Whether a subject has anything to measure here."""
        if subject in (GUICHET, LLAMA_CPP):
            return True
        return self.precision.is_native and (subject == VLLM or self.model.transformers)


def cells(models: list[str], precisions: list[str], is_quick: bool) -> list[Cell]:
    return [
        Cell(model, PRECISIONS[precision], model.sizes.quick() if is_quick else model.sizes)
        for model in (MODELS[name] for name in models)
        for precision in precisions
    ]
