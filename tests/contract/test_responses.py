"""The Responses API with the official client."""

import json

import httpx2
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

ASK = {"input": "Where is the town hall?", "max_output_tokens": 24}
TOOL = {
    "type": "function",
    "name": "look_up",
    "description": "finds a file",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"number": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["number"],
        "additionalProperties": False,
    },
}


class Urgency(BaseModel):
    urgent: bool


def test_a_plain_answer_is_the_fold_of_the_streamed_one(client, model):
    whole = client.responses.create(model=model, temperature=0, **ASK)
    assert whole.object == "response" and whole.status in ("completed", "incomplete")
    events = list(client.responses.create(model=model, temperature=0, stream=True, **ASK))
    final = events[-1].response
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert final.output_text == whole.output_text
    assert final.usage.output_tokens == whole.usage.output_tokens
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == whole.output_text


def test_a_conversation_goes_on_and_is_deleted(client, model):
    first = client.responses.create(model=model, **ASK)
    second = client.responses.create(model=model, previous_response_id=first.id, **ASK)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.input_tokens
    assert client.responses.retrieve(first.id).output_text == first.output_text
    assert client.responses.input_items.list(first.id).data[0].content[0].text == ASK["input"]
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_a_form_is_parsed(client, model):
    # With a seed: what random weights draw may be spaces for longer than any limit.
    asked = {"input": "Is it urgent?", "max_output_tokens": 256, "extra_body": {"seed": 1}}
    answer = client.responses.parse(model=model, text_format=Urgency, **asked)
    assert isinstance(answer.output_parsed, Urgency)


def test_a_forced_call_fits_its_schema_streamed_and_plain(client, model):
    asked = {"model": model, "input": "Look up file 3.", "tools": [TOOL], "max_output_tokens": 120}
    asked |= {"tool_choice": {"type": "function", "name": "look_up"}, "temperature": 0}
    [call] = client.responses.create(**asked).output
    assert call.type == "function_call" and call.name == "look_up"
    assert 1 <= json.loads(call.arguments)["number"] <= 9
    events = list(client.responses.create(**asked, stream=True))
    deltas = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    [done] = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert deltas == done.arguments == call.arguments
    assert events[-1].type == "response.completed"


@pytest.mark.parametrize(
    "asked",
    [ASK, ASK | {"max_output_tokens": 2}, {"input": "x", "tools": [TOOL], "tool_choice": "required", "max_output_tokens": 60}],
    ids=["text", "cut off", "call"],
)
def test_every_event_has_the_fields_of_its_type(url, key, model, asked):
    body = asked | {"model": model, "stream": True}
    answer = httpx2.post(f"{url}/v1/responses", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    names = [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names == [event["type"] for event in events]
    known = TypeAdapter(ResponseStreamEvent)
    for event in events:
        # The client builds its objects from anything; this looks at them.
        known.validate_python(event)
    Response.model_validate(events[-1]["response"])


def test_in_the_background(client, model):
    begun = client.responses.create(model=model, background=True, **ASK)
    assert begun.background is True
    while (now := client.responses.retrieve(begun.id)).status == "in_progress":
        pass
    assert now.status in ("completed", "incomplete") and now.output_text
    cancelled = client.responses.cancel(begun.id)
    assert cancelled.status == now.status


def test_errors_name_the_field(client, model):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=model, input="a", truncation="auto")
    assert refused.value.param == "truncation"
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.create(model=model, input="a", previous_response_id="resp_none")
    assert missing.value.code == "previous_response_not_found"
