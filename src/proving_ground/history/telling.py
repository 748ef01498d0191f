"""Runs, measurements and verdicts for people and for programs."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from proving_ground.report.text import first_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proving_ground.history.records import Series
    from proving_ground.history.stored import StoredRun
    from proving_ground.history.summary import Summary
    from proving_ground.history.verdicts import Judgement, Verdict


def run_plain(run: StoredRun) -> dict[str, Any]:
    """Return a run as plain data."""
    content = dataclasses.asdict(run)
    del content["row"]
    return content | {"time": run.time.isoformat(), "labels": list(run.labels)}


def run_lines(runs: Sequence[StoredRun], count: int) -> list[str]:
    """Return the lines that list runs."""
    if not runs:
        return [f"no runs fit, of {count}" if count else "the history is empty"]
    heading = ("RUN", "TIME", "SYSTEM", "VERSION", "COMMIT", "HARDWARE", "CONFIGURATION", "LABELS", "VERDICT")
    rows = [
        (
            run.run_id,
            f"{run.time:%Y-%m-%d %H:%M}",
            run.system,
            run.system_version,
            run.commit[:12],
            run.fingerprint_key,
            run.configuration_hash,
            " ".join(run.labels),
            (run.verdict if run.valid else f"invalid: {run.problem}"),
        )
        for run in runs
    ]
    return [*_table([heading, *rows]), f"{len(runs)} of {count} runs"]


def summaries_plain(summaries: Mapping[Series, Summary]) -> list[dict[str, Any]]:
    """Return measurements as plain data."""
    return [dataclasses.asdict(s) | dataclasses.asdict(summaries[s]) for s in sorted(summaries)]


def summary_lines(run: StoredRun, summaries: Mapping[Series, Summary]) -> list[str]:
    """Return the lines that show a run with its measurements."""
    lines = [
        f"run {run.run_id}, {run.time:%Y-%m-%d %H:%M:%S %Z}, system {run.system} {run.system_version}".rstrip(),
        f"commit {run.commit or 'unknown'}, labels {' '.join(run.labels) or 'none'}, verdict {run.verdict or 'none'}",
        f"hardware {run.fingerprint_key}: {run.fingerprint}",
        f"configuration {run.configuration_hash}",
    ]
    if not run.valid:
        lines.append(f"invalid: {first_line(run.problem) or 'no reason was given'}")
    rows: list[tuple[str, ...]] = [
        ("METRIC", "UNIT", "BETTER", "COUNT", "MEDIAN", "MEAN", "P90", "P95", "P99", "MAXIMUM")
    ]
    for series in sorted(summaries):
        s = summaries[series]
        numbers = (f"{value:.4g}" for value in (s.median, s.mean, s.p90, s.p95, s.p99, s.maximum))
        rows.append((series.name, series.unit, series.direction, str(s.count), *numbers))
    return [*lines, *_table(rows), ""]


def verdict_plain(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain data."""
    return {
        "outcome": verdict.outcome,
        "cause": verdict.cause,
        "judgements": [
            {
                "metric": judgement.series.name if judgement.series is not None else None,
                "unit": judgement.series.unit if judgement.series is not None else None,
                "gate": judgement.gate,
                "outcome": judgement.outcome,
                "cause": judgement.cause,
                "value": judgement.value,
                "reference": judgement.reference,
                "worse": _finite(judgement.worse),
                "p": judgement.p,
                "needed_runs": list(judgement.needed) if judgement.needed else None,
            }
            for judgement in verdict.judgements
        ],
    }


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return the lines that tell a verdict, the worst first."""
    lines = [f"{verdict.outcome}: {verdict.cause}"]
    return lines + _table([("OUTCOME", "METRIC", "GATE", "CAUSE"), *(_row(j) for j in verdict.judgements)])


def _row(judgement: Judgement) -> tuple[str, str, str, str]:
    name = judgement.series.name if judgement.series is not None else "-"
    return judgement.outcome, name, judgement.gate, judgement.cause


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[first_line(cell, 240) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
