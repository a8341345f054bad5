"""Log-probabilities and echo, as the official client reads them."""

import pytest

MESSAGES = [{"role": "user", "content": "Où est le guichet ?"}]


def chat(client, model, **parameters):
    return client.chat.completions.create(
        model=model, messages=MESSAGES, **({"max_tokens": 8, "temperature": 0, "logprobs": True} | parameters)
    )


def complete(client, model, prompt, **parameters):
    answer = client.completions.create(model=model, prompt=prompt, temperature=0, **parameters)
    return answer.choices[0]


def test_a_chat_has_a_log_probability_for_each_token(client, model):
    answer = chat(client, model, top_logprobs=3)
    [choice] = answer.choices
    assert choice.logprobs.refusal is None
    assert len(choice.logprobs.content) == answer.usage.completion_tokens
    for token in choice.logprobs.content:
        assert token.logprob <= 0
        # Greedy: the most probable token is the one that was taken.
        assert [top.logprob for top in token.top_logprobs] == sorted(
            (top.logprob for top in token.top_logprobs), reverse=True
        )
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].bytes == token.bytes
        assert token.top_logprobs[0].logprob == token.logprob
    shown = (bytes(token.bytes) for token in choice.logprobs.content if not token.token.startswith("<|"))
    assert b"".join(shown).decode(errors="replace") == choice.message.content


def test_a_chat_that_does_not_ask_gets_none(client, model):
    assert chat(client, model, logprobs=False).choices[0].logprobs is None


def test_streamed_log_probabilities_are_the_plain_ones(client, model):
    plain = chat(client, model, top_logprobs=2).choices[0].logprobs.content
    chunks = list(chat(client, model, top_logprobs=2, stream=True))
    streamed = [token for c in chunks if c.choices[0].logprobs for token in c.choices[0].logprobs.content]
    assert streamed == plain


def test_each_of_n_choices_has_its_own(client, model):
    answer = chat(client, model, n=3, temperature=1.5, seed=5)
    lengths = [len(choice.logprobs.content) for choice in answer.choices]
    assert sum(lengths) == answer.usage.completion_tokens
    assert all(lengths)


def test_a_completion_lists_what_openai_lists(client, model):
    choice = complete(client, model, "Le guichet", max_tokens=6, logprobs=2)
    lists = choice.logprobs
    assert len(lists.tokens) == len(lists.token_logprobs) == len(lists.top_logprobs) == len(lists.text_offset)
    assert lists.text_offset[0] == 0
    assert lists.text_offset == sorted(lists.text_offset)
    for token, logprob, top in zip(lists.tokens, lists.token_logprobs, lists.top_logprobs, strict=True):
        assert top[token] == logprob == max(top.values())
        assert 1 <= len(top) <= 3


def test_an_echo_begins_with_the_prompt(client, model):
    prompt = "Le guichet est fermé"
    plain = complete(client, model, prompt, max_tokens=5)
    echoed = complete(client, model, prompt, max_tokens=5, echo=True)
    assert echoed.text == prompt + plain.text
    chunks = list(client.completions.create(
        model=model, prompt=prompt, max_tokens=5, temperature=0, echo=True, stream=True
    ))
    assert chunks[0].choices[0].text == prompt
    assert "".join(chunk.choices[0].text for chunk in chunks) == echoed.text


@pytest.mark.parametrize("max_tokens", [0, 1])
def test_a_prompt_is_scored_as_evaluations_ask_for_it(client, model, max_tokens):
    choice = complete(client, model, "Le guichet est", max_tokens=max_tokens, logprobs=1, echo=True, seed=1234)
    lists = choice.logprobs
    assert choice.finish_reason == "length"
    assert lists.token_logprobs[0] is None and lists.top_logprobs[0] is None
    assert all(logprob <= 0 for logprob in lists.token_logprobs[1:])
    for token, logprob, top in list(zip(lists.tokens, lists.token_logprobs, lists.top_logprobs, strict=True))[1:]:
        assert top[token] == logprob <= max(top.values())


def test_what_is_generated_and_what_is_scored_have_the_same_probabilities(client, model):
    prompt = [72, 73, 74]
    generated = complete(client, model, prompt, max_tokens=1, logprobs=5).logprobs.top_logprobs[0]
    scored = complete(client, model, [*prompt, 75], max_tokens=0, logprobs=5, echo=True).logprobs.top_logprobs[3]
    assert generated.items() <= scored.items()
