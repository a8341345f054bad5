"""An HTTP answer that streams events, read as it comes. Does as little as counting tokens takes,
because it runs beside the server on the same cores."""

import re

# The text of a completion's chunk, unless it is empty: a control token, or part of a character.
_TEXT = re.compile(rb'"text"\s*:\s*"(?!")')
_USAGE = re.compile(rb'"(prompt_tokens|completion_tokens)"\s*:\s*(\d+)')


class ChunkedBody:
    """Takes the transfer coding off. A chunk may hold a part of an event, or several."""

    def __init__(self) -> None:
        self._pending = b""
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        data, self._pending = self._pending + data, b""
        body, at = [], 0
        while at < len(data):
            if self._left > 0:
                part = data[at : at + self._left]
                body.append(part)
                at += len(part)
                self._left -= len(part)
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                break
            line = data[at:end]
            at = end + 2
            # Between chunks stands the line end that closes the one before; trailers are empty.
            if line:
                self._left = int(line.split(b";")[0], 16)
        self._pending = data[at:]
        return b"".join(body)


class EventStream:
    """One answer. `feed` returns the data of the events that became complete."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.is_done = False
        self.body = b""
        self._head = b""
        self._chunked: ChunkedBody | None = None

    def feed(self, data: bytes) -> list[bytes]:
        if self.status is None:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return []
            self.status = int(head.split(b" ", 2)[1])
            if b"transfer-encoding: chunked" in head.lower():
                self._chunked = ChunkedBody()
        if self._chunked is not None:
            data = self._chunked.feed(data)
        self.body = (self.body + data).replace(b"\r\n", b"\n")
        if self.status != 200:
            return []
        *complete, self.body = self.body.split(b"\n\n")
        return [event for block in complete for event in self._data(block)]

    def _data(self, block: bytes):
        for line in block.split(b"\n"):
            if line == b"data: [DONE]":
                self.is_done = True
            elif line.startswith(b"data:"):
                yield line[5:].lstrip()


def has_text(event: bytes) -> bool:
    return _TEXT.search(event) is not None


def is_error(event: bytes) -> bool:
    return event.startswith((b'{"error"', b'{ "error"'))


def usage(event: bytes) -> dict[str, int]:
    """The counts of tokens that an event reports; most report none."""
    return {name.decode(): int(count) for name, count in _USAGE.findall(event)} if b'"usage"' in event else {}
