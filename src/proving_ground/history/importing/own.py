"""The history's own export: a record a line, as JSON."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

import pydantic
from pydantic import Field

from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError, ProvingGroundError
from proving_ground.history.records import Fingerprint, Measurement, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FingerprintLine(Contract):
    """The hardware."""

    cpu: str = ""
    cores: int = 0
    memory_gib: int = 0
    gpus: list[str] = Field(default=[])
    hosts: int = 1


class MeasurementLine(Contract):
    """One metric."""

    suite: str
    scenario: str
    metric: str
    unit: str
    direction: Literal["lower", "higher"]
    values: list[float] = Field(min_length=1)


class RecordLine(Contract):
    """One line of an export."""

    schema_version: Literal[1] = 1
    run_id: str
    time: dt.datetime
    commit: str = ""
    system: str
    system_version: str = ""
    fingerprint: FingerprintLine
    configuration_hash: str
    measurements: list[MeasurementLine]
    valid: bool = True
    problem: str = ""
    labels: list[str] = Field(default=[])


def line(record: Record) -> str:
    """Return a record as one line, without its end."""
    return RecordLine(
        run_id=record.run_id,
        time=record.time,
        commit=record.commit,
        system=record.system,
        system_version=record.system_version,
        fingerprint=FingerprintLine(
            cpu=record.fingerprint.cpu,
            cores=record.fingerprint.cores,
            memory_gib=record.fingerprint.memory_gib,
            gpus=list(record.fingerprint.gpus),
            hosts=record.fingerprint.hosts,
        ),
        configuration_hash=record.configuration_hash,
        measurements=[
            MeasurementLine(
                suite=m.suite,
                scenario=m.scenario,
                metric=m.metric,
                unit=m.unit,
                direction=m.direction,
                values=list(m.values),
            )
            for m in record.measurements
        ],
        valid=record.valid,
        problem=record.problem,
        labels=list(record.labels),
    ).model_dump_json()


def records(path: Path) -> Iterator[Record]:
    """Give the records of an export.

    Raises:
        ConfigurationError: A line is none; with its number.
    """
    try:
        with path.open("rb") as stream:
            for number, text in enumerate(stream, 1):
                if text.strip():
                    yield _record(text, f"{path}:{number}")
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _record(text: bytes, where: str) -> Record:
    try:
        found = RecordLine.model_validate_json(text)
        return Record(
            run_id=found.run_id,
            time=found.time,
            commit=found.commit,
            system=found.system,
            system_version=found.system_version,
            fingerprint=Fingerprint.of_plain(found.fingerprint.model_dump()),
            configuration_hash=found.configuration_hash,
            measurements=tuple(
                Measurement(m.suite, m.scenario, m.metric, m.unit, m.direction, tuple(m.values))
                for m in found.measurements
            ),
            valid=found.valid,
            problem=found.problem,
            labels=tuple(found.labels),
        )
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the line"
        raise ConfigurationError(f"{field}: {first['msg']}", where=where) from None
    except ProvingGroundError as error:
        raise ConfigurationError(error.what, where=where) from None
