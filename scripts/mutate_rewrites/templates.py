"""Reads a topic and writes texts of it: pieces, each a literal or a fact in its place."""

import re
from dataclasses import dataclass, replace
from random import Random

from .forms import write

TASKS = ("source", "summary", "plain", "reply")
LANGUAGES = ("fr", "de", "en")


@dataclass(frozen=True)
class Topic:
    name: str
    declarations: list
    texts: dict


@dataclass(frozen=True)
class Piece:
    text: str
    fact: str = ""
    style: str = ""
    form: str = ""


def read(path):
    head, *sections = re.split(r"^== ", path.read_text(encoding="utf-8"), flags=re.M)
    declarations = [(line.split()[0], line.split()[1], line.split()[2:]) for line in head.splitlines() if line.strip()]
    texts = {}
    for section in sections:
        title, _, body = section.partition("\n")
        language, task = title.split()
        texts[language, task] = body.rstrip("\n")
    missing = {(language, task) for language in LANGUAGES for task in TASKS} - set(texts)
    if missing:
        raise SystemExit(f"{path} lacks {sorted(missing)}")
    for language in LANGUAGES:
        told = names(texts[language, "source"])
        left_out = told - names(texts[language, "plain"])
        if left_out or told != names(texts["fr", "source"]):
            raise SystemExit(f"{path}: the {language} texts differ in {sorted(left_out or told ^ names(texts['fr', 'source']))}")
    return Topic(path.stem, declarations, texts)


def names(text):
    return {name.split(".")[0] for name in re.findall(r"\{([a-z.]+)\}", text)}


def pieces(topic, facts, language, task, seed, loose):
    """The text of a task. Each fact has a form of its own, which a mutation of it keeps."""
    written = []
    for index, part in enumerate(re.split(r"\{([a-z.]+)\}", topic.texts[language, task])):
        if index % 2 == 0:
            written.append(Piece(part))
            continue
        name, _, style = part.partition(".")
        form = f"{seed}/{topic.name}/{language}/{task}/{index}/{loose}"
        written.append(rewrite(Piece("", name, style, form), facts[name], language, loose))
    return written


def rewrite(piece, fact, language, loose, style=None, spell=False):
    style = piece.style if style is None else style
    return replace(piece, text=write(fact, language, style, Random(piece.form), loose, spell))


def joined(written):
    return "".join(piece.text for piece in written)


def spans(written, wanted):
    """UTF-8 byte ranges of the pieces at the wanted places."""
    at, found = 0, []
    for index, piece in enumerate(written):
        end = at + len(piece.text.encode())
        if index in wanted:
            found.append([at, end])
        at = end
    return found
