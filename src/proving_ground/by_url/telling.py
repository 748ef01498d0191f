"""What came of suites against one server, in the schema that other programs read, and for people."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pydantic

from proving_ground.by_url.running import NOTHING_SELECTED
from proving_ground.errors import ExitCode
from proving_ground.load.measured.asking import FOLDER
from proving_ground.load.measured.result import Measured
from proving_ground.report.load import load_test_of

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.contracts.results import LoadTest, Test
    from proving_ground.report.merge import Merged

_STATUS = {"error": "failed"}
"""The schema knows no errors: they count as failed, and say why."""
_SAID = "ERROR: "


def load_of(merged: Merged, artifacts: Path) -> LoadTest | None:
    """Return what the load measured; of one that was interrupted, what was seen until then."""
    told = load_test_of(merged.tests)
    if told is not None:
        return told
    try:
        measured = Measured.model_validate_json((artifacts / FOLDER / "steady.json").read_bytes())
    except (OSError, pydantic.ValidationError):
        return None
    return measured.load_test() if measured.levels else None


def as_json(merged: Merged, load: LoadTest | None) -> str:
    """Return what came of it in the fields of the hybrid inference strategy: summary, tests, load_test."""
    summary = merged.summary
    told: dict[str, Any] = {
        "summary": {
            "total": summary.total,
            "passed": summary.passed,
            "failed": summary.failed + summary.errors,
            "duration_seconds": summary.duration_seconds,
        },
        "tests": [_test(test) for test in merged.tests],
    }
    if load is not None:
        told["load_test"] = load.model_dump(exclude_none=True)
    return json.dumps(told, indent=2) + "\n"


def _test(test: Test) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": test.id,
        "status": _STATUS.get(test.status, test.status),
        "duration": round(test.duration, 4),
    }
    if test.error:
        told["error"] = test.error
    if test.metrics:
        told["metrics"] = test.metrics
    return told


def refused(name: str, reason: str) -> str:
    """Return the same for a server that no suite was run against."""
    summary = {"total": 1, "passed": 0, "failed": 1, "duration_seconds": 0.0}
    tests = [{"name": name, "status": "failed", "duration": 0.0, "error": reason}]
    return json.dumps({"summary": summary, "tests": tests}, indent=2) + "\n"


def as_text(merged: Merged, load: LoadTest | None, *, interrupted: bool = False) -> str:
    """Return what came of it for people; of a load that was interrupted, what was seen until then."""
    width = max((len(test.id) for test in merged.tests), default=0)
    lines = []
    for test in merged.tests:
        why = test.error or test.reason
        lines.append(f"{test.status:<8}{test.id:<{width}}  {test.duration:6.2f} s{f'  {why}' if why else ''}")
    summary = merged.summary
    counts = f"{summary.passed} passed, {summary.failed} failed, {summary.errors} errors, {summary.skipped} skipped"
    lines += ["", f"{counts} in {summary.duration_seconds:.1f} s"]
    lines += [f"suite {suite.name} could not be judged: {suite.problem}" for suite in merged.suites if suite.problem]
    if load is not None:
        until = " until it was interrupted" if interrupted else ""
        lines.append(
            f"load{until}: {load.requests_per_second:.2f} requests per second, "
            f"latency p50 {load.p50_latency_ms:.0f} ms, p95 {load.p95_latency_ms:.0f} ms, "
            f"p99 {load.p99_latency_ms or 0:.0f} ms, errors {100 * load.error_rate:.1f} %"
        )
    return "\n".join(lines) + "\n"


def ended_early(name: str, status: int, printed: str, expression: str) -> str:
    """Return why a suite could not be judged: in a line where pytest was called wrongly, else with what it printed.

    Args:
        name: Name of the suite.
        status: What pytest ended with.
        printed: The end of what it printed.
        expression: What checks had to match; empty: nothing.
    """
    if status == NOTHING_SELECTED:
        return f"suite {name}: no check " + (f"matches -k {expression!r}" if expression else "is of these stages")
    said = [line.removeprefix(_SAID) for line in printed.splitlines() if line.startswith(_SAID)]
    return f"suite {name}: {said[0]}" if said else f"suite {name} ended early:\n{printed}"


def as_pytest_report(merged: Merged, code: int, *, root: Path, began: dt.datetime) -> str:
    """Return the same with the fields of pytest's plugin for JSON reports, for those who read such files.

    Its exit code is the one of this call, and not pytest's.
    """
    outcomes = [test.status for test in merged.tests]
    counts = {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}
    told: dict[str, Any] = {
        "created": began.timestamp(),
        "duration": round((dt.datetime.now(dt.UTC) - began).total_seconds(), 3),
        "exitcode": code,
        "root": str(root),
        "environment": {},
        "summary": {**counts, "total": len(outcomes), "collected": len(outcomes) + merged.summary.not_selected},
        "tests": [_item(test, outcome) for test, outcome in zip(merged.tests, outcomes, strict=True)],
    }
    return json.dumps(told, indent=2) + "\n"


def _item(test: Test, outcome: str) -> dict[str, Any]:
    call: dict[str, Any] = {"duration": test.duration, "outcome": "failed" if outcome == "error" else outcome}
    if test.error:
        call["crash"] = {"path": test.nodeid.partition("::")[0], "lineno": 0, "message": test.error}
        call["longrepr"] = test.detail or test.error
    told: dict[str, Any] = {"nodeid": test.nodeid, "outcome": outcome, "keywords": test.marks, "call": call}
    return {**told, "metadata": {"id": test.id, "metrics": test.metrics}}


def exit_code(merged: Merged, *, interrupted: bool, configuration: bool) -> ExitCode:
    """Return what it ends with: the first bad check decides, then a suite that could not be judged."""
    from proving_ground.pipeline.verdict import decide  # noqa: PLC0415 - only after all has run

    if interrupted:
        return ExitCode.INTERRUPTED
    if configuration:
        return ExitCode.CONFIGURATION
    return ExitCode(decide(None, merged.tests, merged.suites).exit_code)
