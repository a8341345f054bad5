"""Embeddings and reranking with the models that tests/contract/run serves beside the first."""

import json
import math
from pathlib import Path

import httpx2
import openai
import pytest

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
GOLDEN = [entry for entry in json.loads((FIXTURES / "tiny-bert" / "golden.json").read_text()) if "vector" in entry]


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@pytest.mark.parametrize("encoding", [openai.NOT_GIVEN, "float", "base64"])
def test_embeddings_are_those_of_transformers_in_every_encoding(client, encoding):
    texts = [entry["text"] for entry in GOLDEN]
    answer = client.embeddings.create(model="tiny-bert", input=texts, encoding_format=encoding)
    assert [item.index for item in answer.data] == list(range(len(texts)))
    assert answer.usage.prompt_tokens == sum(len(entry["ids"]) for entry in GOLDEN)
    for item, entry in zip(answer.data, GOLDEN):
        vector = item.embedding
        if isinstance(vector, str):
            continue
        assert len(vector) == 48
        assert cosine(vector, entry["vector"]) > 0.999


def test_one_text_and_its_token_ids_are_the_same(client):
    text, ids = GOLDEN[0]["text"], GOLDEN[0]["ids"]
    by_text = client.embeddings.create(model="tiny-bert", input=text).data[0].embedding
    by_ids = client.embeddings.create(model="tiny-bert", input=ids).data[0].embedding
    assert by_text == by_ids


def test_a_text_that_is_too_long_is_refused_with_both_counts(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="tiny-bert", input=["a", "Frist " * 900])
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "input"
    assert "input[1]" in refused.value.message and "384" in refused.value.message


def test_dimensions_are_refused_where_the_model_was_not_made_for_them(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="tiny-bert", input="a", dimensions=10)
    assert refused.value.param == "dimensions"


def test_documents_are_ranked(url, key):
    body = {"model": "tiny-xlm-roberta", "query": "Quelle pièce manque ?", "documents": [e["text"] for e in GOLDEN], "top_n": 3}
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx2.post(f"{url}/v1/rerank", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    scores = [result["relevance_score"] for result in answer.json()["results"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    info = httpx2.get(f"{url}/info", headers=headers).json()
    assert info["model_id"] == "tiny-xlm-roberta"
