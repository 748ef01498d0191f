"""Runs as they stand in the history, and how rows of the database become them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from proving_ground.history.records import Fingerprint, Measurement, Record, Series
from proving_ground.history.schema import BASELINES, RUNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_AT_ONCE = 500
"""Values of one IN list, well below what either database takes."""

SERIES_FIELDS = tuple(field.name for field in dataclasses.fields(Series))


@dataclasses.dataclass(frozen=True)
class StoredRun:
    """A run as it stands in the history, without its measurements.

    Attributes:
        row: Its number there.
        verdict: What its gates came to; empty if they were never asked.
    """

    row: int
    run_id: str
    time: dt.datetime
    commit: str
    system: str
    system_version: str
    fingerprint: Fingerprint
    fingerprint_key: str
    configuration_hash: str
    valid: bool
    problem: str
    labels: tuple[str, ...]
    verdict: str


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which runs are looked for; None: whatever it is.

    Attributes:
        before: Only runs measured before this moment.
        like: Only runs that can be compared with this one: system, hardware, configuration.
        label: Only runs with this label.
        baseline: Only runs of this named baseline.
        verdicts_not: Verdicts that a run must not have.
    """

    run_id: str | None = None
    system: str | None = None
    system_version: str | None = None
    system_version_not: str | None = None
    valid: bool | None = None
    like: StoredRun | None = None
    before: dt.datetime | None = None
    label: str | None = None
    baseline: str | None = None
    verdicts_not: tuple[str, ...] = ()


def conditions(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    """Give what a run must fulfil."""
    equal: Mapping[str, str | bool | None] = {
        "run_id": wanted.run_id,
        "system": wanted.system,
        "system_version": wanted.system_version,
        "valid": wanted.valid,
    }
    for name, value in equal.items():
        if value is not None:
            yield RUNS.c[name] == value
    if wanted.system_version_not is not None:
        yield RUNS.c.system_version != wanted.system_version_not
    if wanted.like is not None:
        yield RUNS.c.system == wanted.like.system
        yield RUNS.c.fingerprint == wanted.like.fingerprint_key
        yield RUNS.c.configuration == wanted.like.configuration_hash
    if wanted.before is not None:
        yield RUNS.c.time < wanted.before.timestamp()
    if wanted.label is not None:
        yield RUNS.c.labels.contains(f",{wanted.label},", autoescape=True)
    if wanted.baseline is not None:
        yield RUNS.c.id.in_(sa.select(BASELINES.c.run).where(BASELINES.c.name == wanted.baseline))
    if wanted.verdicts_not:
        yield RUNS.c.verdict.not_in(wanted.verdicts_not)


def stored_run(row: Any) -> StoredRun:
    """Return the run of a row of `RUNS`."""
    return StoredRun(
        row=row.id,
        run_id=row.run_id,
        time=dt.datetime.fromtimestamp(row.time, dt.UTC),
        commit=row.commit_id,
        system=row.system,
        system_version=row.system_version,
        fingerprint=Fingerprint.of_plain(json.loads(row.hardware)),
        fingerprint_key=row.fingerprint,
        configuration_hash=row.configuration,
        valid=bool(row.valid),
        problem=row.problem,
        labels=labels_of(row.labels),
        verdict=row.verdict,
    )


def series_of(row: Any) -> Series:
    """Return the series of a row of `SERIES`."""
    return Series(row.suite, row.scenario, row.metric, row.unit, row.direction)


def record_of(run: StoredRun, measured: Sequence[tuple[Series, tuple[float, ...]]]) -> Record:
    """Return the whole record of a run."""
    return Record(
        run_id=run.run_id,
        time=run.time,
        commit=run.commit,
        system=run.system,
        system_version=run.system_version,
        fingerprint=run.fingerprint,
        configuration_hash=run.configuration_hash,
        measurements=tuple(
            Measurement(s.suite, s.scenario, s.metric, s.unit, s.direction, values) for s, values in measured
        ),
        valid=run.valid,
        problem=run.problem,
        labels=run.labels,
    )


def labels_text(labels: Iterable[str]) -> str:
    """Return labels as the column holds them: each between commas, so that one can be looked for."""
    names = sorted(set(labels))
    return f",{','.join(names)}," if names else ""


def labels_of(text: str) -> tuple[str, ...]:
    """Return the labels of a column."""
    return tuple(name for name in text.split(",") if name)


def portions(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    """Give rows in portions that fit an IN list."""
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]
