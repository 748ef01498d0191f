"""AIPerf itself on a server whose times are known: PROVING_GROUND_TEST_WEEKLY=1 selects what takes long.

Its environment is made when first needed (840 MB), and it takes ten seconds and more to start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from proving_ground.load.measured.timed import timed_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

ROOT = Path(__file__).parents[3]


def command(url: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "proving_ground", "aiperf", "--url", url, *options]


def called(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(url, *options), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def on_a_timed_server(options: Sequence[str], *faults: str) -> subprocess.CompletedProcess[str]:
    async def scenario() -> subprocess.CompletedProcess[str]:
        async with timed_server(first_token=0.1, token=0.02, faults=faults) as url:
            return await asyncio.to_thread(called, url, *options)

    return asyncio.run(scenario())


def test_it_measures_what_the_server_takes_and_records_it(tmp_path: Path) -> None:
    place = str(tmp_path / "history.sqlite")
    options = ("--users", "2", "--duration", "2s", "--max-tokens", "10", "--output", "json", "--history", place)
    ended = on_a_timed_server((*options, "--slo", "ttft_p50=60s,tpot_p50=60s"))
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert (told["verdict"], told["failed"]) == ("valid", 0)
    assert told["requests"] >= 2
    # What a server waits for, no client sees earlier; how much later is a question of the machine.
    latencies = told["latencies_ms"]
    assert latencies["ttft_p50"] >= 100
    assert latencies["tpot_p50"] >= 19
    assert latencies["itl_p50"] >= 1
    assert latencies["e2e_p50"] >= 100 + 9 * 19
    assert 0 < told["goodput"] == pytest.approx(told["requests_per_second"], rel=0.5)
    shown = [sys.executable, "-m", "proving_ground", "history", "list", "--history", place, "--output", "json"]
    runs = json.loads(subprocess.run(shown, capture_output=True, text=True, timeout=60, check=True).stdout)
    assert len(runs) == 1
    assert "recorded as run" in ended.stderr


@contextlib.asynccontextmanager
async def answering(status: int) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Give the URL of a server that answers all alike, and what tells that it was asked something."""
    asked = asyncio.Event()
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    message = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/v1/models":
            return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})
        asked.set()
        if status != 200:
            return web.json_response({"error": {"message": "out of luck", "type": "server_error"}}, status=status)
        return web.json_response({"id": "1", "object": "chat.completion", "choices": [message], "usage": usage})

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


@pytest.mark.weekly
def test_a_server_that_answers_nothing_well_fails(tmp_path: Path) -> None:
    place = str(tmp_path / "history.sqlite")

    async def scenario() -> subprocess.CompletedProcess[str]:
        async with answering(500) as (url, _):
            return await asyncio.to_thread(called, url, "--users", "1", "--duration", "1s", "--history", place)

    ended = asyncio.run(scenario())
    assert ended.returncode == 1, ended.stderr
    assert "(100.0 %)" in ended.stdout
    assert "out of luck" in ended.stdout
    assert "nothing was recorded" in ended.stderr


@pytest.mark.weekly
def test_an_interrupted_measurement_leaves_no_process_and_says_so(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, str, str]:
        async with answering(200) as (url, asked):
            process = await asyncio.create_subprocess_exec(
                *command(url, "--rate", "5", "--duration", "2m", "--no-stream", "--output", "json"),
                cwd=ROOT,
                # A long one is too long for names of sockets.
                env=os.environ | {"TMPDIR": str(tmp_path)},
                stdout=asyncio.subprocess.PIPE,
            )
            await asyncio.wait_for(asked.wait(), 120)
            process.send_signal(signal.SIGINT)
            printed, _ = await asyncio.wait_for(process.communicate(), 60)
            return process.returncode or 0, printed.decode(), url

    code, printed, url = asyncio.run(scenario())
    assert code == 130
    assert not printed or json.loads(printed)["verdict"] == "interrupted"
    assert [file for file in Path("/proc").glob("[0-9]*/cmdline") if url.encode() in _content(file)] == []
    assert list(tmp_path.iterdir()) == []


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
