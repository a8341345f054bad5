"""Chats, completions, embeddings and errors against OpenAI's specification."""

import json

import pytest

CHAT, CHUNK = "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse"
TELLING = {"stream": True, "stream_options": {"include_usage": True}}


def chunks(answer) -> list[dict]:
    *events, last = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert last == "[DONE]"
    return [json.loads(event) for event in events]


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Wo ist das Rathaus?", {"n": 2, "logprobs": True, "top_logprobs": 3}),
        ("Wo ist das Rathaus?", {"max_completion_tokens": 5, "service_tier": "flex"}),
        ("Wetter in zwei Städten", {"tools": True}),
        ("Wetter in Köln", {"tools": True, "tool_choice": "required"}),
        ("Denk nach und frag", {"tools": True}),
        ("Wie dringend?", {"response_format": {"type": "json_object"}}),
    ],
    ids=["text", "cut off", "calls", "forced call", "reasoning", "form"],
)
def test_chats(post, model, weather, fits, text, more):
    body = {"model": model, "messages": [{"role": "user", "content": text}]} | more
    if "tools" in body:
        body["tools"] = [weather]
    answer = post("/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    fits(answer.json(), CHAT)
    streamed = chunks(post("/v1/chat/completions", body | TELLING))
    assert len(streamed) > 3
    for chunk in streamed:
        fits(chunk, CHUNK)


def test_completions(post, model, fits):
    body = {"model": model, "prompt": "Wo ist das Rathaus?", "logprobs": 2, "n": 2}
    answer = post("/v1/completions", body)
    assert answer.status_code == 200, answer.text
    fits(answer.json(), "CreateCompletionResponse")
    for chunk in chunks(post("/v1/completions", body | TELLING)):
        # Of a chunk the specification says the same, though what goes on has no reason to end.
        for choice in chunk["choices"]:
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        if chunk["usage"] is None:
            del chunk["usage"]
        fits(chunk, "CreateCompletionResponse")


def test_embeddings_and_models(post, client, embedder, fits):
    answer = post("/v1/embeddings", {"model": embedder, "input": ["a", "b"]})
    assert answer.status_code == 200, answer.text
    fits(answer.json(), "CreateEmbeddingResponse")
    fits(json.loads(client.models.with_raw_response.list().text), "ListModelsResponse")


def test_files(client, fits):
    asked = client.files.with_raw_response
    until = {"anchor": "created_at", "seconds": 3600}
    file = json.loads(asked.create(file=b"a", purpose="user_data", expires_after=until).text)
    fits(file, "OpenAIFile")
    fits(json.loads(asked.retrieve(file["id"]).text), "OpenAIFile")
    fits(json.loads(asked.list().text), "ListFilesResponse")
    fits(json.loads(asked.delete(file["id"]).text), "DeleteFileResponse")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/nowhere"])
def test_errors(post, fits, path):
    answer = post(path, {"model": "unbekannt", "input": "a", "messages": []})
    assert answer.status_code == 404
    fits(answer.json(), "ErrorResponse")
