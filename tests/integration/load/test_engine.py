"""The engine on a server whose times are known: what it measures, what it notices, and when it is not believed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.load.measured import engine
from proving_ground.load.measured.engine import measure
from proving_ground.load.measured.plan import Level, Plan, steps
from proving_ground.load.measured.result import Measured
from proving_ground.load.measured.slos import parse_slos
from proving_ground.load.measured.timed import timed_server

ONE = (Level(value=5, seconds=1.5, warm_up=0.3),)
BUSY = {"levels": ONE, "profile": "busy", "spawn_rate": 100.0, "max_tokens": 10, "drain": 2.0, "model": "timed"}


def load(faults: tuple[str, ...] = (), first_token: float = 0.03, token: float = 0.01, **changes: Any) -> Measured:
    async def made() -> Measured:
        async with timed_server(first_token=first_token, token=token, faults=faults) as url:
            return await measure(Plan.model_validate({"url": url, **BUSY, **changes}))

    return asyncio.run(made())


def test_times_are_those_of_the_server() -> None:
    told = load(stamps=True)
    level = told.last
    assert level.failed == 0
    assert level.latencies_ms["ttft_p50"] >= 30
    assert level.latencies_ms["tpot_p50"] == pytest.approx(10, rel=0.2)
    # How near they are is measured by benchmarks/load_client.py; here the machine may be busy.
    assert told.time_errors_ms["ttft_p50"] < 5
    assert level.counts["itl"] == 9 * level.requests


def test_users_wait_for_their_answers() -> None:
    level = load().last
    # Five users, each answer of 30 + 9 * 10 ms.
    assert 15 <= level.requests_per_second <= 5 / 0.12 + 4


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_arrivals_do_not_wait_for_answers(arrivals: str) -> None:
    told = load(arrivals=arrivals, levels=(Level(value=40, seconds=1.5, warm_up=0.3),), first_token=0.6)
    assert told.last.requests == pytest.approx(60, rel=0.5)
    assert told.client.send_lag_p99_ms is not None


def test_a_server_that_falls_behind_is_told_by_latencies_from_the_scheduled_time() -> None:
    level = load(("one-at-a-time",), arrivals="constant", levels=(Level(value=3, seconds=2, warm_up=0),), drain=8).last
    # An answer takes 1.2 s and three come in a second, so the last waits for all before it.
    assert level.latencies_ms["ttft_p99"] > 4000


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("errors", "status 500"),
        ("stream-errors", "an error in the stream"),
        ("drops", "the connection ended before the answer did"),
        ("cuts", "a stream that ends without saying so"),
        ("hangs", "no end 2 s after the load"),
    ],
)
def test_every_misbehaviour_is_a_failed_request(fault: str, problem: str) -> None:
    level = load((fault,)).last
    assert set(level.problems) == {problem}


def test_unstreamed_answers_have_no_times_of_tokens() -> None:
    level = load(streamed=False).last
    assert level.counts["ttft"] == 0
    assert level.latencies_ms["e2e_p50"] >= 120
    assert level.tokens_per_second > 10


def test_completions_are_measured_as_chats_are() -> None:
    level = load(api="completions").last
    assert level.failed == 0
    assert level.counts["ttft"] == level.requests


def test_a_server_that_nobody_is_behind_fails_every_request() -> None:
    told = asyncio.run(measure(Plan.model_validate({"url": "http://127.0.0.1:9", **BUSY})))
    assert told.last.error_rate == 1
    assert "refused" in next(iter(told.last.problems)).lower()


def test_two_processes_share_the_load() -> None:
    level = load(processes=2, arrivals="constant", levels=(Level(value=40, seconds=1.5, warm_up=0.5),)).last
    assert level.failed == 0
    assert 55 <= level.requests <= 61


def test_users_are_spread_over_processes() -> None:
    level = load(processes=2, levels=(Level(value=6, seconds=1.5, warm_up=0.5),)).last
    assert level.failed == 0
    assert level.requests >= 30


def test_the_knee_is_where_objectives_break() -> None:
    told = load(
        ("refuses-bursts",),
        levels=steps((2, 16), 2.5, warm_up=0.2),
        slos=parse_slos("error_rate=5%"),
    )
    assert told.knee == 2
    assert told.levels[1].missed


def test_a_client_that_was_held_up_says_that_it_is_not_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    start = engine._started

    async def started(command: list[str]) -> asyncio.subprocess.Process:
        process = await start(command)
        loop = asyncio.get_running_loop()
        # From before its first request on, well into the load.
        for at in (1.0, 2.0, 3.0, 4.0):
            loop.call_later(at, process.send_signal, signal.SIGSTOP)
            loop.call_later(at + 0.5, process.send_signal, signal.SIGCONT)
        return process

    monkeypatch.setattr(engine, "_started", started)
    told = load(arrivals="constant", levels=(Level(value=100, seconds=4, warm_up=0),), drain=5)
    assert told.client.verdict == "invalid", told.client
    assert "ms late at p99" in told.client.reason


def test_a_load_that_is_stopped_is_marked_and_keeps_what_it_saw() -> None:
    async def made() -> Measured:
        async with timed_server() as url:
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(4, stop.set)
            levels = (Level(value=5, seconds=60, warm_up=0),)
            return await measure(Plan.model_validate({"url": url, **BUSY, "levels": levels}), stop=stop)

    told = asyncio.run(made())
    assert told.client.verdict == "interrupted"
    assert 0 < told.last.seconds < 10
    assert told.last.requests
    assert told.last.failed == 0


def test_a_load_that_is_cancelled_leaves_what_it_saw() -> None:
    async def made() -> list[Measured]:
        partial: list[Measured] = []
        async with timed_server() as url:
            plan = Plan.model_validate({"url": url, **BUSY, "levels": (Level(value=5, seconds=60, warm_up=0),)})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(4):
                    await measure(plan, partial=partial.append)
        return partial

    (told,) = asyncio.run(made())
    assert told.client.verdict == "interrupted"
    assert told.last.requests


def test_a_plan_out_of_its_bounds_starts_nothing() -> None:
    with pytest.raises(ConfigurationError, match="load is not sent"):
        asyncio.run(measure(Plan.model_validate({**BUSY, "url": "http://192.0.2.1"})))
