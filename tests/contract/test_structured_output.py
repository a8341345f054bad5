"""Answers of a given form: the client's own ways to ask for one, and many schemas against a
validator that is not ours. Temperature 1.5 makes the model as unhelpful as it can be."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import openai
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from schemas import FORMATS, schema

MESSAGES = [{"role": "user", "content": "Wer ist zuständig?"}]
NUM_SCHEMAS, ANSWERS_EACH = 100, 5


class Office(BaseModel):
    kind: Literal["Amt", "mairie"]
    name: str = Field(max_length=8)
    floor: int | None = Field(ge=-2, le=40)
    open: list[Literal["Mo", "Di", "Mi"]] = Field(max_length=2)


def test_the_client_parses_an_answer_into_a_class(client, model):
    for seed in range(5):
        parameters = {"model": model, "messages": MESSAGES, "max_tokens": 300, "temperature": 1.5, "seed": seed}
        answer = client.chat.completions.parse(**parameters, response_format=Office)
        assert isinstance(answer.choices[0].message.parsed, Office)
        with client.chat.completions.stream(**parameters, response_format=Office) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        assert final.choices[0].message.parsed == answer.choices[0].message.parsed


def test_the_client_is_told_what_cannot_be_enforced(client, model):
    form = {"type": "object", "properties": {"ids": {"type": "array", "uniqueItems": True}}}
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(
            model=model,
            messages=MESSAGES,
            response_format={"type": "json_schema", "json_schema": {"name": "ids", "schema": form}},
        )
    assert error.value.param == "response_format.json_schema.schema"
    assert "`/properties/ids/uniqueItems`" in error.value.message


def test_choices_expressions_and_grammars_bind(client, model):
    def answer(**form):
        created = client.chat.completions.create(
            model=model, messages=MESSAGES, max_tokens=60, temperature=1.5, seed=3, extra_body={"structured_outputs": form}
        )
        return created.choices[0].message.content

    assert answer(choice=["ja", "nein"]) in ("ja", "nein")
    assert answer(regex="[A-Z]{2}-[0-9]{3}")[2] == "-"
    assert set(answer(grammar='start: ("ab" | "c")~1..5')) <= set("abc")


def test_many_schemas_are_kept_to(client, model):
    # The answers come 16 at a time, which a real model takes its time for.
    patient = client.with_options(timeout=600)

    def ask(task: tuple[int, int]) -> tuple[int, str, str]:
        number, seed = task
        created = patient.chat.completions.create(
            model=model,
            messages=MESSAGES,
            temperature=1.5,
            seed=seed,
            max_tokens=400,
            response_format={"type": "json_schema", "json_schema": {"name": "form", "schema": schema(number)}},
        )
        return number, created.choices[0].finish_reason, created.choices[0].message.content

    tasks = [(number, seed) for number in range(NUM_SCHEMAS) for seed in range(ANSWERS_EACH)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, tasks))
    finished = [(number, text) for number, reason, text in answers if reason == "stop"]
    print(f"{len(finished)} of {len(answers)} answers of {NUM_SCHEMAS} schemas finished")
    for number, text in finished:
        checker = Draft202012Validator.FORMAT_CHECKER
        assert checker.checkers.keys() >= set(FORMATS)
        validator = Draft202012Validator(schema(number), format_checker=checker)
        validator.validate(json.loads(text, object_pairs_hook=without_duplicates))
    assert len(finished) >= 0.9 * len(answers)


def without_duplicates(pairs: list) -> dict:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key is there twice: {pairs}"
    return found
