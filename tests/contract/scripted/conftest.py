"""What the tests of the scripted model share."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import servers
from jsonschema import Draft202012Validator

SCHEMAS = json.loads((servers.ROOT / "tests/fixtures/openai-answers.json").read_text(encoding="utf-8"))
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city", "days"],
    "additionalProperties": False,
}


@pytest.fixture
def embedder() -> str:
    return os.environ["CONTRACT_EMBEDDER"]


@pytest.fixture
def weather() -> dict:
    """The function as a chat has it."""
    return {"type": "function", "function": {"name": "weather", "description": "The weather", "parameters": WEATHER}}


@pytest.fixture
def flat_weather() -> dict:
    """The function as a response has it."""
    return {"type": "function", "name": "weather", "description": "The weather", "parameters": WEATHER, "strict": True}


@pytest.fixture
def busy() -> Iterator[dict[str, str]]:
    """Another server, whose model is still to come and then slow."""
    with servers.play(Path(os.environ["CONTRACT_PLAYER"]), Path(__file__).parent / "busy.toml") as place:
        yield place


@pytest.fixture
def post(url, key):
    """Sends a body as it is and gives back the answer as it came."""

    def send(path: str, body: dict) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {key}"}
        # A model that failed for another test is back in a moment.
        while (answer := httpx2.post(f"{url}{path}", json=body, headers=headers, timeout=60)).status_code == 503:
            time.sleep(0.05)
        return answer

    return send


@pytest.fixture
def fits():
    """Holds an object against one of OpenAI's schemas, by its name."""

    def check(value: object, name: str) -> None:
        assert name in SCHEMAS["$defs"], name
        schema = {"$ref": f"#/$defs/{name}", "$defs": SCHEMAS["$defs"]}
        errors = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda error: error.json_path)
        assert not errors, f"{name}: " + "; ".join(f"{e.json_path}: {e.message}" for e in errors) + f" in {value}"

    return check


@pytest.fixture
def fits_its_event(fits):
    """Holds an event against the schema of its type."""
    events = [option["$ref"].rpartition("/")[2] for option in SCHEMAS["$defs"]["ResponseStreamEvent"]["anyOf"]]
    by_type = {kind: name for name in events for kind in SCHEMAS["$defs"][name]["properties"]["type"]["enum"]}

    def check(event: dict) -> None:
        fits(event, by_type[event["type"]])
        fits(event, "ResponseStreamEvent")

    return check
