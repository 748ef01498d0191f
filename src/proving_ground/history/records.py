"""What the history keeps: a record of a run, with measurements and what they were made on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, Literal

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

Direction = Literal["lower", "higher"]
"""Which values of a metric are better."""

MOST_VALUES = 1000
"""Values of one measurement that are kept; of more, so many evenly spaced order statistics."""

_KEY_LENGTH = 12
_NAME_LIMIT = 200


def digest(content: object) -> str:
    """Return a short hash of plain data that is the same whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]


def configuration_hash(configuration: Mapping[str, object]) -> str:
    """Return the hash of what a measurement was made with: only runs with the same one are compared."""
    return digest(dict(configuration))


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """The hardware that a run was measured on.

    Attributes:
        cpu: Model of the CPU.
        cores: Logical CPUs of one host.
        memory_gib: Memory of one host, rounded so that what firmware takes makes no difference.
        gpus: SKU of each GPU of one host.
        hosts: Number of hosts.
    """

    cpu: str = ""
    cores: int = 0
    memory_gib: int = 0
    gpus: tuple[str, ...] = ()
    hosts: int = 1

    @property
    def key(self) -> str:
        """Hash by which a band names this hardware: 12 hexadecimal digits."""
        return digest(dataclasses.asdict(self) | {"gpus": sorted(self.gpus)})

    def __str__(self) -> str:
        """Return it for people."""
        gpus = {gpu: self.gpus.count(gpu) for gpu in sorted(set(self.gpus))}
        told = ", ".join(f"{count} x {gpu}" for gpu, count in gpus.items()) or "no GPU"
        return f"{self.hosts} x ({self.cpu or 'unknown CPU'}, {self.cores} CPUs, {self.memory_gib} GiB, {told})"

    @classmethod
    def of_plain(cls, content: Mapping[str, Any]) -> Fingerprint:
        """Return the fingerprint that plain data describes; what is absent is unknown."""
        return cls(
            cpu=str(content.get("cpu", "")),
            cores=int(content.get("cores", 0)),
            memory_gib=int(content.get("memory_gib", 0)),
            gpus=tuple(str(gpu) for gpu in content.get("gpus", ())),
            hosts=int(content.get("hosts", 1)),
        )


@dataclasses.dataclass(frozen=True, order=True)
class Series:
    """What is measured again and again: values of one are comparable where system and hardware are the same."""

    suite: str
    scenario: str
    metric: str
    unit: str
    direction: Direction

    @property
    def name(self) -> str:
        """Suite, scenario and metric as gates name them: ``load/chat/ttft_ms``."""
        return f"{self.suite}/{self.scenario}/{self.metric}"


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One metric of one run.

    Attributes:
        suite: Suite, or tool, that measured it.
        scenario: What was done: a check, a load profile.
        metric: Name, for example ``ttft_ms``.
        unit: Unit of the values, for example ``ms``.
        direction: Which values are better.
        values: The values, at least one: of single requests, or one for the whole run.
    """

    suite: str
    scenario: str
    metric: str
    unit: str
    direction: Direction
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be kept or compared."""
        for what, text in (("suite", self.suite), ("scenario", self.scenario), ("metric", self.metric)):
            if not text or len(text) > _NAME_LIMIT or not text.isprintable():
                raise ConfigurationError(f"the {what} of a measurement must be 1 to 200 printable characters")
        if self.direction not in ("lower", "higher"):
            raise ConfigurationError(
                f"direction must be lower or higher, found {self.direction!r}", where=self.series.name
            )
        if not self.values:
            raise ConfigurationError("a measurement needs at least one value", where=self.series.name)
        if not all(math.isfinite(value) for value in self.values):
            raise ConfigurationError("values must be finite numbers", where=self.series.name)

    @property
    def series(self) -> Series:
        """The series that it belongs to."""
        return Series(self.suite, self.scenario, self.metric, self.unit, self.direction)


@dataclasses.dataclass(frozen=True)
class Record:
    """A run as the history keeps it.

    Attributes:
        run_id: The run.
        time: When it was measured, with a time zone.
        commit: Revision of what was measured; empty if unknown.
        system: The system under test.
        system_version: Its version.
        fingerprint: The hardware.
        configuration_hash: What it was measured with, see `configuration_hash`.
        measurements: The metrics.
        valid: Whether the measurement itself could be trusted; an invalid run is kept and never compared.
        problem: Why it could not.
        labels: Names that baselines look for: ``main``, ``release``.
    """

    run_id: str
    time: dt.datetime
    commit: str
    system: str
    system_version: str
    fingerprint: Fingerprint
    configuration_hash: str
    measurements: tuple[Measurement, ...]
    valid: bool = True
    problem: str = ""
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be kept or compared."""
        if self.time.tzinfo is None:
            raise ConfigurationError("the time of a record needs a time zone", where=self.run_id)
        if not self.run_id or len(self.run_id) > _NAME_LIMIT or not self.run_id.isprintable():
            raise ConfigurationError("the run id of a record must be 1 to 200 printable characters")
        if any("," in label or not label.isprintable() or not label for label in self.labels):
            raise ConfigurationError("a label must be printable, without commas", where=self.run_id)
