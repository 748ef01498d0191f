"""What a master pod prints, among other lines, whole and cut."""

from __future__ import annotations

import random

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.load.measured.result import Client, Measured
from proving_ground.load.pods.telling import read_log, silent, told_as_lines, told_failure


def measured(seconds: int = 3) -> Measured:
    source = random.Random(1)  # noqa: S311 - as hard to compress as measurements are
    return Measured(
        closed=True,
        levels=[],
        client=Client(parts=2),
        per_second=[(float(second), source.random(), source.random()) for second in range(seconds)],
    )


def test_a_result_is_read_among_lines_of_others() -> None:
    log = "a warning\nhalf a line" + told_as_lines(measured()) + "goodbye\n"
    assert read_log(log, "master") == measured()


def test_a_big_result_is_many_lines_that_no_runtime_splits() -> None:
    lines = told_as_lines(measured(20_000)).splitlines()
    assert len(lines) > 50
    assert max(len(line) for line in lines) < 8192
    # Others print in between.
    assert read_log("\nother\n".join(lines), "master") == measured(20_000)


def test_a_log_that_was_cut_is_no_result() -> None:
    lines = told_as_lines(measured(2000)).splitlines()
    assert len(lines) > 4
    for cut in (lines[:-1], [*lines[:2], *lines[3:]], [lines[0], *lines[2:]]):
        with pytest.raises(InfrastructureError, match=r"no result|did not come as a whole"):
            read_log("\n".join(cut), "master")


@pytest.mark.parametrize("log", ["", "\n\n", "Traceback\nMemoryError\n"])
def test_a_log_without_a_result_is_told_with_its_last_line(log: str) -> None:
    assert silent(log)
    with pytest.raises(InfrastructureError, match=r"no result: (it said nothing|MemoryError)$"):
        read_log(log, "master")


def test_what_a_master_says_is_the_reason() -> None:
    log = "warning\n" + told_failure("1 of 2 workers came\nwithin 600 s") + "more\n"
    assert not silent(log)
    with pytest.raises(InfrastructureError, match=r"^master: 1 of 2 workers came within 600 s$"):
        read_log(log, "master")


def test_a_result_of_another_version_says_so() -> None:
    class Later(Measured):
        more: int = 1

    later = Later.model_construct(**dict(measured()), more=1)
    with pytest.raises(InfrastructureError, match="another version: more"):
        read_log(told_as_lines(later), "master")
