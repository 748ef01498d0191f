"""A client of the OpenAI API that hides nothing: statuses, headers, bytes, and the time of each event."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from proving_ground.openai_api.events import Event, EventParser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

BODY_LIMIT = 32 * 2**20
"""Bytes of a body; what is longer is cut."""
STREAM_TYPE = "text/event-stream"
JSON_TYPE = "application/json"
_SHOWN = 200


class RequestError(Exception):
    """A request that got no whole answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        what: Method and path, for messages.
        status: HTTP status.
        headers: Headers; names in lower case.
        body: The bytes.
        seconds: From sending the request to the last byte.
    """

    what: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            RequestError: It is none.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"{self.what}: expected JSON, found {self.shown()}") from error

    def shown(self) -> str:
        """Return the beginning of the body, for messages."""
        return repr(self.body[:_SHOWN].decode("utf-8", "replace"))

    def expect(self, *statuses: int) -> Answer:
        """Return the answer itself if it has one of the statuses.

        Raises:
            RequestError: It has another; the message shows the body.
        """
        if self.status not in statuses:
            wanted = " or ".join(map(str, statuses))
            raise RequestError(f"{self.what}: expected status {wanted}, found {self.status} {self.shown()}")
        return self


@dataclass(slots=True)
class Stream:
    """An answer that streams events.

    Attributes:
        what: Method and path, for messages.
        status: HTTP status.
        headers: Headers; names in lower case.
        began: When the request was sent, by ``time.perf_counter``.
        problems: What is wrong with the framing; complete when the stream is.
    """

    what: str
    status: int
    headers: Mapping[str, str]
    began: float
    _response: aiohttp.ClientResponse = field(repr=False)
    _parser: EventParser = field(default_factory=EventParser, repr=False)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the framing; complete when the stream is."""
        return self._parser.problems

    async def events(self) -> AsyncIterator[Event]:
        """Give the events as they come.

        Raises:
            RequestError: The connection breaks, or the time is over.
        """
        try:
            async for piece in self._response.content.iter_any():
                for event in self._parser.feed(piece):
                    yield event
        except TimeoutError as error:
            raise RequestError(f"{self.what}: the stream did not end in time") from error
        except aiohttp.ClientError as error:
            raise RequestError(f"{self.what}: the stream broke: {_named(error)}") from error
        self._parser.close()

    async def body(self) -> bytes:
        """Return what came in place of events.

        Raises:
            RequestError: The connection breaks, or the time is over.
        """
        try:
            return await _body(self._response)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise RequestError(f"{self.what}: status {self.status}, and the answer broke: {_named(error)}") from error


class Client:
    """Sends requests to one server.

    Args:
        session: What connections are made with.
        url: Base URL, without ``/v1``.
        token: Bearer token; empty: none is sent.
        timeout: Seconds that one request may take, its stream included.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, *, token: str = "", timeout: float = 60.0) -> None:
        self._session = session
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a GET request.

        Raises:
            RequestError: No whole answer came.
        """
        return await self.request("GET", path, headers=headers)

    async def post(self, path: str, body: object, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a POST request with a JSON body; bytes are sent as they are.

        Raises:
            RequestError: No whole answer came.
        """
        return await self.request("POST", path, body, headers=headers)

    async def request(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and read its whole answer.

        Raises:
            RequestError: No whole answer came.
        """
        what = f"{method} {path}"
        async with self._sent(method, path, body, headers) as (response, began):
            with self._told(what):
                content = await _body(response)
            return Answer(what, response.status, _headers(response), content, time.perf_counter() - began)

    @asynccontextmanager
    async def stream(
        self, path: str, body: object, *, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Stream]:
        """Send a POST request and give its answer while it comes; leaving early breaks the connection.

        Raises:
            RequestError: No answer came.
        """
        async with self._sent("POST", path, body, headers) as (response, began):
            yield Stream(f"POST {path}", response.status, _headers(response), began, response)

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, body: object, headers: Mapping[str, str] | None
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, float]]:
        what = f"{method} {path}"
        data, sent = None, {**self._headers, **(headers or {})}
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("content-type", JSON_TYPE)
        limit = aiohttp.ClientTimeout(total=self.timeout)
        began = time.perf_counter()
        with self._told(what):
            response = await self._session.request(
                method, self.url + path, data=data, headers=sent, timeout=limit, allow_redirects=False
            )
        try:
            yield response, began
        finally:
            response.close()

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Tell what breaks a request as such."""
        try:
            yield
        except TimeoutError as error:
            raise RequestError(f"{what}: no whole answer within {self.timeout:g} s") from error
        except aiohttp.ClientError as error:
            raise RequestError(f"{what}: {_named(error)}") from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > BODY_LIMIT:
            break
    return bytes(content)


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
