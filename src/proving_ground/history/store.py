"""The history itself: records go in, and what gates, trends and exports need comes out."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from proving_ground.errors import ConfigurationError
from proving_ground.history.connecting import connect, connect_in_memory, shown, told
from proving_ground.history.records import Record, Series
from proving_ground.history.schema import BASELINES, MEASUREMENTS, RUNS, SERIES, lock_for_writing
from proving_ground.history.stored import (
    SERIES_FIELDS,
    Wanted,
    conditions,
    labels_of,
    labels_text,
    portions,
    record_of,
    series_of,
    stored_run,
)
from proving_ground.history.summary import Summary, kept, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from proving_ground.history.stored import StoredRun
    from proving_ground.history.summary import Statistic


class Store:
    """An open history; safe for several processes that write at once."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.where = shown(engine.url)

    @classmethod
    def open(cls, given: str | None = None, *, make: bool = True) -> Self:
        """Open the history; see `connecting.connect`."""
        return cls(connect(given, make=make))

    @classmethod
    def in_memory(cls) -> Self:
        """Return a history that is gone when it is closed."""
        return cls(connect_in_memory())

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def add(self, records: Record | Iterable[Record]) -> int:
        """Write records, all or none of them.

        A run that is there with the same system, hardware and configuration gets the measurements added; those that
        it has already are replaced, so that importing a file again changes nothing.

        Returns:
            How many records there were.
        """
        count = 0
        with told(self.where), self._writing() as connection:
            known: dict[Series, int] = {}
            for record in (records,) if isinstance(records, Record) else records:
                _write(connection, record, known)
                count += 1
        return count

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that no other writer is in at the same time."""
        with self._engine.execution_options(writing=True).begin() as connection:
            lock_for_writing(connection)
            yield connection

    def runs(self, wanted: Wanted | None = None, *, limit: int | None = None) -> list[StoredRun]:
        """Return runs, the latest first."""
        asked = sa.select(RUNS).order_by(RUNS.c.time.desc(), RUNS.c.id.desc())
        for condition in conditions(wanted or Wanted()):
            asked = asked.where(condition)
        if limit is not None:
            asked = asked.limit(limit)
        with told(self.where), self._engine.connect() as connection:
            return [stored_run(row) for row in connection.execute(asked)]

    def count(self) -> int:
        """Return the number of runs."""
        with told(self.where), self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(RUNS)).scalar() or 0)

    def series(self) -> list[Series]:
        """Return every series that was ever measured, sorted."""
        with told(self.where), self._engine.connect() as connection:
            return sorted(series_of(row) for row in connection.execute(sa.select(SERIES)))

    def statistics(self, runs: Sequence[StoredRun], statistic: Statistic = "median") -> dict[Series, dict[int, float]]:
        """Return one number of each measurement of some runs: series -> row of the run -> number."""
        value = MEASUREMENTS.c[statistic]
        found: dict[Series, dict[int, float]] = {}
        with told(self.where), self._engine.connect() as connection:
            for rows in portions([run.row for run in runs]):
                asked = (
                    sa.select(MEASUREMENTS.c.run, value.label("number"), *SERIES.c)
                    .join(SERIES, SERIES.c.id == MEASUREMENTS.c.series)
                    .where(MEASUREMENTS.c.run.in_(rows))
                )
                for row in connection.execute(asked):
                    found.setdefault(series_of(row), {})[row.run] = row.number
        return found

    def summaries(self, run: StoredRun) -> dict[Series, Summary]:
        """Return the measurements of one run as summaries."""
        asked = sa.select(MEASUREMENTS, *SERIES.c).join(SERIES, SERIES.c.id == MEASUREMENTS.c.series)
        names = [field.name for field in dataclasses.fields(Summary)]
        with told(self.where), self._engine.connect() as connection:
            # A row's attribute `count` is a method of its own.
            rows = connection.execute(asked.where(MEASUREMENTS.c.run == run.row)).mappings()
            return {
                Series(**{name: row[name] for name in SERIES_FIELDS}): Summary(**{name: row[name] for name in names})
                for row in rows
            }

    def trend(
        self, series: Series, like: StoredRun, statistic: Statistic = "median", *, limit: int = 500
    ) -> list[tuple[StoredRun, float]]:
        """Return the number of each valid run that can be compared with one, the oldest first."""
        asked = (
            sa.select(RUNS, MEASUREMENTS.c[statistic].label("number"))
            .join(MEASUREMENTS, MEASUREMENTS.c.run == RUNS.c.id)
            .join(SERIES, SERIES.c.id == MEASUREMENTS.c.series)
            .where(*(SERIES.c[name] == getattr(series, name) for name in SERIES_FIELDS))
            .order_by(RUNS.c.time.desc(), RUNS.c.id.desc())
            .limit(limit)
        )
        for condition in conditions(Wanted(like=like, valid=True)):
            asked = asked.where(condition)
        with told(self.where), self._engine.connect() as connection:
            return [(stored_run(row), row.number) for row in connection.execute(asked)][::-1]

    def records(self, runs: Iterable[StoredRun]) -> Iterator[Record]:
        """Give whole records."""
        with told(self.where), self._engine.connect() as connection:
            for run in runs:
                asked = (
                    sa.select(MEASUREMENTS.c.kept, *SERIES.c)
                    .join(SERIES, SERIES.c.id == MEASUREMENTS.c.series)
                    .where(MEASUREMENTS.c.run == run.row)
                    .order_by(SERIES.c.suite, SERIES.c.scenario, SERIES.c.metric)
                )
                yield record_of(run, [(series_of(row), unpacked(row.kept)) for row in connection.execute(asked)])

    def note_verdict(self, runs: Iterable[StoredRun], verdict: str) -> None:
        """Write what the gates of runs came to; baselines are chosen by it."""
        rows = [run.row for run in runs]
        with told(self.where), self._writing() as connection:
            for portion in portions(rows):
                connection.execute(sa.update(RUNS).where(RUNS.c.id.in_(portion)).values(verdict=verdict))

    def label(self, runs: Iterable[StoredRun], label: str) -> None:
        """Give runs a label, for example ``release``."""
        with told(self.where), self._writing() as connection:
            for run in runs:
                labels = labels_text((*run.labels, label))
                connection.execute(sa.update(RUNS).where(RUNS.c.id == run.row).values(labels=labels))

    def pin(self, name: str, runs: Sequence[StoredRun]) -> None:
        """Make runs the baseline of a name, in place of what it was."""
        with told(self.where), self._writing() as connection:
            connection.execute(sa.delete(BASELINES).where(BASELINES.c.name == name))
            if runs:
                connection.execute(sa.insert(BASELINES), [{"name": name, "run": run.row} for run in runs])

    def baselines(self) -> dict[str, list[StoredRun]]:
        """Return the named baselines with their runs."""
        asked = sa.select(BASELINES.c.name, RUNS).join(RUNS, RUNS.c.id == BASELINES.c.run)
        found: dict[str, list[StoredRun]] = {}
        with told(self.where), self._engine.connect() as connection:
            for row in connection.execute(asked.order_by(BASELINES.c.name, RUNS.c.time.desc())):
                found.setdefault(row.name, []).append(stored_run(row))
        return found


def _write(connection: sa.Connection, record: Record, known: dict[Series, int]) -> None:
    row = _run_row(connection, record)
    if not record.measurements:
        return
    for measurement in record.measurements:
        if measurement.series not in known:
            known[measurement.series] = _series_row(connection, measurement.series)
    written = {known[measurement.series]: measurement for measurement in record.measurements}
    connection.execute(
        sa.delete(MEASUREMENTS).where(MEASUREMENTS.c.run == row, MEASUREMENTS.c.series.in_(list(written)))
    )
    connection.execute(
        sa.insert(MEASUREMENTS),
        [
            {
                "run": row,
                "series": series,
                **dataclasses.asdict(Summary.of(measurement.values)),
                "kept": packed(kept(measurement.values)),
            }
            for series, measurement in written.items()
        ],
    )


def _run_row(connection: sa.Connection, record: Record) -> int:
    key = {
        "run_id": record.run_id,
        "system": record.system,
        "fingerprint": record.fingerprint.key,
        "configuration": record.configuration_hash,
    }
    fresh = {
        "time": record.time.timestamp(),
        "commit_id": record.commit,
        "system_version": record.system_version,
        "hardware": json.dumps(dataclasses.asdict(record.fingerprint), sort_keys=True),
        "valid": record.valid,
        "problem": record.problem,
        "labels": labels_text(record.labels),
        "verdict": "",
    }
    statement = _insert(connection, RUNS).values(**key, **fresh).on_conflict_do_nothing().returning(RUNS.c.id)
    made = connection.execute(statement).scalar()
    if made is not None:
        return int(made)
    row = connection.execute(sa.select(RUNS).where(*(RUNS.c[name] == value for name, value in key.items()))).one()
    # Several checks of one run add to it: what one of them could not trust stays so.
    trust = {} if row.valid or not record.valid else {"valid": False, "problem": row.problem}
    labels = labels_text((*labels_of(row.labels), *record.labels))
    values = fresh | trust | {"labels": labels, "verdict": row.verdict}
    connection.execute(sa.update(RUNS).where(RUNS.c.id == row.id).values(**values))
    return int(row.id)


def _series_row(connection: sa.Connection, series: Series) -> int:
    values = dataclasses.asdict(series)
    found = sa.select(SERIES.c.id).where(*(SERIES.c[name] == value for name, value in values.items()))
    row = connection.execute(found).scalar()
    if row is None:
        connection.execute(_insert(connection, SERIES).values(**values).on_conflict_do_nothing())
        row = connection.execute(found).scalar_one()
    return int(row)


def _insert(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def find_run(store: Store, name: str) -> list[StoredRun]:
    """Return what a run id names: a run has a row for each system, hardware and configuration.

    Raises:
        ConfigurationError: Nothing.
    """
    found = store.runs(Wanted(run_id=name))
    if not found:
        latest = ", ".join(dict.fromkeys(run.run_id for run in store.runs(limit=3)))
        raise ConfigurationError(
            f"the history has no run {name!r}",
            where=store.where,
            hint=f"the latest are {latest}" if latest else "it is empty",
        )
    return found
