from __future__ import annotations

import pytest

from proving_ground.contracts.suite import FaultExpectation
from proving_ground.prove.comparison import CheckOutcome, baseline_problems, compare, matches, never_killed

PASSED = CheckOutcome("passed")
FAILED = CheckOutcome("failed", "why")
BASELINE = {"s/a": PASSED, "s/b": PASSED, "s/c": PASSED, "s/row": CheckOutcome("skipped")}


def expect(must_fail: list[str], blocked: list[str] | None = None) -> FaultExpectation:
    return FaultExpectation(description="d", must_fail=must_fail, may_be_blocked=blocked or [])


def under(**changes: CheckOutcome) -> dict[str, CheckOutcome]:
    return BASELINE | {f"s/{name}": outcome for name, outcome in changes.items()}


def test_a_fault_that_kills_what_it_must_is_as_declared() -> None:
    verdict = compare("f", expect(["s/a"]), BASELINE, under(a=FAILED))
    assert (verdict.killed, verdict.expected, verdict.problems) == (("s/a",), ("s/a",), ())


@pytest.mark.parametrize(
    "outcome",
    [PASSED, CheckOutcome("error", "why"), CheckOutcome("skipped"), CheckOutcome("error", infrastructure=True)],
)
def test_only_a_failure_is_a_kill(outcome: CheckOutcome) -> None:
    verdict = compare("f", expect(["s/a"]), BASELINE, under(a=outcome))
    assert len(verdict.problems) == 1
    assert "s/a must fail and" in verdict.problems[0]


@pytest.mark.parametrize("outcome", [FAILED, CheckOutcome("error"), CheckOutcome("skipped")])
def test_a_check_that_is_not_named_must_pass(outcome: CheckOutcome) -> None:
    verdict = compare("f", expect(["s/a"]), BASELINE, under(a=FAILED, b=outcome))
    assert [line.split(" and ")[0] for line in verdict.problems] == ["s/b must not be touched"]


@pytest.mark.parametrize("outcome", [PASSED, FAILED, CheckOutcome("error")])
def test_a_check_that_may_be_blocked_may_do_anything(outcome: CheckOutcome) -> None:
    verdict = compare("f", expect(["s/a"], ["s/b"]), BASELINE, under(a=FAILED, b=outcome))
    assert verdict.problems == ()
    assert verdict.blocked == (("s/b",) if outcome.outcome == "error" else ())


def test_must_fail_outweighs_may_be_blocked() -> None:
    verdict = compare("f", expect(["s/a"], ["s/*"]), BASELINE, under())
    assert "s/a must fail and passed" in verdict.problems


def test_a_check_that_did_not_run_is_a_problem() -> None:
    outcomes = under(a=FAILED)
    del outcomes["s/b"]
    assert compare("f", expect(["s/a"]), BASELINE, outcomes).problems == ("s/b did not run",)


def test_a_check_that_ran_only_under_the_fault_is_a_problem() -> None:
    problems = compare("f", expect(["s/a"]), BASELINE, under(a=FAILED, new=PASSED)).problems
    assert problems == ("s/new did not run without the fault",)


def test_a_pattern_that_matches_nothing_is_a_problem() -> None:
    problems = compare("f", expect(["s/a", "s/z*"], ["s/y"]), BASELINE, under(a=FAILED)).problems
    assert problems == (
        "must_fail names 's/z*', which no check matches",
        "may_be_blocked names 's/y', which no check matches",
    )


def test_an_id_with_brackets_matches_itself() -> None:
    assert matches("s/a[x]", ["s/a[x]"])
    assert matches("s/a[x]", ["s/a*"])
    assert not matches("s/ax", ["s/a[[]x]"])


def test_checks_that_no_fault_kills_are_named_and_skipped_rows_are_not() -> None:
    verdicts = [compare("f", expect(["s/a"]), BASELINE, under(a=FAILED))]
    assert never_killed(BASELINE, verdicts) == ["s/b", "s/c"]


def test_the_baseline_is_broken_by_failures_and_errors() -> None:
    assert baseline_problems(under(a=FAILED, b=CheckOutcome("error", "gone"))) == [
        "s/a failed (why) without a fault",
        "s/b ended as an error (gone) without a fault",
    ]


def test_what_the_marks_of_a_fault_leave_out_is_not_missed_unless_it_must_fail() -> None:
    outcomes = under(a=FAILED)
    del outcomes["s/b"]
    assert compare("f", expect(["s/a"]), BASELINE, outcomes, untried={"s/b"}).problems == ()
    assert compare("f", expect(["s/a"]), BASELINE, outcomes).problems == ("s/b did not run",)
    (problem,) = compare("f", expect(["s/a", "s/b"]), BASELINE, outcomes, untried={"s/b"}).problems
    assert problem == "s/b must fail and is left out by the marks of the fault"


def test_a_pattern_may_name_a_check_that_is_left_out_of_the_proof() -> None:
    expectation = expect(["s/a", "s/weekly"], ["s/yearly-*"])
    outcomes = under(a=FAILED)
    assert compare("f", expectation, BASELINE, outcomes, {"s/weekly", "s/yearly-1"}).problems == ()
    assert len(compare("f", expectation, BASELINE, outcomes).problems) == 2
