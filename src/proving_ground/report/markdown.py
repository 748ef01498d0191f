"""summary.md: the verdict first, short enough for a comment on a merge request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proving_ground.report.text import first_line, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.contracts.results import Results, Test

SHOWN = 25
"""Failures, and skips, that are named; further ones are counted."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&!])")
_HEADINGS = {
    "passed": "Passed",
    "failed": "Failed",
    "infrastructure": "Infrastructure",
    "configuration": "Configuration",
    "interrupted": "Interrupted",
}


def summary_md(results: Results) -> str:
    """Return the summary in GitHub flavoured Markdown."""
    verdict, counts = results.verdict, results.summary
    took = seconds((results.ended - results.started).total_seconds())
    where = f"Stage {_escape(results.stage)} on inventory {_escape(results.inventory)}, run `{results.run_id}`"
    lines = [
        f"# {_HEADINGS[verdict.outcome]}: {_escape(first_line(verdict.cause))}",
        "",
        f"{where}, {took}, exit code {verdict.exit_code}.",
    ]
    if verdict.look_at:
        lines.append(f"Look at `{verdict.look_at}`.")
    if results.notes:
        lines += ["", *(f"- {_escape(name)}: {_escape(first_line(note))}" for name, note in results.notes.items())]
    lines += [
        "",
        "| suite | passed | failed | errors | skipped | not selected | time |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    rows = [(suite.name, suite.summary) for suite in results.suites]
    for name, s in [*rows, *([("all", counts)] if len(rows) != 1 else [])]:
        numbers = (s.passed, s.failed, s.errors, s.skipped, s.not_selected, seconds(s.duration_seconds))
        lines.append(f"| {_escape(name)} | {' | '.join(str(number) for number in numbers)} |")
    bad = [test for test in results.tests if test.status in ("failed", "error")]
    lines += _listed("Failures and errors", bad, lambda test: test.error or "")
    problems = [suite for suite in results.suites if suite.problem]
    if problems:
        lines += ["", "## Suites that could not be judged", ""]
        lines += [f"- {_escape(suite.name)}: {_escape(first_line(suite.problem))}" for suite in problems]
    skipped = [test for test in results.tests if test.status == "skipped"]
    lines += _listed(
        "Skipped", skipped, lambda test: " ".join(part for part in (test.reason_code, test.reason) if part)
    )
    drawn = [test for test in results.tests if test.plots]
    if drawn:
        plots = sum(len(test.plots) for test in drawn)
        lines += ["", f"Plots in `report.html`: {plots}, of {len(drawn)} check{'s' if len(drawn) > 1 else ''}."]
    if results.faults:
        lines += ["", "## Faults", "", "| suite | fault | checks that failed | as declared |", "|---|---|---:|---|"]
        lines += [
            f"| {_escape(f.suite)} | {_escape(f.fault)} | {len(f.killed)} | {'no' if f.problems else 'yes'} |"
            for f in results.faults
        ]
    lines += ["", "## Phases", "", "| phase | outcome | time |", "|---|---|---:|"]
    lines += [f"| {_escape(p.name)} | {p.status} | {seconds(p.duration)} |" for p in results.phases]
    return "\n".join(lines) + "\n"


def _listed(heading: str, tests: list[Test], why: Callable[[Test], str]) -> list[str]:
    if not tests:
        return []
    lines = ["", f"## {heading}", ""]
    lines += [f"- {_escape(first_line(test.id))}: {_escape(first_line(why(test)))}" for test in tests[:SHOWN]]
    if len(tests) > SHOWN:
        lines.append(f"- and {len(tests) - SHOWN} more, see report.html")
    return lines


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
