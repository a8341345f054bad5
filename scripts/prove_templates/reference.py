"""What transformers makes of conversations."""

import datetime
import json
import os
import re
from pathlib import Path

# Everything is here already.
os.environ["HF_HUB_OFFLINE"] = "1"

import jinja2
from tokenizers import Tokenizer
from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

FIXTURE = Path(__file__).resolve().parent.parent.parent / "tests/fixtures/templates"
CONVERSATIONS = FIXTURE / "conversations.json"

HTML_TAG = r"</?(table|caption|t(head|body|foot|r|h|d)|h[1-6]|blockquote|strong|em|[biu]|su[bp]|code|p|[uo]l|li)>"

# The members of a message in the order in which Guichet gives them to templates.
MEMBERS = ("role", "content", "name", "reasoning_content", "tool_calls", "tool_call_id")


def conversations() -> tuple[int, list[dict]]:
    """The clock, and the conversations with their tools written out."""
    written = json.loads(CONVERSATIONS.read_text(encoding="utf-8"))
    for conversation in written["conversations"]:
        tools = [written["tools"][name] for name in conversation.get("tools", [])]
        if tools:
            conversation["tools"] = tools
    return written["clock"], written["conversations"]


def stop_clock(clock: int) -> None:
    """Templates print this time and no other."""

    class Stopped(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(clock, tz)

    chat_template_utils.datetime = Stopped


class Reference:
    """A tokenizer as transformers loads it."""

    def __init__(self, directory: Path):
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        self.of_file = Tokenizer.from_file(str(directory / "tokenizer.json"))

    @property
    def class_name(self) -> str:
        return type(self.tokenizer).__name__

    def config(self) -> dict:
        """What a template is rendered with."""
        tokens = {name: str(token) for name, token in self.tokenizer.special_tokens_map.items() if isinstance(token, str)}
        return {"chat_template": self.tokenizer.chat_template, **tokens}

    def added_tokens(self) -> list[dict]:
        tokens = []
        for token_id, token in self.tokenizer.added_tokens_decoder.items():
            is_plain = not token.special and (
                is_text(token.content) or self.tokenizer._encode_without_added_tokens(token.content) == [token_id]
            )
            tokens.append({"content": token.content, "is_plain": is_plain})
        return [token for token in tokens if token["content"]]

    def expected(self, conversation: dict) -> dict:
        """{"text": …}, {"refuses": …} or {"fails": …}."""
        messages = [in_order(message) for message in conversation["messages"]]
        if not self.takes_parts():
            # Guichet joins parts for a template that takes none, which transformers leaves undone.
            messages = [joined(message) for message in messages]
        try:
            return {"text": self.rendered(messages, conversation)}
        except jinja2.exceptions.TemplateError as error:
            kind = "refuses" if type(error) is jinja2.exceptions.TemplateError else "fails"
            return {kind: str(error)}
        except Exception as error:  # Python's own, where a template adds a text to nothing
            return {"fails": f"{type(error).__name__}: {error}"}

    def rendered(self, messages: list[dict], conversation: dict) -> str:
        ending = conversation.get("ending", "answer")
        return self.tokenizer.apply_chat_template(
            messages,
            tools=conversation.get("tools"),
            tokenize=False,
            add_generation_prompt=ending == "answer",
            continue_final_message=ending == "open",
            **conversation.get("arguments", {}),
        )

    def ids(self, text: str) -> tuple[list[int], list[int]]:
        """As apply_chat_template makes them of its text, and as tokenizer.json alone does."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids, self.of_file.encode(text, add_special_tokens=False).ids

    def takes_parts(self) -> bool:
        """Whether one text part renders as the text does, and of two none is lost."""
        first, second = "Grüße", "Salutations"

        def said(content):
            try:
                return self.rendered([{"role": "user", "content": content}], {})
            except Exception:
                return None

        text, one = said(first), said([part(first)])
        both = said([part(first), part(second)]) or ""
        return text is not None and text == one and first in both and second in both


def is_text(content: str) -> bool:
    """White space and tags of HTML, which vocabularies hold as added tokens that are not special."""
    return content.isspace() or re.fullmatch(HTML_TAG, content) is not None


def part(text: str) -> dict:
    return {"type": "text", "text": text}


def in_order(message: dict) -> dict:
    return {name: message[name] for name in MEMBERS if name in message}


def joined(message: dict) -> dict:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": "\n".join(part["text"] for part in content)}
