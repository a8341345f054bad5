"""Chat and completions, plain and streamed, as the official client reads them."""

import asyncio

import openai
import pytest

MESSAGES = [{"role": "user", "content": "Bitte fassen Sie den Brief zusammen – merci !"}]


def chat(client, model, **parameters):
    return client.chat.completions.create(
        model=model, messages=MESSAGES, **({"max_tokens": 12, "temperature": 0} | parameters)
    )


def test_a_chat_has_a_message_a_reason_and_a_usage(client, model):
    answer = chat(client, model)
    assert answer.id.startswith("chatcmpl-")
    assert answer.object == "chat.completion"
    assert answer.model == model
    assert answer.system_fingerprint.startswith("fp_")
    [choice] = answer.choices
    assert choice.index == 0
    assert choice.message.role == "assistant"
    assert isinstance(choice.message.content, str)
    assert choice.finish_reason in ("stop", "length")
    assert 1 <= answer.usage.completion_tokens <= 12
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_joins_to_the_plain_answer(client, model):
    plain = chat(client, model).choices[0]
    chunks = list(chat(client, model, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == plain.message.content
    assert chunks[-1].choices[0].finish_reason == plain.finish_reason
    assert all(c.usage is None for c in chunks)
    assert len({c.id for c in chunks}) == 1


def test_include_usage_adds_one_chunk_without_choices(client, model):
    *chunks, last = chat(client, model, stream=True, stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage == chat(client, model).usage
    assert all(c.usage is None and len(c.choices) == 1 for c in chunks)


def test_the_streaming_helper_of_the_client_accumulates(client, model):
    # The helper takes an answer that ends for length as an error, so this one ends before.
    stop = chat(client, model).choices[0].message.content[3:5]
    parameters = {"model": model, "messages": MESSAGES, "max_tokens": 12, "temperature": 0, "stop": stop}
    with client.chat.completions.stream(**parameters) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    plain = client.chat.completions.create(**parameters)
    assert final.choices[0].message.content == plain.choices[0].message.content
    assert final.choices[0].finish_reason == plain.choices[0].finish_reason == "stop"


def test_the_same_seed_gives_the_same_answer(client, model):
    first, second = (chat(client, model, temperature=1.5, seed=-7, n=3) for _ in range(2))
    texts = [choice.message.content for choice in first.choices]
    assert [choice.message.content for choice in second.choices] == texts
    assert [choice.index for choice in first.choices] == [0, 1, 2]


def test_an_earlier_answer_can_be_sent_back(client, model):
    message = chat(client, model).choices[0].message
    answer = client.chat.completions.create(
        model=model, messages=[*MESSAGES, message, {"role": "user", "content": "Danke."}], max_tokens=2
    )
    assert answer.usage.completion_tokens <= 2


def test_a_stop_string_is_not_in_the_answer(client, model):
    text = chat(client, model, max_tokens=40).choices[0].message.content
    stop = text[len(text) // 2 :][:2]
    choice = chat(client, model, max_tokens=40, stop=stop).choices[0]
    assert choice.message.content == text[: text.index(stop)]
    assert choice.finish_reason == "stop"


@pytest.mark.parametrize("prompt", ["Sehr geehrte", ["a", "b"], [72, 73], [[72], [73, 74]]])
def test_completions_take_every_form_of_prompt(client, model, prompt):
    answer = client.completions.create(model=model, prompt=prompt, max_tokens=4, temperature=0)
    assert answer.object == "text_completion"
    assert answer.id.startswith("cmpl-")
    num_prompts = len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
    assert [choice.index for choice in answer.choices] == list(range(num_prompts))


def test_a_streamed_completion_joins_to_the_plain_one(client, model):
    parameters = {"model": model, "prompt": "Le guichet", "max_tokens": 10, "temperature": 0}
    plain = client.completions.create(**parameters)
    chunks = list(client.completions.create(**parameters, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].text for c in chunks[:-1]) == plain.choices[0].text
    assert chunks[-1].usage == plain.usage


def test_many_clients_at_once_get_what_one_gets_alone(url, key, model):
    async def ask(client, i):
        answer = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": f"Frage {i}"}], max_tokens=10, temperature=0
        )
        return answer.choices[0].message.content

    async def ask_all():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            together = await asyncio.gather(*(ask(client, i) for i in range(16)))
            return together, [await ask(client, i) for i in range(16)]

    together, alone = asyncio.run(ask_all())
    assert together == alone
