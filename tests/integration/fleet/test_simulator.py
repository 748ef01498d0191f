"""The factory openai as llm-d's inference simulator: arguments, fake metrics, failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Callable

    Stage = Any
    Play = Callable[..., None]

IMAGE = "ghcr.io/llm-d/llm-d-inference-sim:v0.6.1"
FAKE = '{"running-requests": 5, "waiting-requests": 10, "kv-cache-usage": 0.85}'


async def gauges(s: Stage, name: str = "a") -> dict[str, float]:
    text = (await s.client.get(f"{s.address(name)}/metrics")).text
    return {f.name: f.samples[0].value for f in text_string_to_metric_families(text) if f.type == "gauge"}


@pytest.mark.parametrize("path", ["/health", "/ready", "/health/ready"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_each_probe_follows_readiness(play: Play, path: str, method: str) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image=IMAGE, load_seconds="0.2")
        await s.until(lambda: s.phases("a"))
        assert (await s.client.request(method, s.address("a") + path)).status_code == 503
        await s.ready("a")
        assert (await s.client.request(method, s.address("a") + path)).status_code == 200

    play(scenario)


def test_fake_metrics_are_told_from_the_start_and_replaced_by_a_post(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image=IMAGE, args=("--fake-metrics", FAKE))
        await s.ready("a")
        assert await gauges(s) == {
            "vllm:num_requests_running": 5,
            "vllm:num_requests_waiting": 10,
            "vllm:gpu_cache_usage_perc": 0.85,
        }
        await s.client.post(f"{s.address('a')}/fake_metrics", json={"waiting-requests": 3, "kv-cache-usage": None})
        assert list((await gauges(s)).values()) == [0, 3, 0]
        await s.client.post(f"{s.address('a')}/fake_metrics", json={})
        assert list((await gauges(s)).values()) == [0, 0, 0]

    play(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"x": 1}',
        b'{"running-requests": -1}',
        b'{"kv-cache-usage": NaN}',
        b'{"kv-cache-usage": 85}',
        b"\xff",
    ],
)
def test_fake_metrics_that_make_no_sense_change_nothing(play: Play, body: bytes) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image=IMAGE, args=(f"--fake-metrics={FAKE}",))
        await s.ready("a")
        answer = await s.client.post(f"{s.address('a')}/fake_metrics", content=body)
        assert answer.status_code == 400
        assert (await gauges(s))["vllm:num_requests_running"] == 5

    play(scenario)


def test_the_rate_of_failures_is_kept_exactly(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image=IMAGE, args=("--failure-injection-rate=25", "--failure-types", "rate_limit"))
        await s.ready("a")
        url = f"{s.address('a')}/v1/completions"
        codes = [(await s.client.post(url, json={"prompt": "x"})).status_code for _ in range(20)]
        assert (codes.count(429), codes.count(200)) == (5, 15)

    play(scenario)


@pytest.mark.parametrize(
    ("asked", "status"),
    [("rate_limit", 429), ("invalid_api_key", 401), ("model_not_found", 404), ("503", 503), ("200", 400), ("?", 400)],
)
def test_a_request_can_ask_for_a_failure(play: Play, asked: str, status: int) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image=IMAGE)
        await s.ready("a")
        headers = {"X-Return-Error": asked}
        answer = await s.client.post(f"{s.address('a')}/v1/completions", json={"prompt": "x"}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)

    play(scenario)


def test_concurrent_chats_show_as_running_and_waiting_and_fill_the_cache(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        args = ("--max-num-seqs=2", "--time-to-first-token", "10ms", "--inter-token-latency", "20")
        s.pod("a", image=IMAGE, args=args)
        await s.ready("a")
        body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 500, "ignore_eos": True}
        url = f"{s.address('a')}/v1/chat/completions"
        chats = [asyncio.create_task(s.client.post(url, json=body)) for _ in range(3)]
        seen: list[float] = []

        async def grows() -> None:
            while len(seen) < 3:
                found = await gauges(s)
                if (found["vllm:num_requests_running"], found["vllm:num_requests_waiting"]) != (2, 1):
                    continue
                usage = found["vllm:gpu_cache_usage_perc"]
                if not seen or usage > seen[-1]:
                    seen.append(usage)

        async with asyncio.timeout(10):
            await grows()
        assert seen == sorted(set(seen))
        for chat in chats:
            chat.cancel()
        await asyncio.gather(*chats, return_exceptions=True)

    play(scenario)


def test_scrapes_of_a_server_are_counted_and_kept(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image=IMAGE, owner="w", args=(f"--fake-metrics={FAKE}",))
        await s.ready("a")
        await gauges(s)
        async with s.control() as control:
            scrapes = (await control.get("/namespaces/ns/workloads/w/scrapes")).json()
            history = (await control.get("/namespaces/ns/workloads/w/history")).json()
        assert scrapes == {"scrapes": 1, "pods": {"a": 1}}
        assert history["pods"]["a"][0][1] == {"gpu_cache": 0.85, "requests_running": 5, "requests_waiting": 10}

    play(scenario)


def test_arguments_that_cannot_be_understood_are_events_and_the_pod_is_ready(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image=IMAGE, args=("--inter-token-latency=soon", "--fake-metrics=[]", "--max-num-seqs=0"))
        await s.ready("a")
        await s.until(lambda: len(s.source.told) == 3)
        assert {reason for _, reason, _ in s.source.told} == {"InvalidArgument"}

    play(scenario)
