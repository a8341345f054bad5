"""What the official client makes of errors: what it tries again, and what it does not."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

MESSAGES = [{"role": "user", "content": "Wo ist das Rathaus?"}]


def connect(place: dict[str, str], max_retries: int) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{place['CONTRACT_URL']}/v1", api_key=place["CONTRACT_KEY"], max_retries=max_retries)


@pytest.fixture
def attempts(url, key):
    """A client that would try again, and the requests that it sent."""
    seen = []
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=3)
    client._client.event_hooks["request"].append(seen.append)
    return client, seen


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"temperature": 3}, openai.BadRequestError),
        ({"model": "unbekannt"}, openai.NotFoundError),
        ({"messages": [{"role": "user", "content": "ab" * 9000}]}, openai.BadRequestError),
    ],
    ids=["400", "404", "too long"],
)
def test_what_is_the_callers_is_not_tried_again(attempts, model, change, error):
    client, seen = attempts
    with pytest.raises(error) as refused:
        client.chat.completions.create(**{"model": model, "messages": MESSAGES} | change)
    assert refused.value.param in change
    assert len(seen) == 1


def test_a_wrong_key_is_not_tried_again(attempts, model):
    client, seen = attempts
    client.api_key = "gch_falsch"
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model=model, messages=MESSAGES)
    assert len(seen) == 1


def test_a_model_that_is_still_to_come_is_waited_for(busy):
    asked = {"model": busy["CONTRACT_MODEL"], "messages": MESSAGES, "max_tokens": 2}
    with pytest.raises(openai.InternalServerError) as refused:
        connect(busy, 0).chat.completions.create(**asked)
    assert refused.value.status_code == 503 and refused.value.code == "model_loading"
    assert int(refused.value.response.headers["retry-after"]) >= 1
    assert connect(busy, 5).chat.completions.create(**asked).choices[0].message.content == "Di"

    # And now that it is there, a full queue is waited for in the same way.
    running = connect(busy, 0).chat.completions.create(**asked | {"max_tokens": 100, "stream": True})
    next(iter(running))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: connect(busy, 9).chat.completions.create(**asked | {"max_tokens": 20}))
        with pytest.raises(openai.InternalServerError) as refused:
            # Until the other one waits, this one has its place.
            for _ in range(50):
                connect(busy, 0).chat.completions.create(**asked)
        assert refused.value.code == "overloaded"
        assert int(refused.value.response.headers["retry-after"]) >= 1
        began = time.monotonic()
        assert connect(busy, 5).chat.completions.create(**asked).choices[0].message.content == "Di"
        # The client waited as long as it was told to, which is longer than it would by itself.
        assert time.monotonic() - began >= 1
        assert waiting.result().choices[0].finish_reason == "length"
    running.close()


def test_a_failure_of_the_model_is_an_error_and_the_next_request_is_answered(client, model):
    # A request on which the model failed twice is not tried a third time: each is its own.
    asked = {"model": model, "messages": [{"role": "user", "content": f"{uuid.uuid4()}: Brich ab"}]}
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(**asked)
    assert failed.value.status_code == 500
    answer = client.with_options(max_retries=5).chat.completions.create(model=model, messages=MESSAGES)
    assert answer.choices[0].message.content.startswith("Das Rathaus")


def test_a_failure_after_the_first_byte_is_raised_from_the_stream(client, model):
    asked = {"model": model, "messages": [{"role": "user", "content": f"{uuid.uuid4()}: Brich ab"}]}
    text = ""
    with pytest.raises(openai.APIError) as failed:
        for chunk in client.with_options(max_retries=5).chat.completions.create(**asked, stream=True):
            text += chunk.choices[0].delta.content or ""
    assert text == "Ich fange an"
    assert failed.value.type == "server_error"
