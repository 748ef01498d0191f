"""The client, against servers on loopback that behave and that do not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from proving_ground.fleet.alone import server_alone
from proving_ground.fleet.inference import Speed
from proving_ground.openai_api.client import Client, RequestError
from proving_ground.openai_api.conformity import judge
from proving_ground.openai_api.differences import differences_of
from proving_ground.openai_api.streams import read_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}
TEXT: dict[str, Any] = {"model": "m", "prompt": "hello", "max_tokens": 8}


@asynccontextmanager
async def served(faults: Collection[str] = (), speed: Speed | None = None, **settings: Any) -> AsyncIterator[Client]:
    async with server_alone("m", faults=faults, speed=speed) as url, aiohttp.ClientSession() as session:
        yield Client(session, url, **settings)


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    asyncio.run(main())


def test_every_body_of_the_mock_conforms() -> None:
    async def scenario() -> None:
        known = differences_of("fleet")
        async with served() as client:
            bodies = {
                "models": await client.get("/v1/models"),
                "chat-completion": await client.post(CHAT, HELLO),
                "completion": await client.post("/v1/completions", TEXT),
                "embeddings": await client.post("/v1/embeddings", {"model": "m", "input": "a"}),
                "error": await client.post(CHAT, b"{"),
            }
            for name, answer in bodies.items():
                assert not judge(name, answer.json(), known).violations, name

    play(scenario)


def test_every_event_of_the_mock_conforms() -> None:
    async def scenario() -> None:
        options = {"stream_options": {"include_usage": True}}
        async with served(speed=Speed(token=0.002)) as client:
            for path, body, name in ((CHAT, HELLO, "chat-chunk"), ("/v1/completions", TEXT, "completion-chunk")):
                record = await read_stream(client, path, {**body, **options})
                assert not record.problems
                assert record.done == 1
                assert all(not judge(name, chunk).violations for chunk in record.chunks)

    play(scenario)


def test_events_are_stamped_as_they_come() -> None:
    async def scenario() -> None:
        async with served(speed=Speed(first_token=0.1, token=0.02)) as client:
            record = await read_stream(client, CHAT, {**HELLO, "ignore_eos": True})
        times = [event.time for event in record.events]
        assert times == sorted(times)
        assert times[0] - record.began >= 0.1
        assert times[-1] - times[0] >= 7 * 0.02

    play(scenario)


@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_that_breaks_is_told(stream: bool) -> None:
    async def scenario() -> None:
        async with served(["drops-connections"], Speed(token=0.002)) as client:
            with pytest.raises(RequestError, match=f"POST {CHAT}"):
                await (read_stream(client, CHAT, HELLO) if stream else client.post(CHAT, HELLO))

    play(scenario)


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_hangs_is_left_in_time(stream: bool) -> None:
    async def scenario() -> None:
        async with served(["hangs"], timeout=0.2) as client:
            with pytest.raises(RequestError, match=r"within 0\.2 s"):
                await (read_stream(client, CHAT, HELLO) if stream else client.post(CHAT, HELLO))

    play(scenario)


def test_a_stream_that_is_left_frees_its_place() -> None:
    async def scenario() -> None:
        async with served(speed=Speed(token=0.01, max_running=1), timeout=5) as client:
            async with client.stream(CHAT, {**HELLO, "stream": True, "max_tokens": 3000, "ignore_eos": True}) as stream:
                async for _ in stream.events():
                    break
            (await client.post(CHAT, HELLO)).expect(200)

    play(scenario)


def test_an_answer_that_is_no_stream_shows_its_body() -> None:
    async def scenario() -> None:
        async with served() as client:
            with pytest.raises(RequestError, match=r"expected status 200, found 404 .*does not exist"):
                await read_stream(client, CHAT, {**HELLO, "model": "other"})

    play(scenario)


def test_the_token_is_sent() -> None:
    async def scenario() -> None:
        seen: list[bytes] = []

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        async with (
            await asyncio.start_server(take, "127.0.0.1", 0) as server,
            aiohttp.ClientSession() as session,
        ):
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await Client(session, url, token="secret").get("/health")
        assert b"authorization: bearer secret" in seen[0].lower()

    play(scenario)
