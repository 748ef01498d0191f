"""Faults of an inference server, over real HTTP: of pods, and of a server alone."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from proving_ground.fleet.alone import server_alone
from proving_ground.fleet.factories.misbehaviour import FAULTS
from proving_ground.fleet.inference import Speed

if TYPE_CHECKING:
    from collections.abc import Callable

    Stage = Any
    Play = Callable[..., None]

CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4, "seed": 1}


def test_a_pod_shows_the_faults_of_its_server(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", model="m", fault="no-request-id,wrong-usage")
        await s.ready("a")
        answer = await s.client.post(f"{s.address('a')}{CHAT}", json=BODY)
        usage = answer.json()["usage"]
        assert "x-request-id" not in answer.headers
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] + 1

    play(scenario)


async def _seen(url: str) -> list[object]:
    """Ask for a bit of everything; what never is the same twice is left out."""
    seen: list[object] = []
    async with aiohttp.ClientSession() as client:
        for body in (b"{", {**BODY, "model": "other"}, {**BODY, "max_tokens": 2, "n": 2}, {**BODY, "stop": [" "]}):
            data = {"data": body} if isinstance(body, bytes) else {"json": body}
            async with client.post(url + CHAT, **data) as answer:
                found = await answer.json(content_type=None)
                seen.append((answer.status, answer.content_type, sorted(answer.headers), found.get("choices")))
                seen.append(found.get("usage"))
        for path in ("/health", "/v1/models", "/no/such/path"):
            async with client.get(url + path) as answer:
                seen.append((answer.status, sorted(answer.headers), await answer.text()))
    return seen


SEEN_ELSEWHERE = {
    "breaks-after-error", "bursts-of-429", "drops-connections", "fails-on-empty-prompt", "fails-on-long-prompt",
    "fails-when-busy", "hangs", "ignores-seed", "jitter", "keeps-cancelled", "leaks-memory", "random-at-zero",
    "same-id", "slow-first-token", "bad-embeddings", "error-in-stream", *(name for name in FAULTS if "stream-" in name),
}  # fmt: skip
"""Faults in time, in streams and between requests: the suites of inference servers notice these."""


@pytest.mark.parametrize("fault", sorted(FAULTS - SEEN_ELSEWHERE))
def test_a_fault_can_be_seen(fault: str) -> None:
    async def scenario() -> None:
        async with server_alone("m") as good, server_alone("m", faults=[fault]) as bad:
            assert await _seen(good) == await _seen(good)
            assert await _seen(bad) != await _seen(good)

    asyncio.run(scenario())


def test_jitter_makes_events_late() -> None:
    async def spread(faults: list[str]) -> float:
        async with (
            server_alone("m", faults=faults, speed=Speed(token=0.001)) as url,
            aiohttp.ClientSession() as client,
            client.post(url + CHAT, json={**BODY, "stream": True, "max_tokens": 12, "ignore_eos": True}) as answer,
        ):
            began = time.monotonic()
            await answer.read()
            return time.monotonic() - began

    async def scenario() -> None:
        assert await spread(["jitter"]) > await spread([]) + 0.1

    asyncio.run(scenario())


def test_a_client_that_leaves_a_server_that_hangs_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        async with server_alone("m", faults=["hangs"]) as url, aiohttp.ClientSession() as client:
            with pytest.raises(TimeoutError):
                await client.post(url + CHAT, json=BODY, timeout=aiohttp.ClientTimeout(total=0.1))
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == []

    asyncio.run(scenario())


def test_a_server_alone_listens_on_loopback_only() -> None:
    async def scenario() -> None:
        with pytest.raises(Exception, match=r"127\.0\.0\.0/8"):
            async with server_alone("m", address="10.0.0.1"):
                pass

    asyncio.run(scenario())
