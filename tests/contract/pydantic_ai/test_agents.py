"""Agents of pydantic-ai on both of this API's ways to chat: strict functions, outputs in each of
its modes, and streams."""

import asyncio
import os
from typing import Literal

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelHTTPError, NativeOutput, PromptedOutput, Tool, ToolOutput
from pydantic_ai.messages import PartDeltaEvent, TextPartDelta, ThinkingPart, ToolCallPart, ToolCallPartDelta
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

ANSWER = "The file is in room 12."
Town = Literal["Köln", "Bonn"]


class Place(BaseModel):
    room: int
    town: Town


PLACE = Place(room=12, town="Köln")


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel], ids=["chat", "responses"])
def model(request):
    provider = OpenAIProvider(base_url=os.environ["CONTRACT_URL"] + "/v1", api_key=os.environ["CONTRACT_KEY"])
    return request.param(os.environ["CONTRACT_MODEL"], provider=provider)


@pytest.fixture
def calls() -> list:
    return []


@pytest.fixture
def look_up(calls):
    def look_up(number: int, town: Town) -> str:
        """Finds a file."""
        calls.append((number, town))
        return "Room 12"

    return Tool(look_up, strict=True)


def test_a_strict_function_is_called_and_its_result_told(model, look_up, calls):
    result = asyncio.run(Agent(model, tools=[look_up]).run("Where is file 7?"))
    assert result.output == ANSWER and calls == [(7, "Köln")]
    assert result.usage.requests == 2 and result.usage.output_tokens > len(ANSWER)


def test_functions_are_called_in_parallel(model, look_up, calls):
    result = asyncio.run(Agent(model, tools=[look_up]).run("Where are files 7 and 8?"))
    assert result.output == ANSWER and sorted(calls) == [(7, "Köln"), (8, "Bonn")]


def test_a_run_is_streamed_event_by_event(model, look_up, calls):
    async def run() -> tuple[list, str]:
        events = []

        async def collect(_, stream) -> None:
            events.extend([event async for event in stream])

        agent = Agent(model, tools=[look_up])
        async with agent.run_stream("Where is file 7?", event_stream_handler=collect) as stream:
            text = "".join([delta async for delta in stream.stream_text(delta=True, debounce_by=None)])
            return events, text

    events, text = asyncio.run(run())
    assert text == ANSWER and calls == [(7, "Köln")]
    arguments = [e.delta.args_delta for e in events if isinstance(e, PartDeltaEvent) and isinstance(e.delta, ToolCallPartDelta)]
    # They come as they are generated, not at once.
    assert len(arguments) > 10 and "".join(filter(None, arguments)).endswith('"town": "Köln"}')


def test_words_are_streamed(model):
    async def run() -> list[str]:
        async with Agent(model).run_stream("Say it with words") as stream:
            return [delta async for delta in stream.stream_text(delta=True, debounce_by=None)]

    deltas = asyncio.run(run())
    assert "".join(deltas) == ANSWER and len(deltas) > 10


@pytest.mark.parametrize("mode", [ToolOutput, NativeOutput, PromptedOutput])
@pytest.mark.parametrize("strict", [True, None])
def test_an_output_is_of_its_class_plain_and_streamed(model, mode, strict):
    agent = Agent(model, output_type=mode(Place) if mode is PromptedOutput else mode(Place, strict=strict))
    assert asyncio.run(agent.run("Which room is it?")).output == PLACE

    async def stream() -> list[Place]:
        async with agent.run_stream("Which room is it?") as stream:
            return [place async for place in stream.stream_output(debounce_by=None)]

    assert asyncio.run(stream())[-1] == PLACE


def test_an_output_comes_after_a_call(model, look_up, calls):
    result = asyncio.run(Agent(model, tools=[look_up], output_type=Place).run("Where is file 7?"))
    assert result.output == PLACE and calls == [(7, "Köln")]


def test_what_was_thought_is_a_part_and_may_be_sent_back(model):
    agent = Agent(model)
    first = asyncio.run(agent.run("Think it over"))
    assert first.output == "Twelve."
    [thought] = [part for part in first.response.parts if isinstance(part, ThinkingPart)]
    said = thought.content or "".join((thought.provider_details or {}).get("raw_content", []))
    assert said == "Seven and five."
    second = asyncio.run(agent.run("Say it with words", message_history=first.all_messages()))
    assert second.output == ANSWER


def test_a_history_of_calls_may_be_sent_back(model, look_up):
    agent = Agent(model, tools=[look_up])
    first = asyncio.run(agent.run("Where is file 7?"))
    assert any(isinstance(part, ToolCallPart) for message in first.all_messages() for part in message.parts)
    second = asyncio.run(agent.run("Say it with words", message_history=first.all_messages()))
    assert second.output == ANSWER


def test_an_error_names_its_status_and_field(model):
    with pytest.raises(ModelHTTPError) as refused:
        asyncio.run(Agent(model, model_settings={"temperature": 3}).run("Say it with words"))
    assert refused.value.status_code == 400
    assert refused.value.body["param"] == "temperature"
