"""A master and workers that share no files, as pods of a cluster do: here as processes on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.load.measured.engine import MODULE
from proving_ground.load.measured.plan import Level, Plan
from proving_ground.load.measured.timed import timed_server
from proving_ground.load.pods.telling import read_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proving_ground.load.measured.result import Measured


def free_port() -> int:
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Apart:
    """A master and two workers, each with a folder of its own."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan.model_dump_json()
        self._url = plan.url
        self._place = f"127.0.0.1:{free_port()}"
        self.master = self._started("master")
        self.workers = [self._started("worker", number) for number in (1, 2)]

    def _started(self, role: str, number: int = 0) -> subprocess.Popen[str]:
        folder = self._folder / f"{role}-{number}"
        folder.mkdir()
        (folder / "plan.json").write_text(self._plan)
        command = [sys.executable, "-m", MODULE, str(folder / "plan.json"), f"--{role}", self._place]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def measured(self) -> Measured:
        """Return what the master tells in its end."""
        return read_log(self.master.communicate(timeout=60)[0], "master")

    def wait_until_it_goes(self) -> None:
        """Wait until each worker is connected to the server."""
        port = urlsplit(self._url).port
        deadline = time.monotonic() + 40
        for worker in map(psutil.Process, (process.pid for process in self.workers)):
            while not any(found.raddr and found.raddr.port == port for found in worker.net_connections("tcp")):
                assert time.monotonic() < deadline, "the load did not begin"
                time.sleep(0.05)

    def end(self) -> None:
        for process in (self.master, *self.workers):
            process.kill()
            process.communicate()


@pytest.fixture
def server() -> Iterator[str]:
    """A server whose first token comes after 30 ms and each other after 10 ms."""
    loop = asyncio.new_event_loop()
    server = timed_server(first_token=0.03, token=0.01)
    try:
        yield loop.run_until_complete(server.__aenter__())
    finally:
        loop.run_until_complete(server.__aexit__(None, None, None))
        loop.close()


@pytest.fixture
def apart(tmp_path: Path, server: str) -> Iterator[Any]:
    """Return what starts a load of so many seconds."""
    with contextlib.ExitStack() as stack:

        def started(seconds: float) -> Apart:
            told = {"url": server, "model": "timed", "arrivals": "constant", "max_tokens": 5, "drain": 2.0}
            levels = (Level(value=20, seconds=seconds, warm_up=0.0),)
            made = Apart(tmp_path, Plan.model_validate({**told, "profile": "burst", "processes": 2, "levels": levels}))
            stack.callback(made.end)
            return made

        yield started


def test_parts_of_workers_that_share_nothing_add_up(apart: Any) -> None:
    measured = apart(2).measured()
    assert measured.client.parts == 2
    # Each sends every second request: one alone would have half of them.
    assert measured.last.requests == 40
    assert measured.last.failed == 0
    assert measured.last.latencies_ms["ttft_p50"] >= 30


def test_a_worker_that_has_to_go_tells_what_it_saw_and_the_load_ends(apart: Any) -> None:
    load = apart(30)
    load.wait_until_it_goes()
    load.workers[0].send_signal(signal.SIGTERM)
    measured = load.measured()
    assert measured.client.verdict in {"interrupted", "invalid"}
    assert measured.client.parts == 2
    assert measured.last.seconds < 29
    assert load.workers[0].wait(20) == 0


def test_a_master_that_has_to_go_collects_what_there_is(apart: Any) -> None:
    load = apart(30)
    load.wait_until_it_goes()
    load.master.send_signal(signal.SIGTERM)
    measured = load.measured()
    assert measured.client.parts == 2
    assert measured.last.seconds < 29


def test_a_worker_that_is_killed_leaves_no_result(apart: Any) -> None:
    load = apart(3)
    load.wait_until_it_goes()
    load.workers[1].kill()
    with pytest.raises(InfrastructureError, match=r"^master: 1 of 2 workers did not tell what they saw$"):
        load.measured()
    assert load.master.returncode == 1
