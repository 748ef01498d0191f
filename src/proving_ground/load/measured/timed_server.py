"""A server whose times are known: `python -m proving_ground.load.measured.timed_server`.

It speaks the OpenAI API as far as load needs it, begins and goes on with each answer at given times, and puts into each
event the time at which it is sent (``sent_at``, seconds of ``time.perf_counter``, which on one machine all processes
share). It can misbehave in ways that a measurement must notice. It prints its URL as the first line, and ends when its
standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
import uvloop

MODEL = "timed"
FAULTS = {
    "slow-first-token": "the first token comes more than three seconds late",
    "stalls": "every fifth token comes a second late",
    "slow-tokens": "each token takes nearly half a second",
    "errors": "every fifth request is answered with status 500",
    "stream-errors": "every fifth stream has an error in it",
    "drops": "every fifth connection ends in the middle of its answer",
    "cuts": "every fifth stream ends without saying so",
    "hangs": "every fifth answer never ends",
    "one-at-a-time": "one answer is generated at a time, and begins after more than a second",
    "refuses-bursts": "status 429 where eight answers are under way, and answers begin after a second",
    "tires": "once ten clients were connected, first tokens come more than half a second late",
}
_LATE = {"slow-first-token": 3.6, "one-at-a-time": 1.1, "refuses-bursts": 1.0}
"""Seconds that a fault adds before the first token."""
_EVERY = 5
_MOST_BURST = 8
_MOST_CLIENTS = 10
_TIRED = 0.6
"""Seconds before the first token."""
_ROLE = b'"delta":{"role":"assistant","content":""},"finish_reason":null}]'
_TOKEN = b'"delta":{"content":" token"},"finish_reason":null}]'
_LAST = b'"delta":{},"finish_reason":"length"}]'
_TEXT_TOKEN = b'"text":" token","finish_reason":null}]'
_TEXT_LAST = b'"text":"","finish_reason":"length"}]'
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"


@dataclass
class Times:
    """When things happen.

    Attributes:
        first_token: Seconds until the first token.
        token: Seconds between tokens; 0: all at once.
        faults: How it misbehaves.
        generating: Answers under way.
        clients: Connections that are open.
        turn: Held by whose answer is generated, where it is one at a time.
        requests: Numbers of the requests that generate.
    """

    first_token: float = 0.02
    token: float = 0.01
    faults: frozenset[str] = frozenset()
    generating: int = 0
    clients: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    requests: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        """Let faults change the times."""
        self.first_token += sum(late for fault, late in _LATE.items() if fault in self.faults)
        self.token = 0.45 if "slow-tokens" in self.faults else self.token

    def connected(self, change: int) -> None:
        """Take note of a connection that was made, or lost."""
        self.clients += change
        if "tires" in self.faults and self.clients >= _MOST_CLIENTS:
            self.first_token = max(self.first_token, _TIRED)

    def pause(self, number: int) -> float:
        """Return seconds before a token, by its number from 1."""
        return self.token + (1.0 if "stalls" in self.faults and number % _EVERY == 0 else 0.0)


class Server(asyncio.Protocol):
    """One connection."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body: list[bytes] = []
        self._work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._times.connected(1)

    def connection_lost(self, error: Exception | None) -> None:
        """End what is under way."""
        del error
        self._times.connected(-1)
        if self._work is not None:
            self._work.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        """Keep the path."""
        self._url, self._body = url, []

    def on_body(self, body: bytes) -> None:
        """Keep the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer."""
        if self._url == b"/health":
            self._json({"status": "ok"})
        elif self._url == b"/v1/models":
            card = {"id": MODEL, "object": "model", "created": 1700000000, "owned_by": "proving-ground"}
            self._json({"object": "list", "data": [card]})
        elif self._url in {b"/v1/chat/completions", b"/v1/completions"}:
            self._generate()
        else:
            self._json({"error": {"message": "no such path", "type": "not_found", "param": None, "code": 404}}, 404)

    def _json(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        head = b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)

    def _generate(self) -> None:
        try:
            asked = json.loads(b"".join(self._body))
            tokens = int(asked.get("max_tokens") or 16)
        except (ValueError, AttributeError, TypeError):
            self._json({"error": {"message": "no JSON", "type": "invalid_request_error", "code": 400}}, 400)
            return
        times, faults = self._times, self._times.faults
        # Two faults at once hit different requests.
        number = next(times.requests) % _EVERY
        hit = number == _EVERY - 1
        cut = "cuts" in faults and number == _EVERY // 2
        if ("errors" in faults and hit) or ("refuses-bursts" in faults and times.generating >= _MOST_BURST):
            status = 500 if "errors" in faults else 429
            self._json({"error": {"message": "not now", "type": "server_error", "code": status}}, status)
            return
        chat = self._url.startswith(b"/v1/chat")
        self._work = asyncio.get_running_loop().create_task(self._take_turn(asked, tokens, hit=hit, cut=cut, chat=chat))

    async def _take_turn(self, asked: dict[str, Any], tokens: int, *, hit: bool, cut: bool, chat: bool) -> None:
        self._times.generating += 1
        try:
            if "one-at-a-time" in self._times.faults:
                async with self._times.turn:
                    await self._answer(asked, tokens, hit=hit, cut=cut, chat=chat)
            else:
                await self._answer(asked, tokens, hit=hit, cut=cut, chat=chat)
        finally:
            self._times.generating -= 1

    async def _answer(self, asked: dict[str, Any], tokens: int, *, hit: bool, cut: bool, chat: bool) -> None:
        if not asked.get("stream"):
            await self._whole(tokens, hit=hit, chat=chat)
            return
        options = asked.get("stream_options")
        usage = isinstance(options, dict) and bool(options.get("include_usage"))
        await self._stream(tokens, usage=usage, hit=hit, cut=cut, chat=chat)

    async def _whole(self, tokens: int, *, hit: bool, chat: bool) -> None:
        times = self._times
        seconds = times.first_token + sum(times.pause(number) for number in range(1, tokens))
        if hit and "hangs" in times.faults:
            await asyncio.Event().wait()
        await asyncio.sleep(seconds)
        if hit and "drops" in times.faults:
            self._transport.close()
            return
        text = " token" * tokens
        said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        told = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": tokens + 10}
        choice = {"index": 0, "finish_reason": "length", **said}
        kind = "chat.completion" if chat else "text_completion"
        self._json({"id": "c-1", "object": kind, "created": 1, "model": MODEL, "choices": [choice], "usage": told})

    async def _stream(self, tokens: int, *, usage: bool, hit: bool, cut: bool, chat: bool) -> None:
        times, loop = self._times, asyncio.get_running_loop()
        kind = b"chat.completion.chunk" if chat else b"text_completion"
        begin = b'data: {"id":"c-1","object":"%b","created":1,"model":"timed","choices":[' % kind
        choice = begin + b'{"index":0,'
        started = loop.time()
        first_token = times.first_token
        await asyncio.sleep(first_token)
        self._transport.write(_STREAM_HEAD)
        if chat:
            self._event(choice + _ROLE)
        at = started + first_token
        for number in range(tokens):
            if number and (pause := times.pause(number)):
                at += pause
                if (wait := at - loop.time()) > 0:
                    await asyncio.sleep(wait)
            if hit and number == tokens // 2 and self._misbehave():
                await self._hang()
                return
            self._event(choice + (_TOKEN if chat else _TEXT_TOKEN))
        if not cut:
            self._event(choice + (_LAST if chat else _TEXT_LAST))
            if usage:
                counts = b'"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d}'
                self._event(begin + b"]," + counts % (tokens, tokens + 10))
            self._transport.write(b"e\r\ndata: [DONE]\n\n\r\n")
        self._transport.write(_END)

    def _misbehave(self) -> bool:
        """Do in the middle of a stream what it is told to, and tell whether nothing follows."""
        if "stream-errors" in self._times.faults:
            event = b'data: {"error":{"message":"lost","type":"server_error","code":500}}\n\n'
            self._transport.write(b"%x\r\n%b\r\n%b" % (len(event), event, _END))
            return True
        if "drops" in self._times.faults:
            self._transport.close()
            return True
        return "hangs" in self._times.faults

    async def _hang(self) -> None:
        if "hangs" in self._times.faults:
            await asyncio.Event().wait()

    def _event(self, content: bytes) -> None:
        event = b'%b,"sent_at":%.7f}\n\n' % (content, time.perf_counter())
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))


async def serve(times: Times, port: int) -> None:
    """Serve until the standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(times), "127.0.0.1", port, backlog=2048)
    found = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{found}"}) + "\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    server.close()


def main() -> int:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--first-token", type=float, default=0.02, metavar="SECONDS")
    parser.add_argument("--token", type=float, default=0.01, metavar="SECONDS")
    parser.add_argument("--fault", action="append", default=[], choices=sorted(FAULTS))
    arguments = parser.parse_args()
    uvloop.run(serve(Times(arguments.first_token, arguments.token, frozenset(arguments.fault)), arguments.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
