"""The verb that waits until a server is healthy, as a process."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from proving_ground.fleet.alone import server_alone

if TYPE_CHECKING:
    from collections.abc import Callable

NO_HEALTH = (b"/v1/models", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
LOCKED = (b"/v1/models", b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "proving_ground",
        "wait-healthy",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    out, told = await process.communicate()
    assert out == b""
    return process.returncode or 0, told.decode()


def test_it_ends_when_the_server_comes_up(free_port: Callable[[], int]) -> None:
    async def scenario() -> None:
        port = free_port()
        process = await start(f"http://127.0.0.1:{port}/v1", "30")
        assert process.stderr is not None
        first = await process.stderr.readline()
        async with server_alone("m", port=port):
            status, told = await ended(process)
        assert b"refused" in first.lower()
        assert status == 0
        assert "is healthy after" in told

    asyncio.run(scenario())


def test_a_server_that_stays_unhealthy_is_an_infrastructure_error() -> None:
    async def scenario() -> None:
        async with server_alone("m", faults=["health-says-503"]) as url:
            status, told = await ended(await start(url, "0.5"))
        assert status == 2
        assert "is not healthy after 0.5 s, last: /health answers 503" in told

    asyncio.run(scenario())


def test_where_nobody_listens_is_an_infrastructure_error(free_port: Callable[[], int]) -> None:
    status, told = asyncio.run(_waited(f"http://127.0.0.1:{free_port()}", "0.4"))
    assert status == 2
    assert "refused" in told.lower()


async def _waited(*arguments: str) -> tuple[int, str]:
    return await ended(await start(*arguments))


@pytest.mark.parametrize(("path", "answer"), [NO_HEALTH, LOCKED], ids=["open", "locked"])
def test_a_server_without_a_path_for_its_health_is_asked_for_its_models(path: bytes, answer: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer if path in asked else NOT_FOUND)
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
            status, _ = await _waited(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "5")
        assert status == 0

    asyncio.run(scenario())


def test_what_speaks_no_http_is_told_as_such() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"SSH-2.0-none\r\n")
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
            status, told = await _waited(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "0.5")
        assert status == 2
        assert "does not speak HTTP" in told

    asyncio.run(scenario())
