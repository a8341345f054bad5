"""Biases, penalties, minimum lengths, tiers and usage, as the official client sends them."""

MESSAGES = [{"role": "user", "content": "Wo ist der Schalter? Wo ist der Schalter?"}]


def chat(client, model, **parameters):
    return client.chat.completions.create(
        model=model, messages=MESSAGES, **({"max_tokens": 12, "temperature": 0} | parameters)
    )


def tokens(answer):
    return [tuple(token.bytes) for token in answer.choices[0].logprobs.content]


def test_a_bias_makes_a_token_certain_and_impossible(client, model):
    certain = chat(client, model, logit_bias={"65": 100}, max_tokens=4, logprobs=True)
    [token] = set(tokens(certain))
    # Log-probabilities are the model's own, before biases.
    assert all(entry.logprob < 0 for entry in certain.choices[0].logprobs.content)
    forbidden = chat(client, model, logit_bias={"65": -100}, max_tokens=12, logprobs=True)
    assert token not in tokens(forbidden)


def test_penalties_keep_an_answer_from_repeating_itself(client, model):
    def distinct(max_tokens, ids, **penalty):
        bias = {str(token_id): 60 for token_id in ids}
        answer = chat(client, model, logit_bias=bias, max_tokens=max_tokens, logprobs=True, **penalty)
        return len(set(tokens(answer)))

    # One token is far above all others until it has been penalized often enough.
    assert distinct(60, [200]) == 1
    assert distinct(60, [200], frequency_penalty=2) > 1
    # Of four that are far above all others, a penalized one comes after those that are not,
    # and one that stands in the prompt is penalized from the start.
    four = range(200, 204)
    assert distinct(4, four, extra_body={"repetition_penalty": 2}) >= 3
    assert distinct(30, four, presence_penalty=2) >= distinct(30, four)


def test_the_same_request_with_penalties_gets_the_same_answer(client, model):
    parameters = {"frequency_penalty": 0.7, "presence_penalty": -0.3, "temperature": 1, "seed": 11}
    extra = {"top_k": 20, "min_p": 0.01, "repetition_penalty": 1.1}
    first, second = (chat(client, model, **parameters, extra_body=extra).choices[0] for _ in range(2))
    assert first.message.content == second.message.content


def test_top_k_of_one_is_greedy_whatever_the_temperature(client, model):
    greedy = chat(client, model).choices[0].message.content
    drawn = chat(client, model, temperature=2, seed=3, extra_body={"top_k": 1})
    assert drawn.choices[0].message.content == greedy


def test_a_minimum_of_tokens_is_reached(client, model):
    stop = chat(client, model).choices[0].message.content[:1]
    answer = chat(client, model, stop=stop, max_tokens=9, extra_body={"min_tokens": 9})
    assert answer.usage.completion_tokens == 9
    answer = chat(client, model, max_tokens=30, extra_body={"ignore_eos": True})
    assert answer.usage.completion_tokens == 30


def test_a_tier_that_is_named_is_told(client, model):
    assert chat(client, model, service_tier="flex").service_tier == "flex"
    assert chat(client, model, service_tier="auto").service_tier == "default"
    assert chat(client, model).service_tier is None


def test_usage_tells_what_was_cached(client, model):
    long = [{"role": "user", "content": "Bitte prüfen Sie den Antrag. " * 4}]
    parameters = {"model": model, "messages": long, "max_tokens": 2, "temperature": 0, "n": 2}
    for _ in range(2):
        usage = client.chat.completions.create(**parameters).usage
        assert 0 <= usage.prompt_tokens_details.cached_tokens < usage.prompt_tokens
    # The second time the beginning is there.
    assert usage.prompt_tokens_details.cached_tokens > 0
    *_, last = client.chat.completions.create(**parameters, stream=True, stream_options={"include_usage": True})
    assert last.usage.prompt_tokens_details.cached_tokens > 0
