from __future__ import annotations

import asyncio
import datetime as dt

import httpx
import pytest
from starlette.datastructures import QueryParams

from proving_ground.fleet.kubelet import kubelet_app, log_request
from proving_ground.fleet.logs import PodLog

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


def ask(path: str) -> httpx.Response:
    log = PodLog(None, "x", ("main",))
    log.start(0)
    log.write("one\ntwo")

    async def request() -> httpx.Response:
        app = kubelet_app(lambda namespace, name: log if (namespace, name) == ("ns", "pod") else None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kubelet") as client:
            return await client.get(path)

    return asyncio.run(request())


def test_a_log_is_given() -> None:
    assert ask("/containerLogs/ns/pod/main").text == "one\ntwo\n"


def test_a_tail_is_given() -> None:
    assert ask("/containerLogs/ns/pod/main?tailLines=1").text == "two\n"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/containerLogs/ns/other/main", 404),
        ("/containerLogs/ns/pod/other", 404),
        ("/containerLogs/ns/pod/main?previous=true", 400),
        ("/containerLogs/ns/pod/main?tailLines=-1", 400),
        ("/containerLogs/ns/pod/main?tailLines=x", 400),
        ("/containerLogs/ns/pod/main?sinceTime=yesterday", 400),
        ("/exec/ns/pod/main", 501),
        ("/nowhere", 404),
    ],
)
def test_what_cannot_be_given_is_refused(path: str, status: int) -> None:
    assert ask(path).status_code == status


def test_options_are_read() -> None:
    query = QueryParams("follow=true&tailLines=5&timestamps=true&sinceSeconds=60&limitBytes=10")
    request = log_request(query, NOW)
    assert (request.follow, request.tail, request.timestamps, request.limit_bytes) == (True, 5, True, 10)
    assert request.since == NOW - dt.timedelta(seconds=60)


def test_a_time_wins_over_seconds() -> None:
    request = log_request(QueryParams("sinceTime=2026-01-01T00:00:00Z&sinceSeconds=1"), NOW)
    assert request.since == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
