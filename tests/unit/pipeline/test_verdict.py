from __future__ import annotations

import datetime as dt

from proving_ground.contracts.results import SuiteResult, Summary, Test
from proving_ground.errors import ExitCode
from proving_ground.pipeline.verdict import Cause, decide

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def check(name: str, status: str, *, after: float = 0.0, infrastructure: bool = False) -> Test:
    return Test(
        name=name,
        id=f"s/{name}",
        suite="s",
        status=status,
        duration=1.0,
        started=NOON + dt.timedelta(seconds=after),
        error="broke" if status in {"failed", "error"} else None,
        infrastructure=infrastructure,
    )


def suite(passed: int = 0, failed: int = 0, *, problem: str = "") -> SuiteResult:
    return SuiteResult(name="s", summary=Summary(total=passed + failed, passed=passed, failed=failed), problem=problem)


def test_a_run_whose_checks_all_passed_passes() -> None:
    verdict = decide(None, [check("a", "passed")], [suite(1)])
    assert (verdict.exit_code, verdict.outcome) == (0, "passed")


def test_a_failed_check_is_named_with_its_message() -> None:
    verdict = decide(None, [check("a", "failed")], [suite(0, 1)])
    assert verdict.exit_code == ExitCode.FAILED
    assert verdict.cause == "s/a: broke"


def test_an_infrastructure_error_of_a_check_ends_with_two() -> None:
    verdict = decide(None, [check("a", "error", infrastructure=True)], [suite(0, 1)])
    assert verdict.exit_code == ExitCode.INFRASTRUCTURE


def test_an_error_in_a_check_itself_ends_with_one() -> None:
    assert decide(None, [check("a", "error")], [suite(0, 1)]).exit_code == ExitCode.FAILED


def test_of_two_bad_checks_the_one_that_ended_first_decides() -> None:
    tests = [check("late", "failed", after=10), check("early", "error", infrastructure=True)]
    verdict = decide(None, tests, [suite(0, 2)])
    assert verdict.exit_code == ExitCode.INFRASTRUCTURE
    assert "s/early" in verdict.cause
    assert "1 more of 2" in verdict.cause


def test_what_broke_before_the_checks_outweighs_them() -> None:
    cause = Cause(ExitCode.INTERRUPTED, "interrupted in verify")
    assert decide(cause, [check("a", "failed")], [suite(0, 1)]).exit_code == ExitCode.INTERRUPTED


def test_a_destroy_that_fails_after_a_pass_ends_with_two() -> None:
    after = Cause(ExitCode.INFRASTRUCTURE, "destroy: process 7 is left")
    assert decide(None, [check("a", "passed")], [suite(1)], after).exit_code == ExitCode.INFRASTRUCTURE


def test_a_destroy_that_fails_after_a_failure_leaves_the_failure_first() -> None:
    after = Cause(ExitCode.INFRASTRUCTURE, "destroy: process 7 is left")
    assert decide(None, [check("a", "failed")], [suite(0, 1)], after).exit_code == ExitCode.FAILED


def test_no_suite_at_all_is_a_configuration_error() -> None:
    assert decide(None, [], []).exit_code == ExitCode.CONFIGURATION


def test_a_suite_that_only_skipped_is_a_configuration_error() -> None:
    skipped = SuiteResult(name="s", summary=Summary(total=1, skipped=1))
    assert decide(None, [check("a", "skipped")], [skipped]).exit_code == ExitCode.CONFIGURATION


def test_a_suite_that_died_could_not_be_judged() -> None:
    verdict = decide(None, [check("a", "passed")], [suite(1, problem="pytest died")])
    assert verdict.exit_code == ExitCode.INFRASTRUCTURE
    assert "pytest died" in verdict.cause


def test_a_check_that_failed_before_the_cluster_was_lost_decides() -> None:
    lost = Cause(ExitCode.INFRASTRUCTURE, "cluster default does not answer", since=NOON + dt.timedelta(seconds=30))
    tests = [check("b", "error", after=40, infrastructure=True), check("a", "failed", after=10)]
    verdict = decide(lost, tests, [suite(0, 2)])
    assert (verdict.exit_code, verdict.cause) == (1, "s/a: broke (and 1 more of 2)")


def test_a_check_that_failed_after_the_cluster_was_lost_does_not_decide() -> None:
    lost = Cause(ExitCode.INFRASTRUCTURE, "cluster default does not answer", since=NOON + dt.timedelta(seconds=5))
    assert decide(lost, [check("a", "failed", after=10)], [suite(0, 1)]).exit_code == ExitCode.INFRASTRUCTURE
