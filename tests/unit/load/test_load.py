"""Load: what it is sent to, how it ends, what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from proving_ground import cli
from proving_ground.cli.load import as_json, as_text
from proving_ground.contracts.platform import Clock, Endpoint, Host, Platform
from proving_ground.contracts.results import LoadTest
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.load import LoadPlan, LoadResult, check_target, hosts_of, run_load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ANSWER = json.dumps({"choices": [{"message": {"content": "yes"}}]})


class Server:
    """An inference server that answers as told."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.at_once = 0
        self.most_at_once = 0
        self.status, self.text = 200, ANSWER
        self.models = json.dumps({"data": [{"id": "m"}]})
        self.hangs = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/v1/models":
            return web.Response(text=self.models)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.bodies.append(await request.json())
            if self.hangs:
                await asyncio.Event().wait()
            return web.Response(status=self.status, text=self.text, headers={"Location": "http://192.0.2.1/"})
        finally:
            self.at_once -= 1

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        runner = web.ServerRunner(web.Server(self.handle, handler_cancellation=True), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def load(server: Server, **plan: Any) -> LoadResult:
    async def main() -> LoadResult:
        async with server.serve() as url:
            return await run_load(LoadPlan(url, **{"duration": 5, **plan}))

    return asyncio.run(main())


def test_so_many_requests_are_sent_and_no_more() -> None:
    server = Server()
    result = load(server, requests=30, concurrency=4, max_tokens=7)
    assert (result.requests, result.errors, len(server.bodies)) == (30, 0, 30)
    assert server.most_at_once <= 4
    assert (server.bodies[0]["model"], server.bodies[0]["max_tokens"]) == ("m", 7)


def test_a_named_model_is_asked_for() -> None:
    server = Server()
    load(server, requests=1, model="other")
    assert server.bodies[0]["model"] == "other"


def test_time_ends_it_whatever_is_under_way() -> None:
    server = Server()
    server.hangs = True
    result = load(server, concurrency=3, duration=0.2)
    assert (result.requests, result.unfinished) == (0, 3)
    assert result.measured().error_rate == 0


@pytest.mark.parametrize(
    ("status", "text", "problem"),
    [
        (500, "", "status 500"),
        (302, ANSWER, "status 302"),
        (200, "no", "an answer that is not JSON"),
        (200, "{}", "an answer without choices"),
        (200, "[]", "an answer that is not JSON"),
    ],
)
def test_answers_that_are_none_are_errors(status: int, text: str, problem: str) -> None:
    server = Server()
    server.status, server.text = status, text
    result = load(server, requests=3, concurrency=3)
    assert result.problems == {problem: 3}
    assert result.measured().error_rate == 1


@pytest.mark.parametrize("models", ["", "[]", '{"data": []}', '{"data": null}'])
def test_a_server_that_lists_no_model_is_told(models: str) -> None:
    server = Server()
    server.models = models
    with pytest.raises(InfrastructureError, match="lists no model"):
        load(server, requests=1)


def test_cancelling_ends_it_at_once_and_keeps_what_was_measured() -> None:
    async def main() -> LoadResult:
        server, result = Server(), LoadResult()
        server.hangs = True
        async with server.serve() as url:
            task = asyncio.create_task(run_load(LoadPlan(url, concurrency=2, model="m"), result=result))
            while len(server.bodies) < 2:  # noqa: ASYNC110  # the server has no event for it
                await asyncio.sleep(0.001)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return result

    result = asyncio.run(main())
    assert result.unfinished == 2
    assert result.seconds > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"concurrency": 1001},
        {"requests": 0},
        {"requests": 100_001},
        {"max_tokens": 0},
        {"duration": 0},
        {"duration": 601},
        {"duration": float("nan")},
        {"duration": float("inf")},
    ],
)
def test_bounds_are_hard(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        LoadPlan("http://127.0.0.1:1", **wrong)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://127.64.128.1",
        "https://localhost/x",
        "http://[::1]:1",
        "http://[::ffff:127.0.0.1]",
    ],
)
def test_loopback_may_be_loaded(url: str) -> None:
    check_target(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://8.8.8.8",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://[::ffff:8.8.8.8]",
        "http://0.0.0.0",
        "http://2130706433",
        "http://0x7f000001",
        "http://127.0.0.1@example.com",
        "http://user@127.0.0.1",
        "ftp://127.0.0.1",
        "127.0.0.1:8000",
        "",
        "http://",
        "http://127.0.0.1:99999",
        "http://[",
        "http://127.0.0.1/?a=b",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        check_target(url)


def test_hosts_of_a_platform_may_be_loaded() -> None:
    platform = Platform(
        run_id="r",
        inventory="lab",
        hosts=[Host(name="node-1", declared={"address": "10.88.0.5"})],
        endpoints={"gateway": Endpoint(url="http://10.88.0.9:80"), "odd": Endpoint(url="http://[")},
        clock=Clock(started=dt.datetime.now(dt.UTC)),
    )
    assert hosts_of(platform) == {"node-1", "10.88.0.5", "10.88.0.9"}
    check_target("http://10.88.0.9:8000", hosts_of(platform))
    with pytest.raises(ConfigurationError, match=r"10\.88\.0\.7"):
        check_target("http://10.88.0.7:8000", hosts_of(platform))


def test_percentiles_are_those_of_the_answered_requests() -> None:
    result = LoadResult(seconds=10, latencies=[n / 1000 for n in range(1, 101)], errors=100)
    assert result.measured() == LoadTest(
        requests_per_second=10, p50_latency_ms=50, p95_latency_ms=95, p99_latency_ms=99, error_rate=0.5
    )


def test_problems_do_not_grow_without_end() -> None:
    result = LoadResult()
    for number in range(100):
        result.failed(f"problem {number}")
    assert (result.errors, len(result.problems), result.problems["others"]) == (100, 21, 80)


def test_the_json_has_the_field_names_of_results() -> None:
    assert set(LoadTest.model_fields) <= set(json.loads(as_json(LoadResult())))
    assert "0 requests" in as_text(LoadResult())


def test_a_host_of_others_is_exit_code_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROVING_GROUND_STATE", str(tmp_path))
    assert cli.main(["load", "http://192.0.2.1:8000", "--requests", "1"]) == 3
    assert "does not belong to the platform" in capsys.readouterr().err


def test_an_interruption_still_tells_what_was_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def interrupted(_plan: LoadPlan, *, result: LoadResult) -> LoadResult:
        result.latencies.append(0.1)
        raise KeyboardInterrupt

    monkeypatch.setenv("PROVING_GROUND_STATE", str(tmp_path))
    monkeypatch.setattr("proving_ground.load.run_load", interrupted)
    assert cli.main(["load", "http://127.0.0.1:1", "--output", "json"]) == 130
    assert json.loads(capsys.readouterr().out)["requests"] == 1
