"""What jobs come to, in numbers and in names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_REASON = 200
"""Characters of a failure in the summary; its whole text stands in the output of its job."""


class Tally(NamedTuple):
    """What a job came to: its exit code, and how many tests, linters or scenarios passed and failed.

    What could not be run on this machine is neither. The names are of what failed, with a reason where there is one.
    """

    code: int = 0
    passed: int = 0
    failed: int = 0
    not_run: int = 0
    names: tuple[str, ...] = ()

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many passed, failed, and could not be run."""
        return self.passed, self.failed, self.not_run

    @classmethod
    def of(cls, outcomes: list[tuple[str, int]]) -> Tally:
        """Count each exit code as one; it stands with the name of what ended with it."""
        failed = [(name, code) for name, code in outcomes if code]
        names = tuple(f"{name}: exit code {code}" for name, code in failed)
        return cls(failed[0][1] if failed else 0, len(outcomes) - len(failed), len(failed), names=names)


def read_tally(code: int, report: Path) -> Tally:
    """Return the counts of a pytest run with its failures; one failure where it came to no report."""
    try:
        suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - pytest has just written it
    except (OSError, ET.ParseError):
        return Tally(code, 0, 1 if code else 0, names=("pytest came to no report",) if code else ())
    total, skipped, *broken = (
        sum(int(suite.get(field, "0")) for suite in suites) for field in ("tests", "skipped", "failures", "errors")
    )
    return Tally(code, max(0, total - skipped - sum(broken)), sum(broken), names=tuple(_broken(suites)))


def _broken(suites: list[ET.Element]) -> Iterator[str]:
    """Yield what failed in a report of pytest, with the first line of the reason."""
    for case in (case for suite in suites for case in suite.iter("testcase")):
        for reason in [*case.findall("failure"), *case.findall("error")]:
            first = next(iter(reason.get("message", "").splitlines()), "")
            yield f"{case.get('classname')}.{case.get('name')}: {first[:LONGEST_REASON]}"
