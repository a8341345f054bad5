"""A client of the server that tests/contract/run started."""

import os

import openai
import pytest


@pytest.fixture
def url() -> str:
    return os.environ["CONTRACT_URL"]


@pytest.fixture
def key() -> str:
    return os.environ["CONTRACT_KEY"]


@pytest.fixture
def model() -> str:
    return os.environ["CONTRACT_MODEL"]


@pytest.fixture
def client(url: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=60)
