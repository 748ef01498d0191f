"""What requests leave behind: places of cancelled ones, and memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.openai_api.client import RequestError
from proving_ground.openai_api.server import COMPLETIONS, resident_bytes

if TYPE_CHECKING:
    from proving_ground.openai_api.server import Server

pytestmark = [pytest.mark.integration]
STREAMS, BEGIN_SECONDS, FREE_SECONDS = 8, 1.0, 10.0
LENGTHS = (2048, 512, 128)
LOAD, AT_ONCE, GROWTH_MB = 300, 8, 32.0
MEGABYTE = 2**20


async def _long_body(server: Server) -> dict[str, object]:
    """Return a request for as long an answer as the server lets one ask for."""
    for length in LENGTHS:
        for more in ({"ignore_eos": True}, {}):
            body = await server.body("completion", max_tokens=length, stream=True, **more)
            async with server.client.stream(COMPLETIONS, body) as stream:
                if stream.status == 200:
                    return body
    raise RequestError(f"no answer of {LENGTHS[-1]} tokens can be asked for")


async def _begin(server: Server, body: dict[str, object], begun: asyncio.Semaphore) -> None:
    """Ask for a stream, and hold it from its first event on."""
    try:
        async with server.client.stream(COMPLETIONS, body) as stream:
            async for _ in stream.events():
                begun.release()
                await asyncio.Event().wait()
    finally:
        begun.release()


@pytest.mark.pre_merge
@pytest.mark.sequential
async def test_a_cancelled_stream_frees_its_place(server: Server) -> None:
    """When clients leave their streams, others are answered at once (parameters cancelled_streams, free_seconds)."""
    count = int(server.target.number("cancelled_streams", STREAMS))
    limit = server.target.number("free_seconds", FREE_SECONDS)
    body = await _long_body(server)
    begun = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(_begin(server, body, begun)) for _ in range(count)]
    try:
        # Some may have to wait for their place: those that have none are left while they wait.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_SECONDS):
                for _ in range(count):
                    await begun.acquire()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    began = time.monotonic()
    server.client.timeout = limit
    answers = await asyncio.gather(
        *(server.ask("completion", max_tokens=4) for _ in range(count)), return_exceptions=True
    )
    spent = time.monotonic() - began
    server.check.metric("seconds_until_free", spent)
    late = [answer for answer in answers if isinstance(answer, BaseException) or answer.status != 200]
    assert not late, f"after {count} cancelled streams {len(late)} of {count} requests failed: {late[0]}"


@pytest.mark.nightly
@pytest.mark.sequential
@pytest.mark.needs_server_process
async def test_memory_is_stable_under_load(server: Server) -> None:
    """After a first third of the load the server's memory grows by no more than the parameter memory_growth_mb (32)."""
    pid = server.target.pid
    if pid is None:
        raise InfrastructureError("server_process is promised, but no pid is told in the parameters of inference")
    load = int(server.target.number("memory_requests", LOAD))
    limit = server.target.number("memory_growth_mb", GROWTH_MB)
    seen: list[tuple[float, float]] = []
    numbers = iter(range(load))

    async def work() -> None:
        for number in numbers:
            (await server.ask("completion", f"Number {number} is", max_tokens=8)).expect(200)
            seen.append((float(number), resident_bytes(pid) / MEGABYTE))

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    seen.sort()
    server.check.plot("memory of the server", {"resident": seen}, x="requests", y="MiB")
    warm = max(size for _, size in seen[: load // 3])
    growth = max(size for _, size in seen[-load // 3 :]) - warm
    server.check.metric("memory_growth_mb", growth)
    assert growth <= limit, f"grew by {growth:.1f} MiB, expected at most {limit:g}, over {load} requests"
