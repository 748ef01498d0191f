"""Puts the named faults of a replica between it and whoever asks."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

from proving_ground.fleet.factories.misbehaviour import (
    ANSWERS,
    BURST,
    BURST_EVERY,
    CHUNKS,
    EVENTS,
    HEADERS,
    JITTER_SECONDS,
    LEAK_BYTES,
    LONG_BODY,
    REQUESTS,
    SLOW_SECONDS,
    Memory,
    StreamState,
)
from proving_ground.fleet.http import replica_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from proving_ground.fleet.replica import Replica

_INFERENCE = ("/v1/completions", "/v1/chat/completions", "/v1/embeddings")
_VALID = {
    "/v1/completions": {"prompt": "hello"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hello"}]},
    "/v1/embeddings": {"input": "hello"},
}
_BUSY = 2
_REFUSED = 400
_MEMORY = "misbehaving"


def _error(status: int, kind: str, message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": status}}).encode()


class Misbehaving:
    """An application whose replicas misbehave where they are told to.

    Args:
        app: The application that behaves.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        replica = replica_of(scope)
        if not replica.behaviour.misbehaviours:
            await self._app(scope, receive, send)
            return
        await _Exchange(self._app, scope, receive, send, replica).run()


class _Exchange:
    """One request to a replica that misbehaves."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, replica: Replica) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._replica = replica
        self._faults = replica.behaviour.misbehaviours
        self._memory: Memory = replica.memory.setdefault(_MEMORY, Memory())
        self._start: Message = {}
        self._streams = False
        self._stream = StreamState()
        self._body = b""

    async def run(self) -> None:
        """Answer it."""
        path = self._scope["path"]
        if path == "/health" and "health-says-503" in self._faults:
            await self._answer(503, b"")
        elif path in _INFERENCE and self._scope["method"] == "POST":
            await self._infer(await self._whole_body())
        else:
            await self._app(self._scope, self._receive, self._take)

    async def _whole_body(self) -> bytes:
        parts = []
        while True:
            message = await self._receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(parts)

    async def _infer(self, body: bytes) -> None:
        faults, memory = self._faults, self._memory
        number, memory.requests = memory.requests, memory.requests + 1
        if "hangs" in faults:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            return
        if "slow-first-token" in faults:
            await asyncio.sleep(SLOW_SECONDS)
        if "leaks-memory" in faults:
            memory.leaked.append(b"x" * LEAK_BYTES)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        status = self._refusal(number, document, body)
        if status:
            memory.broken = False
            await self._answer(status, _error(status, "ToldError", "As this server was told to say."))
            return
        if isinstance(document, dict):
            for fault in faults & REQUESTS.keys():
                REQUESTS[fault](document)
            body = json.dumps(document).encode()
        await self._app(self._scope, self._given(body), self._take)

    def _refusal(self, number: int, document: Any, body: bytes) -> int:
        """Return the status with which a request is refused for no good reason; 0: it is not."""
        prompt = document.get("prompt") if isinstance(document, dict) else None
        refusals = {
            "bursts-of-429": (429, number % BURST_EVERY >= BURST_EVERY - BURST),
            "fails-when-busy": (503, len(self._replica.connections.tasks) > _BUSY),
            "breaks-after-error": (500, self._memory.broken),
            "fails-on-empty-prompt": (500, prompt == ""),
            "fails-on-long-prompt": (500, len(body) > LONG_BODY),
        }
        return next((status for fault, (status, when) in refusals.items() if when and fault in self._faults), 0)

    def _given(self, body: bytes) -> Receive:
        """Return what gives a body once, and then what comes from the connection."""
        given = False

        async def receive() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            if "keeps-cancelled" in self._faults:
                await asyncio.Event().wait()
            return await self._receive()

        return receive

    async def _answer(self, status: int, body: bytes) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _take(self, message: Message) -> None:
        """Take a part of the answer, and pass on what the faults make of it."""
        if message["type"] == "http.response.start":
            headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self._streams = headers.get("content-type", "").startswith("text/event-stream")
            for fault in self._faults & HEADERS.keys():
                HEADERS[fault](headers, self._streams)
            self._start = {**message, "headers": [(n.encode(), v.encode()) for n, v in headers.items()]}
            if self._streams:
                await self._send(self._start)
        elif self._streams:
            await self._events(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._whole()

    async def _events(self, message: Message) -> None:
        more = bool(message.get("more_body"))
        for event in message.get("body", b"").split(b"\n\n"):
            if not event or (changed := self._event(event + b"\n\n")) == b"":
                continue
            if "jitter" in self._faults:
                await asyncio.sleep(random.uniform(0, JITTER_SECONDS))  # noqa: S311 -- guards nothing
            if "drops-connections" in self._faults and self._stream.sent > 1:
                await self._drop()
                return
            await self._send({"type": "http.response.body", "body": changed, "more_body": True})
        if not more:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _event(self, event: bytes) -> bytes:
        data = event.removeprefix(b"data: ").strip()
        chunk = None if data == b"[DONE]" else json.loads(data)
        if isinstance(chunk, dict) and (faults := self._faults & CHUNKS.keys()):
            for fault in faults:
                CHUNKS[fault](chunk)
            event = b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
        for fault in self._faults & EVENTS.keys():
            event = EVENTS[fault](event, self._stream)
        self._stream.sent += 1
        return event

    async def _whole(self) -> None:
        """Send an answer that is no stream."""
        status, path = self._start["status"], self._scope["path"]
        inference = path in _INFERENCE and self._scope["method"] == "POST"
        if inference and status >= _REFUSED:
            self._memory.broken = True
            if "accepts-invalid" in self._faults:
                self._body = b""
                valid = json.dumps(_VALID[path]).encode()
                faults, self._faults = self._faults, frozenset()
                await self._app(self._scope, self._given(valid), self._take)
                self._faults = faults
                return
        if status >= _REFUSED and not inference and "answers-every-path" in self._faults:
            self._start["status"], self._body = 200, b"{}"
        try:
            document = json.loads(self._body)
        except ValueError:
            document = None
        if isinstance(document, dict):
            if status < _REFUSED:
                for fault in self._faults & ANSWERS.keys():
                    ANSWERS[fault](document, self._memory)
            elif "bad-errors" in self._faults:
                document = {"message": "something went wrong"}
            self._body = json.dumps(document).encode()
        headers = [pair for pair in self._start["headers"] if pair[0] != b"content-length"]
        self._start["headers"] = [*headers, (b"content-length", b"%d" % len(self._body))]
        await self._send(self._start)
        if inference and "drops-connections" in self._faults:
            await self._send({"type": "http.response.body", "body": self._body[:10], "more_body": True})
            await self._drop()
            return
        await self._send({"type": "http.response.body", "body": self._body})

    async def _drop(self) -> None:
        """Break the connection, as a crash of a worker does."""
        for protocol in tuple(self._replica.connections.connections):
            transport = getattr(protocol, "transport", None)
            if transport is not None and getattr(protocol, "client", None) == self._scope["client"]:
                transport.abort()
        await self._receive()
