"""A streamed answer as a whole: its events in order, and what a client makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proving_ground.openai_api.client import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.openai_api.client import Client
    from proving_ground.openai_api.events import Event

_OK = 200


@dataclass(frozen=True)
class StreamRecord:
    """All that a stream held.

    Attributes:
        what: Method and path, for messages.
        headers: Headers of the answer; names in lower case.
        events: Its events, in their order.
        problems: What is wrong with its framing, and data that is neither JSON nor the end mark.
        chunks: The JSON objects among the events.
        errors: Those of them that tell an error.
        began: When the request was sent, by ``time.perf_counter``.
    """

    what: str
    headers: Mapping[str, str]
    events: tuple[Event, ...]
    problems: tuple[str, ...]
    chunks: tuple[dict[str, Any], ...]
    errors: tuple[dict[str, Any], ...] = field(default=())
    began: float = 0.0

    @property
    def done(self) -> int:
        """How many end marks there are."""
        return sum(event.is_done for event in self.events)

    def choices(self, index: int = 0) -> list[dict[str, Any]]:
        """Return the parts of one choice, in their order."""
        return [
            choice
            for chunk in self.chunks
            for choice in _list(chunk.get("choices"))
            if isinstance(choice, dict) and choice.get("index", 0) == index
        ]

    def indices(self) -> list[int]:
        """Return the indices of its choices, as they first appear."""
        found = [
            choice.get("index", 0)
            for chunk in self.chunks
            for choice in _list(chunk.get("choices"))
            if isinstance(choice, dict)
        ]
        return list(dict.fromkeys(found))

    def deltas(self, index: int = 0) -> list[dict[str, Any]]:
        """Return the parts of a chat's message, in their order."""
        return [delta for choice in self.choices(index) if isinstance(delta := choice.get("delta"), dict)]

    def pieces(self, index: int = 0) -> list[str]:
        """Return the pieces of text of one choice, empty ones left out."""
        found = [
            delta.get("content") if isinstance(delta := choice.get("delta"), dict) else choice.get("text")
            for choice in self.choices(index)
        ]
        return [piece for piece in found if isinstance(piece, str) and piece]

    def text(self, index: int = 0) -> str:
        """Return the whole text of one choice."""
        return "".join(self.pieces(index))

    def finish_reasons(self, index: int = 0) -> list[str]:
        """Return every reason to end that one choice tells."""
        return [reason for choice in self.choices(index) if (reason := choice.get("finish_reason")) is not None]

    def usages(self) -> list[dict[str, Any]]:
        """Return every usage that it tells."""
        return [usage for chunk in self.chunks if isinstance(usage := chunk.get("usage"), dict)]


def record_of(
    what: str, events: tuple[Event, ...], problems: list[str], headers: Mapping[str, str], began: float = 0.0
) -> StreamRecord:
    """Read the events of a stream."""
    told, chunks = list(problems), []
    for event in events:
        if event.is_done:
            continue
        try:
            chunk = event.json()
        except ValueError:
            told.append(f"expected JSON or [DONE] as data, found {event.data[:80]!r}")
            continue
        if isinstance(chunk, dict):
            chunks.append(chunk)
        else:
            told.append(f"expected a JSON object as data, found {event.data[:80]!r}")
    marks = [at for at, event in enumerate(events) if event.is_done]
    if marks and marks[0] != len(events) - 1:
        told.append("there are events after [DONE]")
    errors = tuple(chunk for chunk in chunks if "error" in chunk)
    good = tuple(chunk for chunk in chunks if "error" not in chunk)
    return StreamRecord(what, headers, events, tuple(told), good, errors, began)


async def read_stream(client: Client, path: str, body: Mapping[str, Any]) -> StreamRecord:
    """Send a request that streams, and read all of it.

    Raises:
        RequestError: The answer is not 200, breaks or does not end in time.
    """
    async with client.stream(path, {**body, "stream": True}) as stream:
        if stream.status != _OK:
            shown = (await stream.body())[:200].decode("utf-8", "replace")
            raise RequestError(f"{stream.what}: expected status 200, found {stream.status} {shown!r}")
        events = [event async for event in stream.events()]
        return record_of(stream.what, tuple(events), stream.problems, stream.headers, stream.began)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
