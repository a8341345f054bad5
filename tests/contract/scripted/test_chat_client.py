"""The official client with a model whose every word is known: what it makes of an answer is what
the model said."""

import json

import openai
import pytest
from pydantic import BaseModel

SAID = "Das Rathaus steht am Markt. À côté de l'église 🏛️."
ASK = [{"role": "user", "content": "Wo ist das Rathaus?"}]
IN_KOELN, IN_ZUERICH = {"city": "Köln", "days": 2}, {"city": "Zürich", "days": 1}


class Urgency(BaseModel):
    urgent: bool
    reason: str


def urgency(client, model, call):
    return getattr(client.chat.completions, call)(
        model=model, messages=[{"role": "user", "content": "Wie dringend?"}], response_format=Urgency
    )


def about(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def test_an_answer_is_what_was_said(client, model):
    answer = client.chat.completions.create(model=model, messages=ASK)
    choice = answer.choices[0]
    assert choice.message.content == SAID and choice.message.tool_calls is None
    assert choice.finish_reason == "stop"
    # Each byte is a token here.
    assert answer.usage.completion_tokens == len(SAID.encode())


def test_a_stream_adds_up_to_it_with_its_usage(client, model):
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=model, messages=ASK, stream=True, stream_options=options))
    *parts, last = chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in parts) == SAID
    assert [chunk.choices[0].finish_reason for chunk in parts[:-1]] == [None] * (len(parts) - 1)
    assert parts[-1].choices[0].finish_reason == "stop"
    assert last.choices == [] and last.usage.completion_tokens == len(SAID.encode())


def test_a_stop_string_ends_it_and_a_limit_cuts_it(client, model):
    stopped = client.chat.completions.create(model=model, messages=ASK, stop=["Markt"]).choices[0]
    assert stopped.message.content == "Das Rathaus steht am " and stopped.finish_reason == "stop"
    cut = client.chat.completions.create(model=model, messages=ASK, max_completion_tokens=11).choices[0]
    assert cut.message.content == "Das Rathaus" and cut.finish_reason == "length"


def test_a_form_is_parsed_plain_and_streamed(client, model):
    expected = Urgency(urgent=True, reason="Die Frist läuft am Montag ab.")
    assert urgency(client, model, "parse").choices[0].message.parsed == expected
    with urgency(client, model, "stream") as stream:
        kinds = [event.type for event in stream]
    assert stream.get_final_completion().choices[0].message.parsed == expected
    assert kinds.count("content.delta") > 10 and kinds[-1] == "content.done"


def test_a_form_that_was_cut_off_is_not_taken_for_whole(client, model):
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(
            model=model, messages=about("Wie dringend?"), response_format=Urgency, max_completion_tokens=12
        )


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_calls_come_beside_text_and_in_parallel(client, model, weather, choice):
    asked = {"model": model, "messages": about("Wetter in zwei Städten"), "tools": [weather], "tool_choice": choice}
    if choice == "required":
        asked["messages"] = about("Wetter in Köln")
    whole = client.chat.completions.create(**asked).choices[0]
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in whole.message.tool_calls]
    expected = [IN_KOELN, IN_ZUERICH] if choice == "auto" else [IN_KOELN]
    assert calls == [("weather", arguments) for arguments in expected]
    assert whole.message.content == ("Ich sehe nach." if choice == "auto" else None)
    assert whole.finish_reason == "tool_calls"

    with client.chat.completions.stream(**asked) as stream:
        deltas = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
    streamed = stream.get_final_completion().choices[0]
    assert [call.function.arguments for call in streamed.message.tool_calls] == [
        call.function.arguments for call in whole.message.tool_calls
    ]
    # In a stream, nothing was said where there is no text: that none comes is known at its end.
    assert streamed.message.content == (whole.message.content or "") and streamed.finish_reason == "tool_calls"
    # Arguments come as they are generated, not at once.
    assert len(deltas) > 10
    assert len({call.id for call in streamed.message.tool_calls}) == len(expected)


def test_strict_arguments_are_parsed_into_their_class(client, model):
    class weather(BaseModel):  # noqa: N801: a function's name.
        city: str
        days: int

    tool = openai.pydantic_function_tool(weather)
    answer = client.chat.completions.parse(model=model, messages=about("Wetter in Köln"), tools=[tool])
    [call] = answer.choices[0].message.tool_calls
    assert call.function.parsed_arguments == weather(**IN_KOELN)


def test_a_result_leads_to_an_answer(client, model, weather):
    messages = about("Wetter in Köln")
    asked = client.chat.completions.create(model=model, messages=messages, tools=[weather]).choices[0].message
    # As the client's users do it: what came is sent back as it is.
    messages += [asked, {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "17 Grad"}]
    answer = client.chat.completions.create(model=model, messages=messages, tools=[weather])
    assert answer.choices[0].message.content == "In Köln sind es 17 Grad."
    assert answer.choices[0].finish_reason == "stop"


def test_what_was_thought_is_told_apart(client, model):
    answer = client.chat.completions.create(model=model, messages=about("Denk nach"))
    message = answer.choices[0].message
    assert message.content == "Vier." and message.reasoning_content == "Zwei und zwei."
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0


def test_it_is_the_same_asynchronously(url, key, model):
    import asyncio

    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key) as client:

            async def one() -> str:
                answer = await client.chat.completions.create(model=model, messages=ASK)
                return answer.choices[0].message.content

            return await asyncio.gather(*(one() for _ in range(8)))

    assert asyncio.run(ask()) == [SAID] * 8


def test_texts_become_vectors(client, embedder):
    texts = ["Wohngeld", "Bauantrag", "Wohngeld"]
    one, other, again = (item.embedding for item in client.embeddings.create(model=embedder, input=texts).data)
    assert len(one) == 48 and one == again != other
    floats = client.embeddings.create(model=embedder, input="Wohngeld", encoding_format="float").data[0].embedding
    assert floats == pytest.approx(one, abs=1e-6)
