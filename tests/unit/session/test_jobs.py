"""Jobs run side by side, in order, within what the machine can have."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from jobs import Job, Run, side_by_side
from programs import Programs
from tallies import Tally


class Watched:
    """Makes jobs that note when they run, and wait for others to do so where asked."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.most = 0
        self._now = 0
        self._changed = threading.Condition()

    def job(
        self, name: str, *after: str, labs: bool = False, until: Callable[[], bool] = lambda: True, code: int = 0
    ) -> Job:
        def work(run: Run, _programs: Programs) -> Tally:
            with self._changed:
                self.begun.append(name)
                self._now += 1
                self.most = max(self.most, self._now)
                self._changed.notify_all()
                assert self._changed.wait_for(until, 20), f"{name} waited in vain"
                self._now -= 1
            return Tally.of([(name, run("sh", "-c", f"echo {name} said so; exit {code}"))])

        return Job(name, work, frozenset(after), labs=labs)


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def play(tmp_path: Path, said: list[str]) -> Callable[..., dict[str, Tally]]:
    """Run jobs; what they print goes to files."""

    def play(width: int, *jobs: Job) -> dict[str, Tally]:
        with Programs(tmp_path) as programs:
            return side_by_side(jobs, width, programs, logs=tmp_path / "logs", say=said.append)

    return play


def test_as_many_run_at_once_as_asked_for(watched: Watched, play: Callable[..., dict[str, Tally]]) -> None:
    jobs = [watched.job(name, until=lambda: len(watched.begun) >= 2) for name in "abcd"]
    assert set(play(2, *jobs)) == set("abcd")
    assert watched.most == 2


def test_the_first_begin_first_and_what_needs_another_waits_for_it(
    watched: Watched, play: Callable[..., dict[str, Tally]]
) -> None:
    play(1, watched.job("a", "c"), watched.job("b"), watched.job("c", "of another call"), watched.job("d"))
    assert watched.begun == ["b", "c", "a", "d"]


def test_what_needs_one_that_failed_is_run_all_the_same(
    watched: Watched, play: Callable[..., dict[str, Tally]]
) -> None:
    tallies = play(2, watched.job("a", code=2), watched.job("b", "a"))
    assert (tallies["a"].code, tallies["b"].code) == (2, 0)


def test_one_lab_is_there_at_a_time(watched: Watched, play: Callable[..., dict[str, Tally]]) -> None:
    play(
        8,
        watched.job("a", labs=True, until=lambda: "c" in watched.begun),
        watched.job("b", labs=True),
        watched.job("c"),
    )
    assert watched.begun.index("b") == 2


def test_each_ends_in_one_line_and_one_that_failed_with_the_end_of_what_it_printed(
    watched: Watched, play: Callable[..., dict[str, Tally]], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    play(1, watched.job("unit"), watched.job("molecule:aim", code=4))
    assert [line.rsplit(" after", 1)[0] for line in said] == [
        "unit begins",
        "unit passed",
        "molecule:aim begins",
        "molecule:aim failed",
    ]
    assert said[-1].endswith("(2 of 2)")
    out = capsys.readouterr().out
    assert "molecule:aim said so" in out
    assert "molecule-aim.log" in out
    assert "unit said so" not in out


def test_a_mistake_in_a_job_is_its_failure_and_the_others_go_on(
    watched: Watched, play: Callable[..., dict[str, Tally]]
) -> None:
    def broken(_run: Run, _programs: Programs) -> Tally:
        raise OSError("no room")

    tallies = play(1, Job("a", broken), watched.job("b"))
    assert tallies["a"] == Tally(1, 0, 1, names=("OSError('no room')",))
    assert tallies["b"].code == 0


def test_what_cannot_be_had_here_is_said(play: Callable[..., dict[str, Tally]], said: list[str]) -> None:
    play(1, Job("lab", lambda _run, _programs: Tally(not_run=1, names=("no root",))))
    assert said[-1].startswith("lab not run: no root after")


def test_after_an_interruption_nothing_begins(watched: Watched, tmp_path: Path, said: list[str]) -> None:
    with Programs(tmp_path) as programs:

        def interrupted(run: Run, programs: Programs) -> Tally:
            programs.interrupted = True
            return Tally.of([("a", run("true"))])

        tallies = side_by_side(
            [Job("a", interrupted), watched.job("b")], 1, programs, logs=tmp_path / "logs", say=said.append
        )
    assert tallies == {"a": Tally(130, 0, 1, names=("a: exit code 130",))}
    assert watched.begun == []


def test_a_job_alone_prints_as_it_goes(watched: Watched, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    with Programs(tmp_path) as programs:
        began = time.monotonic()
        side_by_side([watched.job("unit")], 1, programs, logs=None, say=said.append)
        assert time.monotonic() - began < 20
    assert "unit said so" in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == []
