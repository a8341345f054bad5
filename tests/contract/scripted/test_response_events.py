"""The Responses API: the order of its events, each held against OpenAI's specification."""

import json
import uuid
from itertools import groupby

import openai
import pytest
from pydantic import BaseModel

BEGIN = ["response.created", "response.in_progress"]
TEXT = [
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]
REASONING = [kind.replace("output_text", "reasoning_text") for kind in TEXT]
CALL = [
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
]


@pytest.fixture
def events(post, model, fits_its_event):
    """The events of a stream, each valid, and those of the plain answer's response."""

    def ask(said: str, **more: object) -> list[dict]:
        # A request on which the model failed twice is not tried a third time: each is its own.
        body = {"model": model, "input": f"{uuid.uuid4()}: {said}", "stream": True} | more
        answer = post("/v1/responses", body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        names = [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]
        assert names == [event["type"] for event in events]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        for event in events:
            fits_its_event(event)
        return events

    return ask


def order(events: list[dict]) -> list[str]:
    """Deltas of one item in a row count once."""
    return [kind for kind, _ in groupby(event["type"] for event in events)]


def test_a_text(events):
    found = events("Wo ist das Rathaus?")
    assert order(found) == [*BEGIN, *TEXT, "response.completed"]
    assert found[-1]["response"]["output"][0]["content"][0]["text"].startswith("Das Rathaus")


def test_a_text_with_the_probabilities_of_its_tokens(events):
    found = events("Wo ist das Rathaus?", include=["message.output_text.logprobs"], top_logprobs=2)
    assert order(found) == [*BEGIN, *TEXT, "response.completed"]
    assert len(found[-1]["response"]["output"][0]["content"][0]["logprobs"][0]["top_logprobs"]) == 2


def test_a_form(events):
    schema = {"type": "object", "properties": {"urgent": {"type": "boolean"}, "reason": {"type": "string"}}}
    schema |= {"required": ["urgent", "reason"], "additionalProperties": False}
    found = events("Wie dringend?", text={"format": {"type": "json_schema", "name": "urgency", "schema": schema}})
    assert order(found) == [*BEGIN, *TEXT, "response.completed"]


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "name": "weather"}], ids=str)
def test_a_call(events, flat_weather, choice):
    found = events("Wetter in Köln", tools=[flat_weather], tool_choice=choice)
    assert order(found) == [*BEGIN, *CALL, "response.completed"]
    [call] = found[-1]["response"]["output"]
    assert json.loads(call["arguments"]) == {"city": "Köln", "days": 2}


def test_a_text_and_two_calls(events, flat_weather):
    found = events("Wetter in zwei Städten", tools=[flat_weather])
    assert order(found) == [*BEGIN, *TEXT, *CALL, *CALL, "response.completed"]


def test_reasoning_and_a_text(events):
    found = events("Denk nach")
    assert order(found) == [*BEGIN, *REASONING, *TEXT, "response.completed"]


def test_reasoning_and_a_call(events, flat_weather):
    found = events("Denk nach und frag", tools=[flat_weather])
    assert order(found) == [*BEGIN, *REASONING, *CALL, "response.completed"]


@pytest.mark.parametrize(
    ("text", "items"),
    [("Brich ab", TEXT), ("Brich beim Denken ab", REASONING), ("Brich beim Aufruf ab", CALL)],
    ids=["in a text", "in thinking", "in a call"],
)
def test_a_failure(events, flat_weather, text, items):
    found = events(text, tools=[flat_weather])
    assert order(found) == [*BEGIN, *items, "response.failed"]
    assert found[-1]["response"]["status"] == "failed"
    assert found[-1]["response"]["error"]["code"] == "server_error"


@pytest.mark.parametrize(
    ("text", "limit", "items"),
    [("Wo ist das Rathaus?", 11, TEXT), ("Denk nach", 12, REASONING), ("Wetter in Köln", 60, CALL)],
    ids=["in a text", "in thinking", "in a call"],
)
def test_a_truncation(events, flat_weather, text, limit, items):
    found = events(text, tools=[flat_weather], max_output_tokens=limit)
    assert order(found) == [*BEGIN, *items, "response.incomplete"]
    assert found[-1]["response"]["status"] == "incomplete"
    assert found[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_every_response_object_is_openais(post, key, url, model, client, fits, flat_weather):
    """Plain, in the background, retrieved, cancelled, failed and listed."""
    for text, more in [
        ("Wo ist das Rathaus?", {"instructions": "Sei kurz.", "metadata": {"a": "b"}}),
        ("Wetter in zwei Städten", {"tools": [flat_weather], "tool_choice": "auto"}),
        ("Denk nach", {"reasoning": {"effort": "low"}, "max_output_tokens": 40}),
        ("Wo ist das Rathaus?", {"background": True}),
    ]:
        answer = post("/v1/responses", {"model": model, "input": text} | more)
        assert answer.status_code == 200, answer.text
        fits(answer.json(), "Response")
        stored = client.responses.with_raw_response.retrieve(answer.json()["id"])
        fits(json.loads(stored.text), "Response")
        items = client.responses.input_items.with_raw_response.list(answer.json()["id"])
        fits(json.loads(items.text), "ResponseItemList")


class Urgency(BaseModel):
    urgent: bool
    reason: str


def test_the_client_follows_it(client, model, flat_weather):
    """What the client's own helpers fold is what the last event holds."""
    with client.responses.stream(model=model, input="Wetter in zwei Städten", tools=[flat_weather]) as stream:
        for _ in stream:
            pass
    final = stream.get_final_response()
    assert [item.type for item in final.output] == ["message", "function_call", "function_call"]
    answer = client.responses.parse(model=model, input="Wie dringend?", text_format=Urgency)
    assert answer.output_parsed.urgent is True

    call = final.output[1]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "17 Grad"}
    more = client.responses.create(model=model, previous_response_id=final.id, input=[result], tools=[flat_weather])
    assert more.output_text == "In Köln sind es 17 Grad."
    # Without the store, everything is sent back as it came.
    items = [{"role": "user", "content": "Wetter in zwei Städten"}, *final.output, result]
    again = client.responses.create(model=model, input=items, tools=[flat_weather], store=False)
    assert again.output_text == more.output_text


def test_a_failure_reaches_the_client(client, model):
    asked = {"model": model, "input": f"{uuid.uuid4()}: Brich ab"}
    with pytest.raises(openai.InternalServerError):
        client.responses.create(**asked)
    events = list(client.with_options(max_retries=5).responses.create(**asked, stream=True))
    assert events[-1].type == "response.failed"
