"""The suites of inference servers, on one that behaves, on ones that do not, and on what is none."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.fleet.alone import server_alone
from proving_ground.fleet.inference import Speed

if TYPE_CHECKING:
    from collections.abc import Callable

    Suites = Any

MODEL = "org/m"
LEFT_OUT = {"an-answer-makes-sense"}


@pytest.mark.parametrize(("suite", "number"), [("smoke", 11), ("integration", 34), ("contract", 53)])
def test_a_server_that_behaves_passes_every_check(suites: Suites, suite: str, number: int) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL, speed=Speed(token=0.001, max_running=64)) as url:
            ran = await suites.run(suite, url, "-m", "not weekly")
        assert ran.status == 0, ran.printed
        assert len(ran.ended) == number
        assert ran.with_outcome("skipped") <= LEFT_OUT
        assert not ran.with_outcome("failed") | ran.with_outcome("error")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("suite", "fault", "killed"),
    [
        ("smoke", "no-choices", {"it-answers", "answers-have-their-fields"}),
        ("integration", "stream-without-done", {"streams-end-with-the-end-mark"}),
        ("contract", "no-request-id", {"answers-tell-the-id-of-their-request"}),
    ],
)
def test_a_fault_kills_its_checks_and_no_others(suites: Suites, suite: str, fault: str, killed: set[str]) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL) as url:
            ran = await suites.run(suite, url, f"--fault={fault}", "--wait-limit=5", "-m", "not weekly")
        assert ran.status == 1, ran.printed
        assert {name.partition("[")[0] for name in ran.with_outcome("failed")} == killed
        assert not ran.with_outcome("error")

    asyncio.run(scenario())


def test_a_real_server_that_misbehaves_fails_too(suites: Suites) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL, faults=["health-says-503", "lists-other-model"]) as url:
            ran = await suites.run("smoke", url)
        assert ran.with_outcome("failed") == {"the-server-is-healthy", "the-model-is-listed"}

    asyncio.run(scenario())


def test_where_nobody_listens_is_an_infrastructure_error(suites: Suites, free_port: Callable[[], int]) -> None:
    async def scenario() -> None:
        ran = await suites.run("smoke", f"http://127.0.0.1:{free_port()}")
        assert len(ran.with_outcome("error")) == 11
        assert all(end.infrastructure and "cannot be reached" in end.message for end in ran.ended.values())

    asyncio.run(scenario())


@pytest.mark.parametrize("spoken", [b"", b"SSH-2.0-none\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"])
def test_what_is_no_such_server_fails_and_says_why(suites: Suites, spoken: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(spoken)
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            ran = await suites.run("smoke", f"http://127.0.0.1:{port}", "--wait-limit=5")
        assert ran.status == 1
        assert "it-answers[chat]" in ran.with_outcome("failed")
        assert all(end.message for end in ran.ended.values() if end.outcome == "failed")
        assert not ran.with_outcome("error")

    asyncio.run(scenario())


def test_a_process_that_is_promised_and_not_named_is_an_infrastructure_error(suites: Suites) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL) as url:
            ran = await suites.run("integration", url, "-k", "memory", "--parameter", "inference.pid=null")
        assert ran.with_outcome("error") == {"memory-is-stable-under-load"}
        assert "no pid is told" in next(iter(ran.ended.values())).message

    asyncio.run(scenario())


OTHER = {"api": "openai", "server": "fleet", "model": "org/other", "model_kind": "random"}


def test_a_second_server_has_the_same_checks_under_its_name(suites: Suites) -> None:
    async def scenario() -> None:
        async with (
            server_alone(MODEL) as url,
            server_alone("org/other", faults=["health-says-503"]) as faulty,
        ):
            ran = await suites.run("smoke", url, others={"other": {**OTHER, "url": faulty}})
        assert len(ran.ended) == 22
        assert ran.with_outcome("failed") == {"the-server-is-healthy[other]"}
        assert {"the-model-is-listed", "the-model-is-listed[other]", "it-answers[chat]", "it-answers[chat-other]"} <= {
            *ran.with_outcome("passed")
        }

    asyncio.run(scenario())


def test_a_second_server_of_another_kind_is_left_alone(suites: Suites, free_port: Callable[[], int]) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL) as url:
            ran = await suites.run("smoke", url, others={"gateway": {"url": f"http://127.0.0.1:{free_port()}"}})
        assert (ran.status, len(ran.ended)) == (0, 11)

    asyncio.run(scenario())


@pytest.mark.parametrize("option", ["--fault=no-choices", "--wait-limit=5"])
def test_where_checks_are_tried_there_is_no_second_server(
    suites: Suites, free_port: Callable[[], int], option: str
) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL) as url:
            gone = {**OTHER, "url": f"http://127.0.0.1:{free_port()}"}
            ran = await suites.run("smoke", url, option, others={"other": gone})
        assert len(ran.ended) == 11
        assert not ran.with_outcome("error")

    asyncio.run(scenario())


def test_a_second_server_that_is_promised_and_not_there_is_an_infrastructure_error(suites: Suites) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL) as url:
            ran = await suites.run("smoke", url, promised=["dynamo"])
        missed = {check: end for check, end in ran.ended.items() if check.endswith("dynamo]")}
        assert len(missed) == len(ran.with_outcome("passed")) == 11
        assert {end.outcome for end in missed.values()} == {"error"}
        assert all(end.infrastructure and "inventory 'test' promises" in end.message for end in missed.values())

    asyncio.run(scenario())


def test_memory_is_watched_only_of_servers_whose_process_is_known(suites: Suites) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL) as url:
            far = {**OTHER, "model": MODEL, "url": url, "memory_requests": 30}
            others = {"near": {**far, "pid": os.getpid()}, "far": far}
            ran = await suites.run("integration", url, "-k", "memory", others=others)
        assert set(ran.ended) == {f"integration/memory-is-stable-under-load{part}" for part in ("", "[near]")}
        assert ran.status == 0, ran.printed

    asyncio.run(scenario())
