"""The official client through a LiteLLM proxy that stands in front of this server."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import openai
import pytest
from pydantic import BaseModel

SAID = "À côté de l'église 🏛️, on the market square."
ASK = [{"role": "user", "content": "Where is the town hall?"}]
START_TIMEOUT_S = 120
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


class Urgency(BaseModel):
    urgent: bool


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("proxy") / "log"
    # Prices of models are none of its business here, and are not on this machine.
    environment = os.environ | {
        "PROXIED_URL": os.environ["CONTRACT_URL"] + "/v1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    command = [Path(sys.executable).parent / "litellm", "--config", Path(__file__).parent / "proxy.yaml"]
    with log.open("w") as output:
        proxy = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], env=environment, stdout=output, stderr=output
        )
    try:
        wait_until_ready(proxy, f"http://127.0.0.1:{port}/health/readiness", log)
        yield openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-contract", timeout=60)
    finally:
        proxy.terminate()
        proxy.wait(30)


def wait_until_ready(proxy: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and proxy.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"the proxy is not ready\n{log.read_text()}")


def about(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def test_a_chat(client):
    answer = client.chat.completions.create(model="office-chat", messages=ASK)
    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == len(SAID.encode())


def test_a_stream(client):
    options = {"include_usage": True}
    stream = client.chat.completions.create(model="office-chat", messages=ASK, stream=True, stream_options=options)
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SAID
    assert chunks[-1].usage.completion_tokens == len(SAID.encode())


def test_a_form(client):
    answer = client.chat.completions.parse(model="office-chat", messages=about("How urgent?"), response_format=Urgency)
    assert answer.choices[0].message.parsed == Urgency(urgent=True)


def test_calls_plain_and_streamed(client):
    asked = {"model": "office-chat", "messages": about("Weather in two towns"), "tools": [TOOL]}
    whole = client.chat.completions.create(**asked).choices[0]
    cities = [json.loads(call.function.arguments)["city"] for call in whole.message.tool_calls]
    assert cities == ["Köln", "Zürich"] and whole.finish_reason == "tool_calls"
    with client.chat.completions.stream(**asked) as stream:
        for _ in stream:
            pass
    streamed = stream.get_final_completion().choices[0]
    assert [json.loads(call.function.arguments)["city"] for call in streamed.message.tool_calls] == cities
    assert streamed.finish_reason == "tool_calls"


def test_a_result_leads_to_an_answer(client):
    messages = about("Weather in two towns")
    asked = client.chat.completions.create(model="office-chat", messages=messages, tools=[TOOL]).choices[0].message
    messages.append(asked)
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "17 degrees"} for call in asked.tool_calls]
    answer = client.chat.completions.create(model="office-chat", messages=messages, tools=[TOOL])
    assert answer.choices[0].message.content == "It is 17 degrees."


def test_what_was_thought(client):
    message = client.chat.completions.create(model="office-chat", messages=about("Think it over")).choices[0].message
    assert message.content == "Twelve." and message.reasoning_content == "Seven and five."


def test_responses(client):
    answer = client.responses.create(model="office-chat", input="Where is the town hall?")
    assert answer.output_text == SAID
    events = list(client.responses.create(model="office-chat", input="Where is the town hall?", stream=True))
    assert events[-1].type == "response.completed" and events[-1].response.output_text == SAID


def test_embeddings(client):
    one, other = client.embeddings.create(model="office-embeddings", input=["a", "b"]).data
    assert len(one.embedding) == 48 and one.embedding != other.embedding


def test_a_refusal_keeps_its_status(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="office-chat", messages=ASK, temperature=3)
    assert "temperature" in refused.value.message
