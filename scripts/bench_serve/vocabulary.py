"""Token ids from the way in which completions show tokens. Only for byte-level BPE."""

import json
from pathlib import Path


class Vocabulary:
    def __init__(self, tokenizer: Path):
        stored = json.loads(tokenizer.read_text())
        to_byte = {character: byte for byte, character in byte_characters().items()}
        self._ids = {
            shown(bytes(to_byte[character] for character in token)): id_
            for token, id_ in stored["model"]["vocab"].items()
            if all(character in to_byte for character in token)
        }
        # Last, because the name of a control token is no text in that alphabet's sense.
        self._ids |= {token["content"]: token["id"] for token in stored["added_tokens"]}

    def id(self, text: str) -> int | None:
        return self._ids.get(text)


def shown(token: bytes) -> str:
    """As OpenAI's completions show a token that is not a whole number of characters."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)


def byte_characters() -> dict[int, str]:
    """The alphabet of byte-level BPE: printable bytes are themselves, others come after 255."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + index) for index, byte in enumerate(others)}
