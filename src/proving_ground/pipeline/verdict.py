"""The rule that turns what happened into one verdict: the first cause decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.contracts.results import Verdict, VerdictOutcome
from proving_ground.errors import ExitCode

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from proving_ground.contracts.results import SuiteResult, Test

_OUTCOMES: dict[ExitCode, VerdictOutcome] = {
    ExitCode.PASSED: "passed",
    ExitCode.FAILED: "failed",
    ExitCode.INFRASTRUCTURE: "infrastructure",
    ExitCode.CONFIGURATION: "configuration",
    ExitCode.INTERRUPTED: "interrupted",
}


@dataclass(frozen=True)
class Cause:
    """Something outside the checks that decides.

    Attributes:
        exit_code: What the run ends with because of it.
        line: One line for people.
        look_at: Where to look, relative to the artifacts directory.
        since: When it began, where that is known: a check that failed before it decides instead.
    """

    exit_code: ExitCode
    line: str
    look_at: str = ""
    since: dt.datetime | None = None


def verdict_of(cause: Cause) -> Verdict:
    """Return the verdict of a cause."""
    return Verdict(
        exit_code=cause.exit_code.value,
        outcome=_OUTCOMES[cause.exit_code],
        cause=cause.line,
        look_at=cause.look_at,
    )


def decide(
    before: Cause | None,
    tests: Sequence[Test],
    suites: Sequence[SuiteResult],
    after: Cause | None = None,
) -> Verdict:
    """Return the verdict of a run.

    Args:
        before: What went wrong before or while the checks ran (a phase, an interrupt); it comes first.
        tests: Every declared check with its outcome.
        suites: Every selected suite.
        after: What went wrong after a pass (a destroy that failed).

    Returns:
        The verdict. Among checks, the one that ended first decides; a suite that executed no check is a
        configuration error, and nothing selected is one, too.
    """
    bad = sorted((test for test in tests if test.status in {"failed", "error"}), key=_end)
    if before is not None:
        since = before.since.timestamp() if before.since is not None else 0.0
        earlier = [test for test in bad if test.status == "failed" and test.started and _end(test) < since]
        return verdict_of(_of_test(earlier[0], len(bad), len(tests)) if earlier else before)
    if bad:
        return verdict_of(_of_test(bad[0], len(bad), len(tests)))
    unjudged = _unjudged(suites)
    if unjudged is not None:
        return verdict_of(unjudged)
    if after is not None:
        return verdict_of(after)
    passed = sum(test.status == "passed" for test in tests)
    return verdict_of(Cause(ExitCode.PASSED, f"{passed} checks passed", "report.html"))


def _unjudged(suites: Sequence[SuiteResult]) -> Cause | None:
    for suite in suites:
        if suite.problem:
            line = f"suite {suite.name} could not be judged: {suite.problem}"
            return Cause(ExitCode.INFRASTRUCTURE, line, f"diagnostics/{suite.name}.log")
    for suite in suites:
        if not suite.summary.passed + suite.summary.failed + suite.summary.errors:
            return Cause(ExitCode.CONFIGURATION, f"suite {suite.name} executed no check", "report.html")
    return None if suites else Cause(ExitCode.CONFIGURATION, "no suite was selected", "results.json")


def _end(test: Test) -> float:
    return test.started.timestamp() + test.duration if test.started else 0.0


def _of_test(test: Test, bad: int, total: int) -> Cause:
    more = f" (and {bad - 1} more of {total})" if bad > 1 else ""
    if test.status == "error" and test.infrastructure:
        return Cause(ExitCode.INFRASTRUCTURE, f"{test.id} could not be judged: {test.error}{more}", "report.html")
    return Cause(ExitCode.FAILED, f"{test.id}: {test.error}{more}", "report.html")
