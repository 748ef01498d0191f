"""`proving-ground results`: what a run ended with, and what changed from one run to another."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import ExitCode
from proving_ground.report.diff import SLOWER, difference
from proving_ground.report.read import load
from proving_ground.report.text import first_line, seconds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from proving_ground.cli import Parser
    from proving_ground.contracts.results import Results, Test
    from proving_ground.report.diff import Difference, Pair


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser("results", help="show the results of a run, or compare two", description=__doc__)
    verbs = parser.add_subparsers(dest="results_verb", metavar="show|diff", required=True)
    show = verbs.add_parser("show", help="the verdict and every check", description="The verdict and every check.")
    show.add_argument("run_name", metavar="RUN", help="a run id, a run's directory, or its results.json")
    show.set_defaults(run=_show)
    diff = verbs.add_parser(
        "diff", help="what changed", description="What changed; ends with 1 where something fails that did not before."
    )
    diff.add_argument("before", metavar="RUN", help="the earlier run")
    diff.add_argument("after", metavar="RUN", help="the later run")
    diff.add_argument(
        "--factor", type=float, default=SLOWER, metavar="X", help="durations that changed by it (default: %(default)s)"
    )
    diff.set_defaults(run=_diff)
    for verb in (show, diff):
        verb.add_argument("--artifacts", type=Path, default=Path("artifacts"), metavar="DIR", help="where runs are")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb that was asked for."""
    return int(arguments.run(arguments))


def _show(arguments: argparse.Namespace) -> int:
    results = load(arguments.run_name, arguments.artifacts)
    sys.stdout.write("\n".join(shown(results)) + "\n")
    return results.verdict.exit_code


def _diff(arguments: argparse.Namespace) -> int:
    before, after = (load(name, arguments.artifacts) for name in (arguments.before, arguments.after))
    changes = difference(before, after, factor=arguments.factor)
    sys.stdout.write("\n".join(compared(before, after, changes)) + "\n")
    return ExitCode.FAILED if changes.worse else ExitCode.PASSED


def shown(results: Results) -> list[str]:
    """Return the lines that show a run: the verdict, counts, and a table of its checks."""
    verdict, counts = results.verdict, results.summary
    took = seconds((results.ended - results.started).total_seconds())
    told = {
        "passed": counts.passed,
        "failed": counts.failed,
        "errors": counts.errors,
        "skipped": counts.skipped,
        "not selected": counts.not_selected,
    }
    lines = [
        f"{verdict.outcome}: {first_line(verdict.cause)}",
        f"{results.stage} on {results.inventory}, run {results.run_id}, {took}, exit code {verdict.exit_code}",
        ", ".join(f"{count} {name}" for name, count in told.items()),
    ]
    if verdict.look_at:
        lines.append(f"look at {verdict.look_at}")
    lines += ["", *_table([(t.status, t.id, seconds(t.duration), t.error or t.reason) for t in results.tests])]
    lines += [f"suite {s.name} could not be judged: {first_line(s.problem)}" for s in results.suites if s.problem]
    return [line.rstrip() for line in lines]


def compared(before: Results, after: Results, changes: Difference) -> list[str]:
    """Return the lines that tell what changed."""
    lines = [
        f"{before.run_id}: {before.verdict.outcome}, {before.summary.passed} of {before.summary.total} passed",
        f"{after.run_id}: {after.verdict.outcome}, {after.summary.passed} of {after.summary.total} passed",
    ]
    lines += _section("failing now", changes.failing)
    lines += _section("fixed", changes.fixed)
    lines += _section("otherwise changed", changes.other)
    lines += _section("durations", changes.durations)
    lines += _tests("new", changes.added)
    lines += _tests("gone", changes.removed)
    lines += [] if len(lines) > 2 else ["", "no check changed"]  # noqa: PLR2004 - the two runs
    return [line.rstrip() for line in lines]


def _section(heading: str, pairs: Sequence[Pair]) -> list[str]:
    rows = [
        (
            pair.after.id,
            f"{pair.before.status} -> {pair.after.status}",
            f"{seconds(pair.before.duration)} -> {seconds(pair.after.duration)}",
            pair.after.error or pair.after.reason,
        )
        for pair in pairs
    ]
    return ["", f"{heading} ({len(rows)}):", *_table(rows)] if rows else []


def _tests(heading: str, tests: Sequence[Test]) -> list[str]:
    rows = [(test.id, test.status, seconds(test.duration), test.error or test.reason) for test in tests]
    return ["", f"{heading} ({len(rows)}):", *_table(rows)] if rows else []


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[first_line(cell, 160) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))] if cells else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
