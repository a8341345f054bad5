"""Bounded JSON schemas, drawn by a number: enough of them to meet every keyword that is enforced
in many neighbourhoods, and small enough that an answer fits a small context."""

import random

NAMES = ["name", "größe", "prénom", "Aktenzeichen", "λ", "a b", 'quo"te', "back\\slash", "x/y", "😀"]
WORDS = ["ja", "nein", "peut-être", "§ 35a", "", "\n", '"', "\\", "ß", "日本", "e\u0301", "a" * 20]
PATTERNS = ["^[A-Z]{2}[0-9]{4}$", "^(ja|nein)$", "^[0-9]{1,3}(,[0-9]{2})? €$", r"^\w{1,6}$", "^[^a-z]{1,5}$", "^.{3}$"]
FORMATS = ["date", "time", "date-time", "uuid", "ipv4"]


def schema(number: int) -> dict:
    draw = random.Random(f"guichet schema {number}")
    found = _object(draw, 2) if number % 3 else _any(draw, 2)
    if number % 5 == 0:
        part = {"$ref": "#/$defs/part"}
        properties = {"one": part, "two": part}
        return {
            "$defs": {"part": found},
            "type": "object",
            "properties": properties,
            "required": ["one"],
            "additionalProperties": False,
        }
    return found


def _any(draw: random.Random, depth: int) -> dict:
    kinds = [_string, _string, _integer, _enum, _plain, _nullable, _other]
    kinds += [_object, _array, _any_of, _tagged, _set, _one_of, _conditional, _extended] if depth > 0 else []
    return draw.choice(kinds)(draw, depth)


def _string(draw: random.Random, _depth: int) -> dict:
    kind = draw.randrange(3)
    if kind == 0:
        return {"type": "string", "pattern": draw.choice(PATTERNS)}
    if kind == 1:
        return {"type": "string", "format": draw.choice(FORMATS)}
    least = draw.randrange(3)
    return {"type": "string", "minLength": least, "maxLength": least + draw.randrange(6)}


def _integer(draw: random.Random, _depth: int) -> dict:
    step = draw.choice([1, 2, 5]) if draw.random() < 0.3 else None
    # There is always a number left: the lower bound, or what comes behind it.
    low = draw.choice([-1000, -7, 0, 1, 12, 999]) // (step or 1) * (step or 1)
    bounds = {"minimum": low, "maximum": low + draw.choice([0, 5, 10, 100_000])}
    if draw.random() < 0.3:
        bounds = {"exclusiveMinimum": low, "exclusiveMaximum": low + 30}
    if step:
        bounds["multipleOf"] = step
    return {"type": "integer", **bounds}


def _enum(draw: random.Random, _depth: int) -> dict:
    values = draw.sample(WORDS, 3) + draw.sample([None, True, 7, -3.5, [1, "a"], {"k": "v"}], 2)
    return {"enum": values} if draw.random() < 0.7 else {"const": values[-1]}


def _plain(draw: random.Random, _depth: int) -> dict:
    return {"type": draw.choice(["boolean", "null"])}


def _nullable(draw: random.Random, depth: int) -> dict:
    inner = _string(draw, depth)
    return inner | {"type": ["string", "null"]}


def _array(draw: random.Random, depth: int) -> dict:
    least = draw.randrange(2)
    if draw.random() < 0.3:
        return {"type": "array", "prefixItems": [_any(draw, depth - 1), _any(draw, 0)], "items": False, "minItems": 1 + least}
    return {"type": "array", "items": _any(draw, depth - 1), "minItems": least, "maxItems": least + draw.randrange(3)}


def _object(draw: random.Random, depth: int) -> dict:
    names = draw.sample(NAMES, 1 + draw.randrange(3))
    required = [name for name in names if draw.random() < 0.6]
    properties = {name: _any(draw, depth - 1) for name in names}
    return {"type": "object", "title": "T", "properties": properties, "required": required, "additionalProperties": False}


def _any_of(draw: random.Random, depth: int) -> dict:
    return {"anyOf": [_any(draw, depth - 1), _any(draw, depth - 1)], "description": "one or the other"}


def _other(draw: random.Random, depth: int) -> dict:
    refused = {"enum": draw.sample(WORDS, 4)} if draw.random() < 0.5 else {"minLength": 2, "maxLength": 3}
    return {"type": "string", "maxLength": 5, "not": refused}


def _set(draw: random.Random, depth: int) -> dict:
    listed = {"type": "array", "items": {"enum": draw.sample(WORDS, 4)}, "uniqueItems": True}
    return listed if draw.random() < 0.5 else {"type": "array", "items": {"enum": [1, 2]}, "contains": {"const": 2}, "maxItems": 3}


def _one_of(draw: random.Random, depth: int) -> dict:
    low = draw.randrange(20)
    return {"type": "integer", "minimum": -50, "maximum": 50, "oneOf": [{"minimum": low}, {"maximum": low + 7}, {"const": low + 3}]}


def _conditional(draw: random.Random, depth: int) -> dict:
    found = _object(draw, depth - 1)
    found["properties"] = {"kind": {"enum": ["brief", "Bescheid", "§"]}} | found["properties"]
    found["required"] = ["kind"]
    name = list(found["properties"])[-1]
    condition = {"properties": {"kind": {"const": "Bescheid"}}, "required": ["kind"]}
    return found | {"if": condition, "then": {"required": [name]}, "else": {"properties": {name: False}} if name != "kind" else {}}


def _extended(draw: random.Random, depth: int) -> dict:
    parts = [_object(draw, depth - 1) for _ in range(2)]
    for part in parts:
        del part["additionalProperties"]
    # What both have, both may ask for something else of.
    for name in parts[0]["properties"].keys() & parts[1]["properties"].keys():
        parts[1]["properties"][name] = True
    return {"type": "object", "allOf": parts, "unevaluatedProperties": False}


def _tagged(draw: random.Random, depth: int) -> dict:
    def member(tag: str) -> dict:
        found = _object(draw, depth - 1)
        found["properties"] = {"kind": {"const": tag}} | found["properties"]
        return found | {"required": ["kind", *found["required"]]}

    return {"oneOf": [member("brief"), member("Bescheid")]}
