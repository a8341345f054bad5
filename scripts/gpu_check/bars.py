"""What has to be reached, and by how much it is: one line a figure, in the order of what the issue asks
to be shown. Knows what the stages leave and nothing of how they came by it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from .shapes import LLAMA_8B, MISTRAL_24B, SHAPES
from .speed import LONG, SHORT, STREAMS, cell_name

ERROR_RATIO = 1.5
DECODE_PART = 0.8
STREAMS_TOK_S = 6000
PREFILL_PART = 0.55
FIRST_TOKEN_S = 0.040
ITL_RATIO = 2.0

# The rest stands in the stage's own file.
WHY_CHARS = 90

# How a reader is told of the two ways to compute.
MODES = {True: "deterministic", False: "free"}


@dataclass(frozen=True)
class Line:
    # Of the "Must show".
    must: int
    what: str
    figure: str
    bar: str = ""
    # None: nothing has to be reached, or nothing was measured.
    passed: bool | None = None

    def to_json(self) -> dict:
        return asdict(self)


def lines(results: dict[str, dict]) -> list[Line]:
    """`results`: what each stage that was asked for has left."""
    made = {
        "kernels": _kernels,
        "reference": _reference,
        "parity": _parity,
        "speed": _speed,
        "torch": _torch,
        "serve": _serve,
        "invariance": _invariance,
    }
    found = []
    for stage, make in made.items():
        if stage not in results:
            continue
        result = results[stage]
        found += make(result["figures"])
        if result["status"] != "done":
            why = f": {result['why'][:WHY_CHARS]}" if result["why"] else ""
            # A stage that is skipped was not asked to show anything here.
            passed = None if result["status"] == "skipped" else False
            found.append(Line(_MUST[stage], f"stage {stage}", f"{result['status']}{why}", passed=passed))
    found += _price(results.get("speed", {}).get("figures", {}))
    return sorted(found, key=lambda line: line.must)


_MUST = {"kernels": 2, "reference": 2, "parity": 2, "speed": 3, "torch": 3, "serve": 4, "invariance": 5}


def _kernels(figures: dict) -> Iterator[Line]:
    if tests := figures.get("tests"):
        good = tests["status"] == 0 and tests["failed"] == 0 and tests["passed"] > 0
        what = f"{tests['passed']} passed, {tests['failed']} failed {' '.join(tests['failures'])}".strip()
        yield Line(2, "kernels against the CPU's", what, "all pass", good)
    if sanitizer := figures.get("sanitizer"):
        good = sanitizer["status"] == 0 and sanitizer["errors"] == 0
        yield Line(2, "compute-sanitizer", f"{sanitizer['errors']} errors, status {sanitizer['status']}", "clean", good)


def _reference(figures: dict) -> Iterator[Line]:
    for shape in SHAPES:
        if about := figures.get(shape.name):
            said = f"mean {about['bf16']['mean']:.2g}, p99 {about['bf16']['p99']:.2g} from f32"
            said += f"; greedy {about['bf16_leading']}/{about['greedy_tokens']}, median gap {about['median_gap']:.2g}"
            yield Line(2, f"{shape.name} cut: torch bf16", said)


def _parity(figures: dict) -> Iterator[Line]:
    for shape in SHAPES:
        for deterministic, mode in MODES.items():
            found = figures.get(f"{shape.name} {deterministic}")
            if found is None:
                continue
            what = f"{shape.name} cut, {mode}"
            ratios = found["mean_ratio"], found["p99_ratio"]
            said = f"mean {ratios[0]:.2f}×, p99 {ratios[1]:.2f}×"
            said += f" ({found['mean_ratio_f32_head']:.2f}×, {found['p99_ratio_f32_head']:.2f}× with f32 logits)"
            bar = f"≤ {ERROR_RATIO}× torch bf16"
            yield Line(2, f"{what}: error", said, bar, max(ratios) <= ERROR_RATIO)
            greedy = found["greedy"]
            ties = sum(one["near_tie"] for one in greedy["partings"])
            said = f"{greedy['as_f32']}/{greedy['tokens']} as f32 (torch bf16 {greedy['torch_as_f32']})"
            said += f"; {len(greedy['partings'])} part, {ties} at near ties"
            yield Line(2, f"{what}: greedy", said, "near ties only", ties == len(greedy["partings"]))


def _speed(figures: dict) -> Iterator[Line]:
    if limits := figures.get("limits"):
        said = f"copy {limits['copy_bytes_s'] / 1e12:.2f} TB/s, read {limits['read_bytes_s'] / 1e12:.2f} TB/s, "
        yield Line(3, "the GPU, by torch", said + f"bf16 {limits['matmul_operations_s'] / 1e12:.0f} TFLOP/s")
    copy, product = "of_copy_bytes_s", "of_matmul_operations_s"
    for shape, measure, key, bar, is_reached in (
        (LLAMA_8B, "decode.1", copy, f"≥ {DECODE_PART:.0%} of copy", lambda f: f.get(copy, 0) >= DECODE_PART),
        (LLAMA_8B, f"decode.{STREAMS}", copy, f"≥ {STREAMS_TOK_S} tok/s", lambda f: f["tok_s"] >= STREAMS_TOK_S),
        (LLAMA_8B, f"prefill.{LONG}", product, f"≥ {PREFILL_PART:.0%} of bf16", lambda f: f.get(product, 0) >= PREFILL_PART),
        (LLAMA_8B, f"prefill.{SHORT}", product, f"< {FIRST_TOKEN_S * 1000:.0f} ms", lambda f: f["s"] < FIRST_TOKEN_S),
        (MISTRAL_24B, "decode.1", copy, "", None),
        (MISTRAL_24B, f"prefill.{SHORT}", product, "", None),
    ):
        measured = {mode: found for mode, found in _both(figures, shape, measure) if found is not None}
        if not measured:
            continue
        said = "; ".join(f"{mode} {_speed_of(found, key)}" for mode, found in measured.items())
        # It may be reached in either way; what the other costs stands beside it.
        passed = any(is_reached(found) for found in measured.values()) if is_reached else None
        yield Line(3, f"{shape.name} {measure}", said, bar, passed)
    for quantize in ("int8", "int4"):
        found = figures.get(cell_name(LLAMA_8B, True, quantize), {})
        keys = {measure: product if measure.startswith("prefill") else copy for measure in found if measure != "failed"}
        for measure, key in keys.items():
            yield Line(3, f"{LLAMA_8B.name} {quantize} {measure}", _speed_of(found[measure], key))
    for name, found in figures.items():
        if "failed" in found:
            yield Line(3, name, found["failed"][:WHY_CHARS], passed=False)


def _both(figures: dict, shape, measure: str) -> Iterator[tuple[str, dict | None]]:
    for deterministic, mode in MODES.items():
        yield mode, figures.get(cell_name(shape, deterministic), {}).get(measure)


def _speed_of(found: dict, key: str) -> str:
    seconds = f" {found['s'] * 1000:.1f} ms" if "s" in found else ""
    part = f" {found[key]:.0%}" if key in found else ""
    return f"{found['tok_s']:.0f} tok/s{seconds}{part}"


def _torch(figures: dict) -> Iterator[Line]:
    if figures:
        said = ", ".join(f"{measure} {found['tok_s']:.0f}" for measure, found in figures.items())
        yield Line(3, "transformers, tok/s", said)


def _serve(figures: dict) -> Iterator[Line]:
    if alone := figures.get("alone"):
        seconds = alone["ttft_p50"]
        said = f"p50 {seconds * 1000:.1f} ms, largest {alone['ttft_max'] * 1000:.1f} ms"
        bar = f"< {FIRST_TOKEN_S * 1000:.0f} ms"
        yield Line(3, f"HTTP: first token of {alone['prompt_tokens']}", said, bar, seconds < FIRST_TOKEN_S)
    if capacity := figures.get("capacity"):
        yield Line(4, "HTTP: 64 streams", f"{capacity['tok_s']:.0f} tok/s")
    if found := figures.get("open"):
        said = f"p50 {found['itl_p50'] * 1000:.2f} ms, p99 {found['itl_p99'] * 1000:.2f} ms: {found['itl_p99_ratio']:.2f}×"
        good = found["itl_p99_ratio"] <= ITL_RATIO and found["errors"] == 0
        yield Line(4, "open loop: between tokens", said, f"p99 ≤ {ITL_RATIO:g}× p50", good)
        said = f"p50 {found['ttft_p50'] * 1000:.0f} ms, p99 {found['ttft_p99'] * 1000:.0f} ms"
        yield Line(4, "open loop: first token", said)
        said = f"{found['requests']} requests, {found['errors']} errors, {found['tok_s']:.0f} tok/s"
        said += f"; client {found['client_busy']:.0%} busy, {found['texts_per_token']:.1%} of tokens seen alone"
        yield Line(4, "open loop: load", said)


def _invariance(figures: dict) -> Iterator[Line]:
    for key, mode in (("deterministic", MODES[True]), ("free", MODES[False])):
        variants = figures.get(key)
        if not variants:
            continue
        same, of = (sum(one[field] for one in variants.values()) for field in ("same", "of"))
        differing = [f"{name} {one['same']}" for name, one in variants.items() if one["same"] != one["of"]]
        said = f"{same}/{of} identical in {len(variants)} variants"
        said += f"; fewer: {', '.join(differing)}" if differing else ""
        is_bar = key == "deterministic"
        yield Line(5, f"batch invariance, {mode}", said, "all" if is_bar else "", same == of if is_bar else None)


def _price(speed: dict) -> Iterator[Line]:
    """What `deterministic` costs of the speed."""
    parts = []
    for measure in ("decode.1", f"decode.{STREAMS}", f"prefill.{SHORT}", f"prefill.{LONG}"):
        (_, bound), (_, free) = _both(speed, LLAMA_8B, measure)
        if bound and free:
            parts.append(f"{measure} {1 - bound['tok_s'] / free['tok_s']:.1%}")
    if parts:
        yield Line(5, "what deterministic costs", ", ".join(parts))
