"""What checks did under faults, compared with what suite.yml says they must do."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from proving_ground.contracts.events import Outcome
    from proving_ground.contracts.suite import FaultExpectation


@dataclasses.dataclass(frozen=True)
class CheckOutcome:
    """How one check ended in one pass."""

    outcome: Outcome
    message: str = ""
    infrastructure: bool = False


@dataclasses.dataclass(frozen=True)
class FaultVerdict:
    """What one fault did to a suite.

    Attributes:
        fault: Its name.
        killed: Checks that failed, sorted.
        expected: Checks that had to fail, sorted.
        blocked: Checks whose outcome does not count and that neither failed nor ended as before, sorted.
        problems: One line for each difference from suite.yml; empty: as declared.
    """

    fault: str
    killed: tuple[str, ...]
    expected: tuple[str, ...]
    blocked: tuple[str, ...]
    problems: tuple[str, ...]


def matches(check: str, patterns: Iterable[str]) -> bool:
    """Return whether a check id is one of the patterns, or matches one (fnmatch).

    Equality comes first, since ids of parametrized checks hold brackets.
    """
    return any(check == pattern or fnmatch.fnmatchcase(check, pattern) for pattern in patterns)


def baseline_problems(outcomes: Mapping[str, CheckOutcome]) -> list[str]:
    """Return one line for each check that does not pass without a fault; skips count as fine."""
    return [
        f"{check} {_ended(seen)} without a fault"
        for check, seen in sorted(outcomes.items())
        if seen.outcome not in ("passed", "skipped")
    ]


def compare(
    fault: str,
    expectation: FaultExpectation,
    baseline: Mapping[str, CheckOutcome],
    outcomes: Mapping[str, CheckOutcome],
    left_out: Collection[str] = (),
    untried: Collection[str] = (),
) -> FaultVerdict:
    """Compare one fault's pass with the three lists: must fail, may be blocked, all others pass.

    Args:
        fault: Its name.
        expectation: What suite.yml says.
        baseline: The pass without a fault, by check id.
        outcomes: The pass under the fault, by check id.
        left_out: Checks that exist and are not proved; patterns may name them.
        untried: Checks that the fault's own marks leave out.
    """
    problems: list[str] = []
    for field, patterns in (("must_fail", expectation.must_fail), ("may_be_blocked", expectation.may_be_blocked)):
        problems += [
            f"{field} names {pattern!r}, which no check matches"
            for pattern in patterns
            if not any(matches(check, [pattern]) for check in (*baseline, *left_out))
        ]
    # A check that is skipped without the fault is skipped under it, whatever pattern covers its id.
    expected = sorted(
        check for check, seen in baseline.items() if seen.outcome != "skipped" and matches(check, expectation.must_fail)
    )
    blocked: list[str] = []
    for check in sorted({*baseline, *outcomes}):
        seen, before = outcomes.get(check), baseline.get(check)
        if seen is None or before is None:
            problems += _not_run(check, seen, expected=check in expected, untried=check in untried)
        elif check in expected:
            if seen.outcome != "failed":
                problems.append(f"{check} must fail and {_ended(seen)}")
        elif matches(check, expectation.may_be_blocked):
            if seen.outcome not in (before.outcome, "failed"):
                blocked.append(check)
        elif seen.outcome != before.outcome:
            problems.append(f"{check} must not be touched and {_ended(seen)}")
    killed = sorted(check for check, seen in outcomes.items() if seen.outcome == "failed")
    return FaultVerdict(fault, tuple(killed), tuple(expected), tuple(blocked), tuple(problems))


def _not_run(check: str, seen: CheckOutcome | None, *, expected: bool, untried: bool) -> list[str]:
    """Return what is wrong with a check that has no outcome in one of the two passes."""
    if seen is not None:
        return [f"{check} did not run without the fault"]
    if not untried:
        return [f"{check} did not run"]
    return [f"{check} must fail and is left out by the marks of the fault"] if expected else []


def never_killed(baseline: Mapping[str, CheckOutcome], verdicts: Sequence[FaultVerdict]) -> list[str]:
    """Return the checks that pass without a fault and that no fault must make fail: they prove nothing.

    A check that failed because a fault blocked it has not shown that it can notice anything.
    """
    killed = {check for verdict in verdicts for check in set(verdict.killed) & set(verdict.expected)}
    return sorted(check for check, seen in baseline.items() if seen.outcome == "passed" and check not in killed)


def _ended(seen: CheckOutcome) -> str:
    kinds = {"passed": "passed", "failed": "failed", "error": "ended as an error", "skipped": "was skipped"}
    kind = kinds[seen.outcome]
    return f"{kind} ({seen.message})" if seen.message else kind
