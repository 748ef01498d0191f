"""Server-sent events, read strictly: each is stamped when its last byte arrived, and bad framing is told."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DONE = "[DONE]"
EVENT_LIMIT = 4 * 2**20
"""Bytes of one event; a longer one is no event."""
_FIELDS = ("data", "event", "id", "retry")
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream.

    Attributes:
        data: Its data; lines of several ``data`` fields are joined by newlines.
        time: When its end arrived, by ``time.perf_counter``, in seconds.
        name: The field ``event``; empty where it has none.
    """

    data: str
    time: float
    name: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it is the one that ends OpenAI's streams."""
        return self.data == DONE

    def json(self) -> Any:
        """Return its data as JSON.

        Raises:
            ValueError: It is none.
        """
        try:
            return json.loads(self.data)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


class EventParser:
    """Turns the bytes of a stream into events, whatever pieces they come in.

    The format is that of the HTML standard (server-sent events), of which OpenAI's streams use a part: fields are
    ``name: value`` lines, an event ends at an empty line, a line that begins with a colon is a comment. What the
    standard lets pass but would silently lose text (a line that is no field, an event that the stream's end cuts) is
    a problem here.

    Args:
        clock: Tells the time of receipt, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._rest = b""
        self._data: list[str] = []
        self._name = ""
        self._size = 0
        self._began = False
        self.problems: list[str] = []
        """What is wrong with the framing, one sentence each."""

    def feed(self, piece: bytes) -> list[Event]:
        """Take bytes, and return the events that they complete."""
        now = self._clock()
        self._rest += piece
        if not self._began and len(self._rest) >= len(b"\xef\xbb\xbf"):
            self._began = True
            self._rest = self._rest.removeprefix(b"\xef\xbb\xbf")
        *lines, self._rest = self._rest.split(b"\n")
        events = [event for line in lines if (event := self._line(line, now)) is not None]
        if len(self._rest) > EVENT_LIMIT:
            self._problem(f"a line is longer than {EVENT_LIMIT} bytes")
            self._rest = b""
        return events

    def close(self) -> None:
        """Tell that the stream ended; an event that is not complete is a problem."""
        if self._rest.strip() or self._data:
            left = self._rest.decode("utf-8", "replace") or self._data[-1]
            self._problem(f"the stream ends within an event: {left[:_SHOWN]!r}")

    def _problem(self, text: str) -> None:
        if len(self.problems) < 20:  # noqa: PLR2004 -- enough to see what is wrong
            self.problems.append(text)

    def _line(self, raw: bytes, now: float) -> Event | None:
        try:
            line = raw.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            self._problem(f"a line is not UTF-8: {raw[:_SHOWN]!r}")
            line = raw.removesuffix(b"\r").decode("utf-8", "replace")
        if line:
            self._field(line)
            return None
        data, name = self._data, self._name
        self._data, self._name, self._size = [], "", 0
        return Event("\n".join(data), now, name) if data else None

    def _field(self, line: str) -> None:
        if line.startswith(":"):
            return
        field, separator, value = line.partition(":")
        if not separator or field not in _FIELDS:
            self._problem(f"expected a field such as 'data: ...', found {line[:_SHOWN]!r}")
            return
        value = value.removeprefix(" ")
        if field == "data":
            self._size += len(value)
            if self._size > EVENT_LIMIT:
                self._problem(f"an event is longer than {EVENT_LIMIT} bytes")
                return
            self._data.append(value)
        elif field == "event":
            self._name = value
