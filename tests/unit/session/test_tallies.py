"""What pytest, linters and scenarios came to is counted and named."""

from __future__ import annotations

from pathlib import Path

import pytest
from tallies import Tally, read_tally


@pytest.mark.parametrize(
    ("code", "report", "expected"),
    [
        (0, '<testsuites><testsuite tests="5" skipped="1" failures="0" errors="0"/></testsuites>', (4, 0, 0)),
        (1, '<testsuites><testsuite tests="5" skipped="0" failures="2" errors="1"/></testsuites>', (2, 3, 0)),
        (2, "<testsuites>", (0, 1, 0)),
        (4, None, (0, 1, 0)),
    ],
)
def test_what_pytest_counted_is_counted(
    tmp_path: Path, code: int, report: str | None, expected: tuple[int, int, int]
) -> None:
    if report is not None:
        (tmp_path / "report.xml").write_text(report)
    tally = read_tally(code, tmp_path / "report.xml")
    assert (tally.code, tally.counts) == (code, expected)
    assert bool(tally.names) == (report is None or report == "<testsuites>")


def test_what_failed_is_named_with_the_first_line_of_its_reason(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(
        '<testsuites><testsuite tests="3" skipped="0" failures="1" errors="1">'
        '<testcase classname="tests.unit.test_a" name="test_fine"/>'
        '<testcase classname="tests.unit.test_a" name="test_wrong[x]">'
        '<failure message="AssertionError: 1 is not 2&#10;assert 1 == 2">...</failure></testcase>'
        '<testcase classname="tests.unit.test_b" name="test_unready"><error message="">...</error></testcase>'
        "</testsuite></testsuites>"
    )
    assert read_tally(1, tmp_path / "report.xml").names == (
        "tests.unit.test_a.test_wrong[x]: AssertionError: 1 is not 2",
        "tests.unit.test_b.test_unready: ",
    )


def test_exit_codes_are_counted_and_the_first_that_is_not_0_stands() -> None:
    assert Tally.of([("a", 0), ("b", 4), ("c", 2)]) == Tally(4, 1, 2, names=("b: exit code 4", "c: exit code 2"))
    assert Tally.of([]) == Tally()
