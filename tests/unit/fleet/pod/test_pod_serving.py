"""One run of a container, on this machine's loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.fleet.behaviour import PREFIX
from proving_ground.fleet.pod import serving
from proving_ground.fleet.pod.own import Told
from proving_ground.fleet.pod.part import part_of
from proving_ground.fleet.pod.serving import Container, Output
from proving_ground.fleet.remembered import Setting
from proving_ground.fleet.views import ContainerView, PodView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MOCK = ("localhost/proving-ground/mocks:1", ("vllm-metrics",))
SERVER = ("docker.io/vllm/vllm-openai:v0.11.0", ())


class Lines(Output):
    """A log that is kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines += text.splitlines()


@pytest.fixture(autouse=True)
def _on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "EVERY_ADDRESS", "127.0.0.1")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def told(port: int, kind: tuple[str, tuple[str, ...]], settings: tuple[Setting, ...] = (), **annotations: str) -> Told:
    named = {PREFIX + name.replace("_", "-"): value for name, value in annotations.items()}
    image, args = kind
    container = ContainerView("main", image, (("http", port),), args=(*args, f"--port={port}"))
    return Told(PodView("ns", "pod", "1", "n", {}, named, (container,), owner="target"), "main", settings=settings)


def run(
    given: Told, scenario: Callable[[Callable[[str], Awaitable[tuple[int, str]]]], Awaitable[None]] | None, port: int
) -> tuple[int | None, list[str]]:
    """Run a container beside a scenario; returns its exit code (None: it went on) and its log."""
    log = Lines()

    async def main() -> int | None:
        container = Container(given, part_of(given, {}), output=log)
        running = asyncio.ensure_future(container.run())
        if scenario is None:
            return await running
        async with aiohttp.ClientSession() as client:

            async def ask(path: str) -> tuple[int, str]:
                async with client.get(f"http://127.0.0.1:{port}{path}") as answer:
                    return answer.status, await answer.text()

            while not any("Listening" in line for line in log.lines):  # noqa: ASYNC110 -- nothing tells of it
                await asyncio.sleep(0)
            await scenario(ask)
        if running.done():
            return running.result()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return None

    return asyncio.run(main()), log.lines


def test_a_mock_begins_with_what_those_of_its_workload_were_told(port: int) -> None:
    async def scenario(ask: Callable[[str], Awaitable[tuple[int, str]]]) -> None:
        assert await ask("/ready") == (200, "ok\n")
        _, page = await ask("/metrics")
        assert 'vllm_gpu_cache_usage_perc{model_name="mock-model"} 85' in page

    code, lines = run(told(port, MOCK, (Setting("", "set", {"gpu_cache": "85"}),)), scenario, port)
    assert code is None
    assert lines[:2] == ["Starting mock vllm-metrics", f"Listening on port {port}"]


@pytest.mark.parametrize(("kind", "path"), [(MOCK, "/ready"), (SERVER, "/health")])
def test_a_container_that_loads_is_not_ready(port: int, kind: tuple[str, tuple[str, ...]], path: str) -> None:
    async def scenario(ask: Callable[[str], Awaitable[tuple[int, str]]]) -> None:
        assert (await ask(path))[0] == 503

    run(told(port, kind, load_seconds="60"), scenario, port)


def test_a_server_serves_the_model_that_it_was_told(port: int) -> None:
    async def scenario(ask: Callable[[str], Awaitable[tuple[int, str]]]) -> None:
        status, page = await ask("/v1/models")
        assert (status, '"id":"org/name"' in page) == (200, True)

    run(told(port, SERVER, model="org/name"), scenario, port)


def test_a_crash_has_its_exit_code_and_the_lines_before_it(port: int) -> None:
    code, lines = run(told(port, SERVER, crash="after=0, exit=7", log_lines="out of memory"), None, port)
    assert code == 7
    assert lines[0] == "out of memory"
    assert lines[-1] == "Process ended with exit code 7 as it was told to"


def test_a_crash_that_is_to_come_after_it_was_ready_waits_until_somebody_saw_it_ready(port: int) -> None:
    given = told(port, SERVER, load_seconds="0", crash="after=0.2, exit=4")

    async def scenario(ask: Callable[[str], Awaitable[tuple[int, str]]]) -> None:
        await asyncio.sleep(0.5)
        assert (await ask("/health"))[0] == 200
        await asyncio.sleep(0.6)

    assert run(given, scenario, port)[0] == 4


def test_a_crash_that_nobody_waits_for_comes_all_the_same(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PROBED_SECONDS", 0.0)
    assert run(told(port, SERVER, crash="after=0.1"), None, port)[0] == 1


def test_a_container_that_completes_ends_well(port: int) -> None:
    assert run(told(port, SERVER, complete="after=0"), None, port)[0] == 0


def test_a_crash_that_is_told_once_spares_the_second_run(port: int) -> None:
    given = dataclasses.replace(told(port, SERVER, crash="after=0, once", complete="after=0"), restarts=1)
    assert run(given, None, port)[0] == 0


def test_a_mock_that_is_not_known_is_told(port: int) -> None:
    with pytest.raises(InfrastructureError, match="expected dcgm-exporter, learning-metrics"):
        run(told(port, (MOCK[0], ("nonsense",))), None, port)


def test_a_port_that_is_taken_is_told(port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(InfrastructureError, match=f"port {port}: cannot listen"),
    ):
        run(told(port, MOCK), None, port)


def test_a_pod_that_loads_becomes_ready_when_it_no_longer_is_to_load(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.01)
    log = Lines()

    async def main() -> None:
        given, changed = told(port, SERVER, load_seconds="3600"), told(port, SERVER)
        container = Container(given, part_of(given, {}), lambda: part_of(changed, {}), log)
        running = asyncio.ensure_future(container.run())
        async with asyncio.timeout(10):
            while not container.replica.ready:  # noqa: ASYNC110 -- nothing tells of it
                await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(main())
    assert any("startup complete" in line for line in log.lines)
