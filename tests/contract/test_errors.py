"""Errors, models and keys, as the official client reads them."""

import openai
import pytest

MESSAGES = [{"role": "user", "content": "hi"}]


def test_models_are_listed_and_retrieved(client, model):
    listed, *encoders = client.models.list().data
    assert listed.id == model
    assert [(encoder.id, encoder.task) for encoder in encoders] == [("tiny-bert", "embed"), ("tiny-xlm-roberta", "rerank")]
    assert client.models.retrieve(model) == listed
    assert listed.max_model_len >= 512


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert error.value.code == "model_not_found"
    assert error.value.param == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"stop": list("abcde")}, "stop"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"100000000": 1}}, "logit_bias.100000000"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1"),
        ({"presence_penalty": 2.5}, "presence_penalty"),
        ({"service_tier": "fastest"}, "service_tier"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
         "messages[0].content[0].type"),
        ({"extra_body": {"min_p": 2}}, "min_p"),
        ({"extra_body": {"prompt_logprobs": 1}}, "prompt_logprobs"),
    ],
)
def test_a_bad_request_names_its_parameter(client, model, parameters, param):
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**({"model": model, "messages": MESSAGES} | parameters))
    assert error.value.param == param
    assert error.value.type == "invalid_request_error"
    assert error.value.request_id


def test_a_prompt_that_is_too_long_is_refused(client, model):
    max_model_len = client.models.retrieve(model).max_model_len
    with pytest.raises(openai.BadRequestError) as error:
        client.completions.create(model=model, prompt="Akte " * max_model_len)
    assert error.value.code == "context_length_exceeded"


def test_a_wrong_key_is_refused(url, model):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="gch_wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as error:
        client.chat.completions.create(model=model, messages=MESSAGES)
    assert error.value.code == "invalid_api_key"


def test_what_is_ignored_is_listed(client, model):
    answer = client.chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, max_tokens=1, user="u", store=True, metadata={"case": "17"}
    )
    assert set(answer.headers["x-guichet-ignored"].split(", ")) == {"user", "store", "metadata"}
    assert answer.headers["x-request-id"]
