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


def test_a_model_that_is_still_to_come_and_then_full_is_waited_for(busy):
    asked = {"model": busy["CONTRACT_MODEL"], "messages": MESSAGES, "max_tokens": 20}
    with pytest.raises(openai.InternalServerError) as refused:
        connect(busy, 0).chat.completions.create(**asked)
    check_unavailable(refused.value, "model_loading")
    patient = connect(busy, 9)
    sent = []
    patient._client.event_hooks["request"].append(sent.append)
    assert patient.chat.completions.create(**asked).choices[0].finish_reason == "length"
    assert len(sent) > 1

    # It is there. Of four at once it runs one, and lets one wait.
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(connect(busy, 0).chat.completions.create, **asked) for _ in range(4)]
    errors = [error for answer in answers if (error := answer.exception())]
    assert 1 <= len(errors) <= 3
    for error in errors:
        check_unavailable(error, "overloaded")
    sent.clear()
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(patient.chat.completions.create, **asked) for _ in range(4)]
    assert [answer.result().choices[0].finish_reason for answer in answers] == ["length"] * 4
    assert len(sent) > 4


def check_unavailable(error: openai.APIStatusError, code: str) -> None:
    assert error.status_code == 503 and error.code == code
    assert 1 <= int(error.response.headers["retry-after"]) <= 60


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
