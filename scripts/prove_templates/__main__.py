"""Asks transformers for prompts of real tokenizers, for Guichet to be compared with.

    python -m prove_templates FOLDER [--fixtures] [NAME…]

Writes FOLDER/cases.json, and with --fixtures tests/fixtures/templates/NAME.json for each tokenizer
whose template may be passed on.
"""

import argparse
import json
import sys
from pathlib import Path

from .reference import FIXTURE, Reference, conversations, stop_clock
from .sources import SOURCES, Source, fetched


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fixtures", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    unknown = set(options.names) - {source.name for source in SOURCES}
    if unknown:
        parser.error(f"no tokenizer is called {', '.join(sorted(unknown))}")
    clock, asked = conversations()
    stop_clock(clock)
    tokenizers = []
    for source in SOURCES:
        if options.names and source.name not in options.names:
            continue
        directory = fetched(source, options.folder)
        reference = Reference(directory)
        print(f"{source.name}: {reference.class_name}", file=sys.stderr)
        tokenizers.append(tokenizer_cases(source.name, directory, reference, asked))
        if options.fixtures and source.licence is not None:
            write_fixture(source, reference, tokenizers[-1])
    cases = {"clock": clock, "tokenizers": tokenizers}
    (options.folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    return 0


def tokenizer_cases(name: str, directory: Path, reference: Reference, asked: list[dict]) -> dict:
    cases = []
    for conversation in asked:
        case = {"conversation": conversation, "expected": reference.expected(conversation)}
        if "text" in case["expected"]:
            case["ids"], case["file_ids"] = reference.ids(case["expected"]["text"])
        cases.append(case)
    return {
        "name": name,
        "class": reference.class_name,
        "dir": str(directory),
        "tokens": reference.added_tokens(),
        "cases": cases,
    }


def write_fixture(source: Source, reference: Reference, tokenizer: dict) -> None:
    fixture = {
        "origin": source.origin,
        "licence": source.licence,
        "config": reference.config(),
        "expected": {case["conversation"]["name"]: case["expected"] for case in tokenizer["cases"]},
    }
    text = json.dumps(fixture, ensure_ascii=False, indent=1) + "\n"
    (FIXTURE / f"{source.name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
