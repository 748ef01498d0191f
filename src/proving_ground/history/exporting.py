"""The history as text for other programs."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import TYPE_CHECKING

from proving_ground.history.importing import own
from proving_ground.history.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proving_ground.history.records import Record

_RUN = ("run_id", "time", "commit", "system", "system_version", "fingerprint", "configuration_hash", "valid", "labels")
_SERIES = ("suite", "scenario", "metric", "unit", "direction")
_SUMMARY = tuple(field.name for field in dataclasses.fields(Summary))


def json_lines(records: Iterable[Record]) -> Iterator[str]:
    """Give a line for each record, all of it: what `import` takes."""
    for record in records:
        yield own.line(record) + "\n"


def csv_lines(records: Iterable[Record]) -> Iterator[str]:
    """Give a heading, and a line for each measurement with its summary."""
    yield _line((*_RUN, *_SERIES, *_SUMMARY))
    for record in records:
        run = (
            record.run_id,
            record.time.isoformat(),
            record.commit,
            record.system,
            record.system_version,
            record.fingerprint.key,
            record.configuration_hash,
            str(record.valid).lower(),
            " ".join(record.labels),
        )
        for measurement in record.measurements:
            series = dataclasses.astuple(measurement.series)
            summary = dataclasses.astuple(Summary.of(measurement.values))
            yield _line((*run, *series, *(repr(number) for number in summary)))


def _line(cells: Iterable[str]) -> str:
    """Return a line; a cell that a spreadsheet would run as a formula is kept from being one."""
    text = io.StringIO()
    plain = [f"'{cell}" if cell[:1] in ("=", "@") else cell for cell in cells]
    csv.writer(text, lineterminator="\n").writerow(plain)
    return text.getvalue()
