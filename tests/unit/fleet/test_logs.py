from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from proving_ground.fleet.logs import LINES_KEPT, ContainerLog, LogRequest, PodLog


async def read(log: ContainerLog, request: LogRequest) -> bytes:
    return b"".join([chunk async for chunk in log.read(request)])


def with_lines(*lines: str) -> ContainerLog:
    log = ContainerLog()
    for line in lines:
        log.write(line)
    return log


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (LogRequest(), b"a\nb\nc\n"),
        (LogRequest(tail=2), b"b\nc\n"),
        (LogRequest(tail=0), b""),
        (LogRequest(tail=99), b"a\nb\nc\n"),
        (LogRequest(limit_bytes=3), b"a\nb"),
        (LogRequest(since=dt.datetime(2000, 1, 1, tzinfo=dt.UTC)), b"a\nb\nc\n"),
        (LogRequest(since=dt.datetime(2999, 1, 1, tzinfo=dt.UTC)), b""),
    ],
)
def test_a_reader_gets_what_it_asks_for(request_: LogRequest, text: bytes) -> None:
    assert asyncio.run(read(with_lines("a", "b", "c"), request_)) == text


def test_timestamps_come_first() -> None:
    line = asyncio.run(read(with_lines("a"), LogRequest(timestamps=True))).decode()
    assert dt.datetime.fromisoformat(line.split()[0]).tzinfo is not None


def test_a_follower_sees_what_comes_until_the_end() -> None:
    async def scenario() -> bytes:
        log = with_lines("a")
        reader = asyncio.create_task(read(log, LogRequest(follow=True, tail=0)))
        await asyncio.sleep(0)
        log.write("b\nc")
        await asyncio.sleep(0)
        log.write("d")
        log.close()
        return await reader

    assert asyncio.run(scenario()) == b"b\nc\nd\n"


def test_following_a_log_that_has_ended_ends() -> None:
    log = with_lines("a")
    log.close()
    assert asyncio.run(read(log, LogRequest(follow=True))) == b"a\n"


def test_old_lines_are_forgotten() -> None:
    log = with_lines(*map(str, range(LINES_KEPT + 5)))
    assert asyncio.run(read(log, LogRequest())).startswith(b"5\n")


def test_a_restart_keeps_the_log_before_it(tmp_path: Path) -> None:
    log = PodLog(tmp_path, "ns_p_1", ("main", "side"))
    for run, text in enumerate(("first", "second")):
        log.start(run)
        log.write(text)
    previous = log.of("main", previous=True)
    assert previous is not None
    assert asyncio.run(read(previous, LogRequest(follow=True))) == b"first\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ns_p_1_main.0.log", "ns_p_1_main.1.log"]


def test_a_folder_that_cannot_be_written_to_loses_nothing(tmp_path: Path) -> None:
    log = PodLog(tmp_path / "absent", "x", ("main",))
    log.start(0)
    log.write("a")
    present = log.of("main")
    assert present is not None
    assert asyncio.run(read(present, LogRequest())) == b"a\n"


def test_an_unknown_container_has_no_log() -> None:
    assert PodLog(None, "x", ("main",)).of("other") is None
