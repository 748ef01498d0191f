"""An answer as it arrives: times are taken of each event, and nothing is decoded before its end."""

from __future__ import annotations

import json
import re
from array import array
from typing import Any

_TEXT = re.compile(rb'"(?:content|text|reasoning_content|reasoning|arguments)"\s*:\s*"[^"]')
"""An event with this carries generated text; the first event of a chat has an empty one, as have the last ones."""
_STAMP = b'"sent_at":'
_STAMP_LENGTH = 32
BODY_LIMIT = 4 * 2**20
_TAIL_LIMIT = 2**20
_OK = 200
_SHOWN = 80


class Answer:
    """What has arrived of one answer.

    Attributes:
        status: Of HTTP; 0 before it is known.
        begin: When the request was begun, before connecting where that was needed; all times are seconds of
            ``time.perf_counter``.
        end: When its last byte arrived.
        texts: When each event that carries generated text arrived.
        sent: When each of these was sent, where the server says so and was asked for it.
        merged: Events with text that were read together with a later one, whose times are therefore that one's.
        complete: Whether the answer came to its end.
    """

    __slots__ = (
        "_body",
        "_done",
        "_error",
        "_finished",
        "_read_sent",
        "_size",
        "_streamed",
        "_tail",
        "_usage",
        "begin",
        "complete",
        "end",
        "merged",
        "sent",
        "status",
        "texts",
    )

    def __init__(self, *, streamed: bool, read_sent: bool = False) -> None:
        self.status = 0
        self.begin = self.end = 0.0
        self.texts: array[float] = array("d")
        self.sent: array[float] = array("d")
        self.merged = 0
        self.complete = False
        self._streamed = streamed
        self._read_sent = read_sent
        self._tail = b""
        self._body: list[bytes] = []
        self._size = 0
        self._usage = self._error = b""
        self._done = self._finished = False

    def feed(self, data: bytes, at: float) -> int:
        """Take a part of the body, and return how many events with text it completed.

        Args:
            data: The part.
            at: When it arrived.
        """
        if not self._streamed or self.status != _OK:
            self._size += len(data)
            if self._size <= BODY_LIMIT:
                self._body.append(data)
            return 0
        if self._tail or not data.endswith(b"\n\n") or b"\r" in data:
            data = self._whole(data)
        texts = 0
        for event in data.split(b"\n\n"):
            if not event:
                continue
            if _TEXT.search(event):
                texts += 1
                self.texts.append(at)
                if self._read_sent:
                    self._note_sent(event)
                if b'"finish_reason"' in event:
                    self._note_finish(event)
            else:
                self._note_other(event)
        return texts

    def _whole(self, data: bytes) -> bytes:
        """Return the events that are complete; what follows them is kept for later."""
        data = self._tail + data
        if b"\r" in data:
            # A carriage return at the very end may be half of a line's end.
            held = b"\r" if data.endswith(b"\r") else b""
            data = data.removesuffix(held).replace(b"\r\n", b"\n") + held
        cut = data.rfind(b"\n\n") + 2
        whole, self._tail = (data[:cut], data[cut:]) if cut >= 2 else (b"", data)  # noqa: PLR2004 - the end's own length
        if len(self._tail) > _TAIL_LIMIT:
            raise ValueError("an event larger than 1 MiB")
        return whole

    def _note_sent(self, event: bytes) -> None:
        found = event.find(_STAMP)
        if found >= 0:
            number = event[found + len(_STAMP) : found + len(_STAMP) + _STAMP_LENGTH]
            self.sent.append(float(number.split(b"}")[0].split(b",")[0]))

    def _note_finish(self, event: bytes) -> None:
        self._finished = self._finished or not re.search(rb'"finish_reason"\s*:\s*null', event)

    def _note_other(self, event: bytes) -> None:
        if event.startswith((b"data: [DONE]", b"data:[DONE]")):
            self._done = True
            return
        if b'"finish_reason"' in event:
            self._note_finish(event)
        if re.search(rb'"usage"\s*:\s*\{', event):
            self._usage = event
        if b'"error"' in event:
            self._error = event

    def problem(self) -> str:
        """Return what is wrong with it, or nothing."""
        if self.status != _OK:
            return f"status {self.status}" if self.status else "no answer"
        if not self.complete:
            return "the connection ended before the answer did"
        if not self._streamed:
            return self._body_problem()
        if self._error and isinstance(found := _data(self._error), dict) and found.get("error"):
            return "an error in the stream"
        if not self.texts and not self._finished:
            return "a stream without any text"
        return "" if self._done or self._finished else "a stream that ends without saying so"

    def _body_problem(self) -> str:
        body = self.body()
        if body is None:
            return "an answer that is not JSON"
        return "" if isinstance(body, dict) and isinstance(body.get("choices"), list) else "an answer without choices"

    def body(self) -> Any:
        """Return the decoded body of an answer that is not streamed, None where it is no JSON."""
        try:
            return json.loads(b"".join(self._body))
        except (ValueError, RecursionError):
            return None

    def tokens(self) -> int:
        """Return how many tokens were generated: as the server says, else events with text."""
        found = _data(self._usage) if self._streamed else self.body()
        usage = found.get("usage") if isinstance(found, dict) else None
        told = usage.get("completion_tokens") if isinstance(usage, dict) else None
        return told if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else len(self.texts)

    def shown(self) -> str:
        """Return the begin of a body, for a message."""
        return b"".join(self._body)[:_SHOWN].decode(errors="replace")


def _data(event: bytes) -> Any:
    """Return the decoded data of an event, None where it is no JSON."""
    lines = [line.removeprefix(b"data:") for line in event.split(b"\n") if line.startswith(b"data:")]
    try:
        return json.loads(b"\n".join(lines))
    except (ValueError, RecursionError):
        return None
