from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.report.merge import SuiteLog, merge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proving_ground.report.merge import Merged


def at(seconds: int) -> str:
    return f"2026-01-02T03:04:{seconds:02d}+00:00"


def collected(check: str, **more: Any) -> dict[str, Any]:
    return {"event": "collected", "time": at(0), "check": check, "suite": "aim", "nodeid": f"f.py::{check}"} | more


def started(check: str, second: int = 1) -> dict[str, Any]:
    return {"event": "started", "time": at(second), "check": check}


def ended(check: str, outcome: str = "passed", second: int = 3, **more: Any) -> dict[str, Any]:
    return {"event": "ended", "time": at(second), "check": check, "outcome": outcome, "duration": 2.0} | more


def finished(second: int = 9, **more: Any) -> dict[str, Any]:
    return {"event": "finished", "time": at(second), "exit_status": 0} | more


@pytest.fixture
def merged(tmp_path: Path) -> Callable[..., Merged]:
    def make(*events: dict[str, Any] | str, tail: str = "") -> Merged:
        path = tmp_path / "events.jsonl"
        path.write_text("".join(e if isinstance(e, str) else json.dumps(e) + "\n" for e in events))
        return merge([SuiteLog("aim", "Models", path, tail)])

    return make


def test_each_outcome_counts_once(merged: Callable[..., Merged]) -> None:
    result = merged(
        *(collected(f"aim/{name}") for name in "abcd"),
        *(started(f"aim/{name}") for name in "abcd"),
        ended("aim/a"),
        ended("aim/b", "failed", message="first line", detail="all of it"),
        ended("aim/c", "error", infrastructure=True),
        ended("aim/d", "skipped", message="because", reason_code="row-skipped"),
        finished(),
    )
    summary = result.summary
    assert (summary.total, summary.passed, summary.failed, summary.errors, summary.skipped) == (4, 1, 1, 1, 1)
    assert [test.status for test in result.tests] == ["passed", "failed", "error", "skipped"]
    assert (result.tests[1].error, result.tests[1].detail) == ("first line", "all of it")
    assert (result.tests[2].error, result.tests[2].infrastructure) == ("no message", True)
    assert (result.tests[3].reason, result.tests[3].reason_code, result.tests[3].error) == (
        "because",
        "row-skipped",
        None,
    )
    assert result.suites[0].problem == ""


def test_what_was_declared_of_a_check_is_kept(merged: Callable[..., Merged]) -> None:
    (test,) = merged(
        collected("aim/a[x]", marks=["nightly"], description="A", parameters={"image": "r/x:1"}),
        started("aim/a[x]"),
        ended(
            "aim/a[x]",
            metrics={"s": 1.5},
            properties={"k": "v"},
            attachments=[{"name": "log", "text": "t"}],
            attempts=2,
        ),
        finished(),
    ).tests
    assert (test.name, test.suite, test.id, test.nodeid) == ("a[x]", "aim", "aim/a[x]", "f.py::aim/a[x]")
    assert (test.marks, test.description, test.parameters) == (["nightly"], "A", {"image": "r/x:1"})
    assert (test.metrics, test.properties, test.attempts) == ({"s": 1.5}, {"k": "v"}, 2)
    assert test.attachments[0].text == "t"


def test_checks_of_a_process_that_died_are_errors_of_the_infrastructure(merged: Callable[..., Merged]) -> None:
    result = merged(
        collected("aim/a"), collected("aim/b"), started("aim/a"), ended("aim/x", second=5), tail="Traceback\nKilled\n\n"
    )
    under_way, waiting, _ = result.tests
    why = "its process ended before its checks did: Killed"
    assert (under_way.status, under_way.error) == ("error", f"did not end, it was under way: {why}")
    assert (waiting.status, waiting.error) == ("error", f"did not end, it had not started: {why}")
    assert under_way.infrastructure
    assert waiting.infrastructure
    assert under_way.duration == 4.0
    assert result.suites[0].problem == why


def test_a_log_cut_in_the_middle_of_a_line_loses_that_line_only(merged: Callable[..., Merged]) -> None:
    result = merged(collected("aim/a"), ended("aim/a"), collected("aim/b"), json.dumps(ended("aim/b"))[:40])
    assert [test.status for test in result.tests] == ["passed", "error"]


def test_a_log_that_is_not_there_makes_a_suite_that_could_not_be_judged(tmp_path: Path) -> None:
    result = merge([SuiteLog("aim", "Models", tmp_path / "nothing", "")])
    assert result.suites[0].problem == "it wrote no event log: No such file or directory"
    assert result.summary.total == 0


def test_an_empty_log_makes_a_suite_that_could_not_be_judged(merged: Callable[..., Merged]) -> None:
    assert merged().suites[0].problem == "its process ended before its checks did"


@pytest.mark.parametrize("line", ["garbage\n", "[1]\n", '{"event": "unknown"}\n', "\x00\x01\n", '{"event": "ended"}\n'])
def test_a_broken_line_is_a_problem_of_the_suite_and_the_rest_counts(merged: Callable[..., Merged], line: str) -> None:
    result = merged(collected("aim/a"), line, ended("aim/a"), finished())
    assert [test.status for test in result.tests] == ["passed"]
    assert result.suites[0].problem == "line 2 of its event log is broken"


def test_why_collection_failed_is_the_problem_of_the_suite(merged: Callable[..., Merged]) -> None:
    result = merged(finished(exit_status=4, problem="models.csv:2: bad", configuration=True))
    assert result.suites[0].problem == "models.csv:2: bad"


def test_a_check_that_ended_twice_counts_as_it_ended_last(merged: Callable[..., Merged]) -> None:
    (test,) = merged(collected("aim/a"), ended("aim/a"), ended("aim/a", "failed", message="late"), finished()).tests
    assert (test.status, test.error) == ("failed", "late")


def test_two_checks_of_one_id_are_a_problem(merged: Callable[..., Merged]) -> None:
    result = merged(collected("aim/a"), collected("aim/a", nodeid="g.py::a"), ended("aim/a"), finished())
    assert result.suites[0].problem == "two checks are called aim/a"


def test_an_end_without_a_declaration_still_counts(merged: Callable[..., Merged]) -> None:
    (test,) = merged(ended("aim/a"), finished()).tests
    assert (test.name, test.status) == ("a", "passed")


def test_a_selected_check_is_not_listed_as_not_selected(merged: Callable[..., Merged]) -> None:
    rejected = {"event": "not_selected", "time": at(0), "suite": "aim", "reason": "capability", "detail": "gpu"}
    result = merged(
        rejected | {"check": "aim/a"}, rejected | {"check": "aim/b"}, collected("aim/a"), ended("aim/a"), finished()
    )
    assert [(entry.id, entry.reason, entry.detail) for entry in result.not_selected] == [("aim/b", "capability", "gpu")]
    assert result.summary.not_selected == 1


def test_the_time_of_a_suite_is_from_its_first_start_to_its_last_end(merged: Callable[..., Merged]) -> None:
    result = merged(started("aim/a", 1), ended("aim/a"), started("aim/b", 4), ended("aim/b"), finished())
    assert result.summary.duration_seconds == 5.0
