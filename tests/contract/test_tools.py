"""Functions that a chat may call, as the client's own helpers ask for them. The model is small and
knows no tools: what is forced must fit all the same."""

import json
from typing import Literal

import openai
from pydantic import BaseModel

MESSAGES = [{"role": "user", "content": "Wo?"}]


class office(BaseModel):
    town: Literal["Köln", "Bonn"]


TOOL = openai.pydantic_function_tool(office)


def test_a_forced_call_fits_its_class_plain_and_streamed(client, model):
    # Others fill the small context with white space.
    for seed in (0, 1, 4):
        parameters = {"model": model, "messages": MESSAGES, "temperature": 1.5, "seed": seed}
        parameters |= {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}
        answer = client.chat.completions.parse(**parameters)
        choice = answer.choices[0]
        assert choice.finish_reason == "tool_calls"
        called = choice.message.tool_calls[0].function
        assert isinstance(called.parsed_arguments, office)
        with client.chat.completions.stream(**parameters) as stream:
            deltas = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
            final = stream.get_final_completion()
        assert len(deltas) > 1
        assert final.choices[0].message.tool_calls[0].function.parsed_arguments == called.parsed_arguments


def test_a_named_function_is_called_once(client, model):
    answer = client.chat.completions.create(
        model=model,
        messages=MESSAGES,
        seed=1,
        tools=[TOOL, {"type": "function", "function": {"name": "nothing"}}],
        tool_choice={"type": "function", "function": {"name": "nothing"}},
    )
    message = answer.choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["nothing"]
    assert json.loads(message.tool_calls[0].function.arguments) == {}
    assert answer.choices[0].finish_reason == "stop"


def test_a_result_is_sent_back(client, model):
    call = {"id": "call_1", "type": "function", "function": {"name": "office", "arguments": '{"town": "Bonn"}'}}
    answer = client.chat.completions.create(
        model=model,
        messages=[
            *MESSAGES,
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Zimmer 12"},
        ],
        tools=[TOOL],
        tool_choice="none",
        max_tokens=20,
    )
    assert answer.choices[0].message.content
    assert answer.choices[0].message.tool_calls is None
