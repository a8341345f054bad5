"""Writes sources, faithful rewrites and mutations as JSON lines, the same for the same seed."""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .facts import CLASSES, draw
from .mutations import Mutator
from .templates import LANGUAGES, joined, pieces, read

ROOT = Path(__file__).resolve().parents[2] / "tests/fixtures/rewrites"
KINDS = sorted(set(CLASSES.values()))


@dataclass(frozen=True)
class Rewrite:
    id: str
    source_id: str
    source: list
    language: str
    task: str
    pieces: list
    loose: bool
    complete: bool


def rewrites(topic, facts, seed):
    """For each language's source: two translations, three summaries, plain language, a reply."""
    sources = {language: pieces(topic, facts, language, "source", f"{seed}", False) for language in LANGUAGES}
    for language in LANGUAGES:
        source_id = f"{topic.name}-{language}"
        made = [("translation", other, "source") for other in LANGUAGES if other != language]
        made += [("summary", other, "summary") for other in LANGUAGES]
        made += [("plain", language, "plain"), ("reply", language, "reply")]
        for task, written_in, text in made:
            loose = task != "translation"
            written = pieces(topic, facts, written_in, text, f"{seed}/{task}/{language}", loose)
            yield Rewrite(f"{source_id}/{task}-{written_in}", source_id, sources[language], written_in, task, written,
                          loose, task in ("translation", "plain"))


def main():
    parser = argparse.ArgumentParser(prog="mutate-rewrites", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutations", type=int, default=880, help="how many, spread evenly over the kinds")
    parser.add_argument("--topics", default="", help="names of topics, comma-separated; all of them if none")
    arguments = parser.parse_args()
    wanted = [name for name in arguments.topics.split(",") if name]
    topics = [read(path) for path in sorted(ROOT.glob("*.txt")) if not wanted or path.stem in wanted]
    emit = lambda record: sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    made = []
    for topic in topics:
        rng = Random(f"{arguments.seed}/{topic.name}")
        facts = draw(topic.declarations, rng)
        alternatives = [name for _, kind, args in topic.declarations if kind == "listed" for name in " ".join(args).split("|")]
        for rewritten in rewrites(topic, facts, arguments.seed):
            made.append((rewritten, Mutator(facts, alternatives, rng), alternatives))
    for source_id, source in {rewritten.source_id: rewritten.source for rewritten, _, _ in made}.items():
        emit({"type": "source", "id": source_id, "language": source_id[-2:], "text": joined(source)})
    for rewritten, _, names in made:
        emit({"type": "faithful", **said(rewritten, names), "text": joined(rewritten.pieces)})
    for index, mutation in enumerate(mutated(made, arguments)):
        emit({"type": "mutation", "id": f"m{index}", **mutation})


def said(rewritten, names):
    return {"of": rewritten.id, "source": rewritten.source_id, "task": rewritten.task, "language": rewritten.language,
            "report_missing": KINDS if rewritten.complete else [], "names": names}


def mutated(made, arguments):
    """Kinds take turns, and within a kind the operation that was chosen least; no text twice."""
    rng = Random(f"{arguments.seed}/mutations")
    chosen, texts = {}, set()
    for turn in range(arguments.mutations * 4):
        if len(texts) == arguments.mutations:
            return
        kind = KINDS[turn % len(KINDS)]
        rewritten, mutator, names = rng.choice(made)
        found = mutator.mutations(rewritten, kind)
        rng.shuffle(found)
        found.sort(key=lambda pair: chosen.get((kind, pair[0]), 0))
        told = found[0][1]() if found else None
        if not told or told["text"] in texts:
            continue
        operation = found[0][0]
        chosen[kind, operation] = chosen.get((kind, operation), 0) + 1
        texts.add(told["text"])
        yield {**said(rewritten, names), "class": kind, "operation": operation, **told}


main()
