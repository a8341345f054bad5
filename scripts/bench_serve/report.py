"""The figures as a reader wants them: Markdown for people, medians and verdicts for programs."""

from pathlib import Path

from .bars import best_peer, is_time, judge_all
from .plan import GUICHET, MODELS, PEERS, VLLM
from .records import Records

BEGIN = "<!-- `make bench-serve` writes what follows anew -->"
END = "<!-- the end of what it writes -->"

LABELS = {GUICHET: "Guichet", VLLM: "vLLM"}
TITLES = {
    "tok_s": "output tok/s",
    "ttft_p50": "time to first token, median",
    "ttft_p99": "time to first token, 99th of 100",
    "itl_p50": "between tokens, median",
    "itl_p99": "between tokens, 99th of 100",
}


def title(measure: str) -> str:
    kind, _, rest = measure.partition(".")
    if kind == "prefill":
        return f"prefill {rest}, tok/s"
    if kind == "decode":
        return f"decode, {_streams(rest)}, tok/s"
    if kind == "http":
        streams, _, name = rest.partition(".")
        return f"HTTP, {_streams(streams)}: {TITLES[name]}"
    return {"ready_s": "ready after", "resident_mib": "resident when ready, MiB"}[measure]


def _streams(number: str) -> str:
    return "1 stream" if number == "1" else f"{number} streams"


def shown(measure: str, value: float | None) -> str:
    if value is None:
        return ""
    if "ttft" in measure or "itl" in measure or "ready" in measure:
        return f"{value * 1000:,.0f} ms" if value < 1 else f"{value:,.2f} s"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def markdown(records: Records) -> str:
    judged = judge_all(records)
    sections = [_about(records), *(_table(records, model, judged) for model in records.about["models"])]
    sections += [_outputs(records), _shortfalls(records), _commands(records), _summary(judged)]
    return "\n\n".join(section for section in sections if section) + "\n"


def measures(records: Records, model: str) -> list[str]:
    """All that were measured, in a fixed order, without what only the JSON shows."""
    known = {name for run in records.figures if run["model"] == model for name in run["figures"]}
    kinds = ["prefill", "decode", "http", "ready_s", "resident_mib"]

    def place(name: str) -> tuple:
        parts = name.split(".")
        size = int(parts[1]) if len(parts) > 1 else 0
        return kinds.index(parts[0]), size, list(TITLES).index(parts[2]) if len(parts) > 2 else 0

    return sorted((name for name in known if name.split(".")[0] in kinds and not name.endswith("client_cpu_s")), key=place)


def _about(records: Records) -> str:
    about = records.about
    machine = about["machine"]
    changed = f", {machine['changed_files']} files changed" if machine["changed_files"] else ""
    lines = [
        f"Measured {machine['date']}, Guichet at `{machine['commit'][:12]}`{changed}; "
        f"threads of each subject: {about['threads']}.",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}; "
        f"{', '.join(machine['features'])}.",
        "; ".join(f"{LABELS.get(name, name)} {version}" for name, version in about["versions"].items()) + ".",
    ]
    if about["quick"]:
        lines.insert(0, "**A quick run: these figures mean nothing.**")
    return "\n".join(lines)


def _table(records: Records, model: str, judged: list[dict]) -> str:
    peers = [peer for peer in PEERS if any((run["model"], run["subject"]) == (model, peer) for run in records.figures)]
    rows = [_row(["measure", "class", LABELS[GUICHET], *(LABELS.get(peer, peer) for peer in peers), "ratio to the best", "bar"])]
    rows.append("|---|---|" + "--:|" * (len(peers) + 2) + "---|")
    for measure in measures(records, model):
        for precision in records.about["precisions"]:
            ours = records.median(model, precision, GUICHET, measure)
            theirs = [records.median(model, precision, peer, measure) for peer in peers]
            if ours is None and not any(theirs):
                continue
            best = best_peer(records, model, precision, measure)
            ratio = f"{ours / best[1]:.2f}×" if ours is not None and best else ""
            bars = [b for b in judged if (b["model"], b["precision"], b["measure"]) == (model, precision, measure)]
            cells = [shown(measure, value) for value in (ours, *theirs)]
            rows.append(_row([title(measure), precision, *cells, ratio, "; ".join(_verdict(bar) for bar in bars)]))
    # A run that was broken off, or gone on with, may have measured one model more often.
    rounds = len({run["round"] for run in records.figures if run["model"] == model})
    heading = f"### {MODELS[model].title}, {rounds} round{'s' if rounds != 1 else ''}"
    return f"{heading}\n\n" + "\n".join(rows) if len(rows) > 2 else ""


def _verdict(bar: dict) -> str:
    if bar["passed"] is None:
        return f"{bar['bar']}: {bar['why']}"
    ratio = f"{bar['ratio']:.2f}×" + (f", {bar['why']}" if bar["why"] else "")
    return f"{bar['bar']}: {'yes' if bar['passed'] else '**no**'} ({ratio})"


def _outputs(records: Records) -> str:
    if not records.outputs:
        return "Outputs were not checked in this run."
    rows = [_row(["outputs", "class", "server", "positions that agree", "equal before the first difference", "verdict"])]
    rows.append("|---|---|---|--:|---|---|")
    for output in records.outputs:
        leading = ", ".join(str(count) for count in output["leading"])
        place = [output["model"], output["precision"], output["subject"]]
        rows.append(_row([*place, f"{output['agreement']:.0%}", leading, output["verdict"]]))
    return "\n".join(rows)


def _shortfalls(records: Records) -> str:
    lines = [f"- {peer} is missing: {why}" for peer, why in records.about["missing"].items()]
    lines += [f"- {note}" for note in records.about["notes"]]
    lines += [
        f"- round {failure['round']}, {failure['model']} {failure['precision']}, {failure['subject']}, "
        f"{failure['what']}: {failure['error']}"
        for failure in records.failures
    ]
    return "What is missing:\n\n" + "\n".join(lines) if lines else ""


def _commands(records: Records) -> str:
    lines = [f"{command}" for command in records.commands.values()]
    return "The commands:\n\n```\n" + "\n".join(lines) + "\n```" if lines else ""


def _summary(judged: list[dict]) -> str:
    passed = sum(bar["passed"] is True for bar in judged)
    failed = sum(bar["passed"] is False for bar in judged)
    return f"{passed} of {len(judged)} bars reached, {failed} missed, {len(judged) - passed - failed} not measured."


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def summary(records: Records) -> dict:
    """What the JSON adds to the raw figures."""
    medians = [
        {"model": model, "precision": precision, "subject": subject, "measure": measure, "median": value, "rounds": values}
        for model in records.about["models"]
        for precision in records.about["precisions"]
        for subject in (GUICHET, *PEERS)
        for measure in measures(records, model)
        if (values := records.values(model, precision, subject, measure))
        and (value := records.median(model, precision, subject, measure)) is not None
    ]
    times = sorted({median["measure"] for median in medians if is_time(median["measure"])})
    return {"medians": medians, "bars": judge_all(records), "lower_is_better": times}


def write_docs(page: Path, text: str) -> None:
    before, _, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has lost its markers")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
