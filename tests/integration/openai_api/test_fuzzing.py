"""Requests that nobody would write: what they find in a server, and what they leave alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.fleet.alone import server_alone
from proving_ground.openai_api.fuzzing import Plan, Result, fuzz

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Suites = Any

MODEL = "org/m"
CHECK = "no-request-breaks-it"


def result_of(*faults: str, cases: int = 5, **more: Any) -> Result:
    async def scenario() -> Result:
        async with server_alone(MODEL, faults=faults) as url:
            plan = Plan(url, MODEL, "fleet", cases=cases, **{"request_seconds": 5.0, **more})
            return await fuzz(plan, say=lambda _: None)

    return asyncio.run(scenario())


def test_a_server_that_behaves_is_not_broken_and_known_differences_are_told() -> None:
    result = result_of()
    assert result.failures == []
    assert result.whole
    assert result.requests > 100
    assert {200, 400} <= set(result.statuses)
    assert list(result.tolerated) == ["error.error.code:type"]
    assert result.notes == []


def test_a_failure_comes_with_a_command_that_reproduces_it() -> None:
    async def scenario() -> None:
        async with server_alone(MODEL, faults=["fails-on-empty-prompt"]) as url:
            result = await fuzz(Plan(url, MODEL, "fleet", cases=5), say=lambda _: None)
            (failure,) = result.failures
            assert failure.rule == "completion:status-500:as-this-server-was-told"
            assert failure.requests > 1
            assert "\n" not in str(failure)
            process = await asyncio.create_subprocess_shell(
                f"{failure.curl} -w '%{{http_code}}'", stdout=asyncio.subprocess.PIPE
            )
            printed, _ = await process.communicate()
        assert printed.decode().endswith("500")

    asyncio.run(scenario())


@pytest.mark.weekly
def test_the_same_seed_sends_the_same_requests() -> None:
    first, second = (result_of("fails-on-empty-prompt", seed=3, cases=20) for _ in range(2))
    assert first.statuses == second.statuses
    assert [f.requests for f in first.failures] == [f.requests for f in second.failures]


def test_it_ends_in_time_and_says_that_not_all_was_sent() -> None:
    result = result_of("fails-on-empty-prompt", cases=100_000, duration=2.0)
    assert not result.whole
    assert result.seconds < 30
    assert result.notes[0] == "left off after 2 s, before all was sent"
    assert result.failures


def test_a_server_that_does_not_answer_plain_requests_is_sent_no_others() -> None:
    result = result_of("hangs", request_seconds=1.0)
    assert [failure.rule for failure in result.failures] == ["answers-plain-requests"]
    assert result.requests == 0


ERROR = b'{"error": {"message": "no", "type": "no", "param": null, "code": null}}'


def result_of_refusing(*, breaks: bool, request_seconds: float) -> Result:
    """Ask a server that refuses all but plain requests, and does not answer those with an empty prompt.

    Args:
        breaks: Whether it answers nothing more after such a one, and closes connections at once.
        request_seconds: How long an answer may take.
    """

    async def scenario() -> Result:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal broken
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
            body = await reader.readexactly(int(lengths[0]) if lengths else 0)
            empty = b'"prompt": ""' in body
            broken = broken or (breaks and empty)
            if empty and not broken:
                await reader.read()  # until the client leaves
            elif not broken:
                status, text = (b"200 OK", b"{}") if b'"Hello"' in body else (b"400 Bad Request", ERROR)
                kind = b"content-type: application/json\r\nconnection: close\r\n"
                writer.write(b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, kind, len(text), text))
                await writer.drain()
            writer.close()

        broken = False
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            return await fuzz(Plan(url, MODEL, cases=5, request_seconds=request_seconds), say=lambda _: None)

    return asyncio.run(scenario())


def test_a_server_that_stops_answering_fails() -> None:
    result = result_of_refusing(breaks=True, request_seconds=5.0)
    assert {failure.rule for failure in result.failures} == {"connection", "answers-afterwards"}


def test_a_request_that_takes_too_long_is_told_and_no_failure() -> None:
    result = result_of_refusing(breaks=False, request_seconds=1.0)
    assert result.failures == []
    assert result.statuses[0] >= 1
    assert "POST /v1/completions: no whole answer within 1 s" in result.notes[0]


@pytest.mark.parametrize("fault", ["fails-on-empty-prompt", "stream-wrong-schema"])
def test_the_fault_of_the_suite_makes_its_check_fail(suites: Suites, fault: str) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL) as url:
            ran = await suites.run("contract", url, f"--fault={fault}", "--wait-limit=10", "-m", "weekly")
        assert ran.status == 1, ran.printed
        assert ran.with_outcome("failed") == {CHECK}
        message = ran.ended[f"contract/{CHECK}"].message
        assert "do not hold, the first: POST /v1/" in message
        assert "curl -sS http" in message

    asyncio.run(scenario())


def test_the_check_passes_on_a_server_that_behaves(suites: Suites) -> None:
    async def scenario() -> None:
        async with server_alone(MODEL) as url:
            ran = await suites.run("contract", url, "-m", "weekly", "--parameter", "inference.fuzz_cases=5")
        assert ran.status == 0, ran.printed
        assert ran.with_outcome("passed") == {CHECK}

    asyncio.run(scenario())


def _program(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "proving_ground", "fuzz", url, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))


def test_the_program_tells_what_it_found_as_json() -> None:
    async def scenario() -> subprocess.CompletedProcess[str]:
        async with server_alone(MODEL, faults=["bad-embeddings"]) as url:
            return await asyncio.to_thread(_program, url, "--cases=5", "--output=json", "--seed=9")

    ran = asyncio.run(scenario())
    assert ran.returncode == 1, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["seed"], told["model"], told["whole"]) == (9, MODEL, True)
    assert {failure["rule"] for failure in told["failures"]} == {"embeddings.data[].embedding[]:type"}


def test_an_interrupted_program_tells_what_came_until_then(tmp_path: Path) -> None:
    def answered() -> bool:
        return any(file.stat().st_size for file in tmp_path.glob("*/exchanges.jsonl"))

    async def scenario() -> tuple[int | None, str]:
        async with server_alone(MODEL, faults=["bad-models"]) as url:
            words = [sys.executable, "-m", "proving_ground", "fuzz", url, "--cases=100000", "--output=json"]
            process = await asyncio.create_subprocess_exec(
                *words, stdout=asyncio.subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}
            )
            async with asyncio.timeout(90):
                while not answered():
                    assert process.returncode is None
                    await asyncio.sleep(0.1)
            process.send_signal(signal.SIGINT)
            out, _ = await process.communicate()
            return process.returncode, out.decode()

    status, out = asyncio.run(scenario())
    assert status == 130
    told = json.loads(out)
    assert (told["whole"], told["interrupted"]) == (False, True)
    assert told["requests"] > 0
    assert told["notes"][0].startswith("interrupted after")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--cases=0"], "--cases: expected 1 to 100000, found 0"),
        (["--seed=-1"], "--seed: expected 0 to"),
        (["--duration=soon"], "expected a duration"),
        (["--auth=/none/token"], "no such file"),
    ],
)
def test_wrong_options_are_refused(options: list[str], told: str) -> None:
    ran = _program("http://127.0.0.1:9", *options)
    assert ran.returncode == 3
    assert told in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_another_machine_is_sent_nothing_unless_it_is_named() -> None:
    ran = _program("http://192.0.2.1:8000")
    assert ran.returncode == 3
    assert "--allow-host" in ran.stderr


def test_nobody_there_is_an_infrastructure_error(free_port: Callable[[], int]) -> None:
    ran = _program(f"http://127.0.0.1:{free_port()}")
    assert ran.returncode == 2
    assert "cannot be reached" in ran.stderr
