"""langchain-tests, as LangChain holds its own integrations to it: through chats, with forms asked
for as schemas and as calls, and through responses.

Off, because this server reads text alone: images, also by their address and as results of
functions, sounds and PDFs. Everything else is on.
"""

import os
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests

PLACE = {"base_url": os.environ["CONTRACT_URL"] + "/v1", "api_key": os.environ["CONTRACT_KEY"]}
LONG = "Please read this twice before you answer. " * 20


@pytest.fixture(scope="module")
def vcr_config() -> dict:
    """Nothing is played back: the server is there."""
    return {"record_mode": "all"}


@pytest.fixture
def vcr_cassette_dir(tmp_path: Path) -> str:
    return str(tmp_path)


class Chat(ChatModelIntegrationTests):
    """What all ways to ask have in common."""

    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict:
        return PLACE | {"model": os.environ["CONTRACT_MODEL"], "stream_usage": True}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def enable_vcr_tests(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "scripted-too"

    @property
    def supported_usage_metadata_details(self) -> dict:
        return dict.fromkeys(["invoke", "stream"], ["reasoning_output", "cache_read_input"])

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self.ask("Think it over: what is three and four?", stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        self.ask(LONG, stream)
        again = self.ask(LONG, stream)
        assert again.usage_metadata["input_token_details"]["cache_read"] > 0
        return again

    def ask(self, text: str, stream: bool) -> AIMessage:
        model = self.chat_model_class(**self.chat_model_params)
        if not stream:
            return model.invoke(text)
        chunks = iter(model.stream(text))
        return sum(chunks, next(chunks))


class TestChats(Chat):
    """Forms are asked for as schemas, which is the default."""


class TestFormsAsCalls(Chat):
    @property
    def structured_output_kwargs(self) -> dict:
        return {"method": "function_calling"}


class TestFormsAsStrictCalls(Chat):
    @property
    def structured_output_kwargs(self) -> dict:
        return {"method": "function_calling", "strict": True}


class TestResponses(Chat):
    @property
    def chat_model_params(self) -> dict:
        return super().chat_model_params | {"use_responses_api": True}


class TestEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[OpenAIEmbeddings]:
        return OpenAIEmbeddings

    @property
    def embedding_model_params(self) -> dict:
        # It would count tokens with OpenAI's own tokenizer, which is not this model's.
        return PLACE | {"model": os.environ["CONTRACT_EMBEDDER"], "check_embedding_ctx_length": False}
