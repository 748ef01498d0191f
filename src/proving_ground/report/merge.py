"""Merging the suites' event logs: every declared check ends as exactly one outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pydantic

from proving_ground.contracts.events import EVENT, Collected, Ended, Finished, NotSelected, Started
from proving_ground.contracts.results import SuiteResult, Summary, Test, Unselected

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from pathlib import Path

    from proving_ground.contracts.events import Event

_TAIL = 300


@dataclass(frozen=True)
class SuiteLog:
    """What the process of one suite left.

    Attributes:
        name: Name of the suite.
        description: What the suite is about, from suite.yml.
        events: Its event log; it may be absent or end in the middle of a line.
        tail: The end of what the process printed, for when its log does not say why it ended.
    """

    name: str
    description: str
    events: Path
    tail: str = ""


@dataclass(frozen=True)
class Merged:
    """The checks of all suites; ``tests`` in the order in which they were declared."""

    tests: list[Test]
    suites: list[SuiteResult]
    summary: Summary
    not_selected: list[Unselected]


@dataclass
class _Check:
    collected: Collected | None = None
    started: dt.datetime | None = None
    ended: Ended | None = None


@dataclass
class _Log:
    """What one log says."""

    checks: dict[str, _Check] = field(default_factory=dict)
    not_selected: list[NotSelected] = field(default_factory=list)
    finished: Finished | None = None
    last: dt.datetime | None = None
    problem: str = ""

    def add(self, event: Event) -> None:
        self.last = event.time
        if isinstance(event, NotSelected):
            self.not_selected.append(event)
        elif isinstance(event, Finished):
            self.finished = event
        elif isinstance(event, Collected | Started | Ended):
            check = self.checks.setdefault(event.check, _Check())
            if isinstance(event, Collected):
                if check.collected and check.collected.nodeid != event.nodeid:
                    self.problem = self.problem or f"two checks are called {event.check}"
                check.collected = check.collected or event
            elif isinstance(event, Started):
                check.started = check.started or event.time
            else:
                check.ended = event


def merge(logs: Iterable[SuiteLog]) -> Merged:
    """Return what the event logs say together.

    A check that was declared and did not end is an error of the infrastructure: its process died, or
    the log was cut. A check that ended twice counts as it ended last.
    """
    tests: list[Test] = []
    suites: list[SuiteResult] = []
    unselected: list[Unselected] = []
    for suite in logs:
        log = _read(suite.events)
        problem = _problem(suite, log)
        own = [_test(suite.name, name, check, log, problem) for name, check in log.checks.items()]
        rejected = [
            Unselected(id=e.check, suite=e.suite, reason=e.reason, detail=e.detail)
            for e in log.not_selected
            if e.check not in log.checks
        ]
        suites.append(
            SuiteResult(
                name=suite.name, description=suite.description, summary=summarise(own, len(rejected)), problem=problem
            )
        )
        tests += own
        unselected += rejected
    return Merged(tests, suites, summarise(tests, len(unselected)), unselected)


def summarise(tests: Iterable[Test], not_selected: int = 0) -> Summary:
    """Return the counts of tests; the duration is from the first start to the last end, 0 where none started."""
    tests = list(tests)
    counts = Counter(test.status for test in tests)
    spans = [(t.started.timestamp(), t.started.timestamp() + t.duration) for t in tests if t.started]
    return Summary(
        total=len(tests),
        passed=counts["passed"],
        failed=counts["failed"],
        errors=counts["error"],
        skipped=counts["skipped"],
        not_selected=not_selected,
        duration_seconds=round(max(e for _, e in spans) - min(s for s, _ in spans), 3) if spans else 0.0,
    )


def _read(path: Path) -> _Log:
    log = _Log()
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        log.problem = f"it wrote no event log: {error.strerror}"
        return log
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            log.add(EVENT.validate_json(line))
        except pydantic.ValidationError:
            # The last line of a process that died is often cut; that it died is told anyway.
            if number < len(lines):
                log.problem = log.problem or f"line {number} of its event log is broken"
    return log


def _problem(suite: SuiteLog, log: _Log) -> str:
    """Return why a suite could not be judged, or nothing."""
    if log.finished is not None:
        return log.finished.problem or log.problem
    nothing = log.problem if log.last is None else ""
    problem = nothing or "its process ended before its checks did"
    last = [line.strip() for line in suite.tail.splitlines() if line.strip()]
    return f"{problem}: {last[-1][:_TAIL]}" if last else problem


def _test(suite: str, name: str, check: _Check, log: _Log, problem: str) -> Test:
    collected, ended = check.collected, check.ended
    suite = collected.suite if collected else suite
    declared = {
        "id": name,
        "suite": suite,
        "name": name.removeprefix(f"{suite}/") or name,
        "nodeid": collected.nodeid if collected else "",
        "marks": collected.marks if collected else [],
        "description": collected.description if collected else "",
        "parameters": collected.parameters if collected else {},
        "started": check.started,
    }
    if ended is None:
        end = log.last or check.started
        duration = (end - check.started).total_seconds() if check.started and end else 0.0
        state = "was under way" if check.started else "had not started"
        why = problem or "its process ended without saying how it ended"
        return Test.model_validate(
            declared
            | {
                "status": "error",
                "duration": max(duration, 0.0),
                "error": f"did not end, it {state}: {why}",
                "infrastructure": True,
            }
        )
    skipped = ended.outcome == "skipped"
    bad = ended.outcome in ("failed", "error")
    return Test.model_validate(
        declared
        | {
            "status": ended.outcome,
            "duration": ended.duration,
            "error": (ended.message or "no message") if bad else None,
            "metrics": ended.metrics,
            "detail": ended.detail,
            "reason": ended.message if skipped else "",
            "reason_code": ended.reason_code,
            "infrastructure": ended.infrastructure,
            "properties": ended.properties,
            "attachments": ended.attachments,
            "plots": ended.plots,
            "attempts": ended.attempts,
        }
    )
