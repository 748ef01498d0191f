"""The one application that answers as every mock.

It is ASGI without a framework: hundreds of readers ask a thousand mocks for the same small text all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

from proving_ground.mocks.answer import Answer
from proving_ground.mocks.failure import SPOILT, FailureMode
from proving_ground.mocks.given import Given, MockError, read_query, read_query_as_told
from proving_ground.mocks.mock import MOCK, Mock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

BODY_LIMIT = 64 * 1024
"""Bytes of a form."""
READ = ("GET", "HEAD")
WRITE = ("GET", "POST")
FORM = b"application/x-www-form-urlencoded"
_AT_ONCE = struct.pack("ii", 1, 0)


def mock_app() -> ASGIApp:
    """Return the application; it finds its :class:`Mock` in ``scope["state"][MOCK]``."""
    return _serve


async def _serve(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    mock: Mock = scope["state"][MOCK]
    path: str = scope["path"]
    if path in mock.scraped:
        await _scrape(mock, scope, receive, send)
    elif path in mock.changes:
        await _send(send, await _changed(mock, scope, receive), WRITE)
    else:
        await _send(send, _page(mock, scope), READ)


async def _scrape(mock: Mock, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request of a metric endpoint, or fail as the mock was told to."""
    path, query = scope["path"], {}
    if scope["method"] not in mock.scraped_by:
        await _send(send, Answer.text("method not allowed\n", 405), mock.scraped_by)
        return
    if scope["method"] == "POST":
        try:
            query = read_query_as_told(await _form(scope, receive))
        except MockError as error:
            await _send(send, Answer.text(f"{error}\n", error.status))
            return
    if scope["query_string"]:
        query = read_query_as_told(scope["query_string"].decode("latin-1")) | query
    mock.history.scrapes += 1
    told = mock.failure
    if told.mode is FailureMode.RESET:
        await _reset(receive, send)
        return
    if told.mode is FailureMode.SLOW and await _gone_within(told.delay, receive):
        return
    now = mock.clock()
    answer = mock.answer(path, query, now)
    spoilt = SPOILT.get(told.mode)
    if spoilt is not None:
        answer = spoilt(answer)
    elif answer.status == 200:  # noqa: PLR2004 -- OK
        mock.history.add(now, mock.seen(now))
    await _send(send, answer)


async def _changed(mock: Mock, scope: Scope, receive: Receive) -> Answer:
    """Make a change that a request asks for, or refuse it."""
    if scope["method"] not in WRITE:
        return Answer.text("method not allowed\n", 405)
    try:
        query = scope["query_string"].decode("latin-1")
        form = await _form(scope, receive) if scope["method"] == "POST" else ""
        return Answer.text(mock.change(scope["path"], read_query("&".join(filter(None, (query, form))))) + "\n")
    except MockError as error:
        return Answer.text(f"{error}\n", error.status)


def _page(mock: Mock, scope: Scope) -> Answer:
    """Answer what changes and counts nothing."""
    path = scope["path"]
    if path in {"/health", "/ready"}:
        answer: Answer | None = Answer.text("ok\n")
    elif path == "/history":
        answer = _history(mock, scope["query_string"].decode("latin-1"))
    else:
        answer = mock.page(path)
    if answer is None:
        return Answer.text(f"the mock {mock.name} has no such path\n", 404)
    return answer if scope["method"] in READ else Answer.text("method not allowed\n", 405)


def _history(mock: Mock, query: str) -> Answer:
    try:
        read = read_query(query)
        given = Given(read)
        if read:
            given.only(("since",))
        samples = mock.history.samples(given.number("since", -1e15, 1e15))
    except MockError as error:
        return Answer.text(f"{error}\n", error.status)
    return Answer.json({"scrapes": mock.history.scrapes, "samples": samples})


async def _form(scope: Scope, receive: Receive) -> str:
    """Read the body of a request where it is a form.

    Raises:
        MockError: It is larger than the limit, or not ASCII.
    """
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_LIMIT:
            raise MockError(f"expected a body of at most {BODY_LIMIT} bytes", status=413)
    if kind.partition(b";")[0].strip().lower() != FORM:
        return ""
    try:
        return body.decode("ascii")
    except UnicodeDecodeError:
        raise MockError("expected a form in ASCII, other characters as %XX") from None


async def _send(send: Send, answer: Answer, allowed: Iterable[str] = ()) -> None:
    headers = [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body))]
    if answer.status == 405:  # noqa: PLR2004 -- method not allowed
        headers.append((b"allow", ", ".join(allowed).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _gone_within(seconds: float, receive: Receive) -> bool:
    """Wait; tell whether the client went away meanwhile."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _gone(receive)
            return True
    return False


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reset(receive: Receive, send: Send) -> None:
    """Reset the connection.

    ASGI has no word for it, so the connection is reached through uvicorn's ``send``, a method of what answers one
    request. Any other server breaks the connection too, for an answer that ends before it is whole.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        transport.abort()
        await _gone(receive)
    else:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
