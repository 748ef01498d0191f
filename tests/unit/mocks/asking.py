"""Asking a mock without a network."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from proving_ground.mocks import MOCK, MOCKS, Mock, mock_app

APP = mock_app()


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Reply:
    """What came back; status 0 where nothing did."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def make(name: str, clock: HandClock | None = None, **env: str) -> Mock:
    """Make a mock with a clock that stands still."""
    mock = type(MOCKS[name]({})).from_env(env, clock or HandClock())  # type: ignore[attr-defined]
    assert isinstance(mock, Mock)
    return mock


def ask(mock: Mock, target: str, method: str = "GET", body: bytes = b"", *, gone: bool = False) -> Reply:
    """Send a request; a client that is ``gone`` has left before the answer."""
    path, _, query = target.partition("?")
    reply = Reply()
    waiting = [{"type": "http.disconnect"}] if gone else [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            reply.body += message["body"]
            reply.whole = True

    headers = [(b"content-type", b"application/x-www-form-urlencoded")] if body else []
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode("latin-1"), "headers": headers,
        "state": {MOCK: mock},
    }  # fmt: skip
    asyncio.run(APP(scope, receive, send))
    return reply
