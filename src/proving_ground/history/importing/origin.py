"""What a file of measurements does not say about itself, and what every reader of one gives."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

from proving_ground.errors import ConfigurationError
from proving_ground.history.importing.naming import direction_of
from proving_ground.history.records import Fingerprint, Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Origin:
    """What is said beside a file; None: what the file says, or the default.

    Attributes:
        path: The file, for messages and for a run id.
        fingerprint: Hardware that it was measured on.
    """

    path: Path
    fingerprint: Fingerprint
    run_id: str | None = None
    time: dt.datetime | None = None
    commit: str | None = None
    system: str = "inference"
    system_version: str | None = None
    scenario: str | None = None
    labels: tuple[str, ...] = ()

    def wrong(self, what: str) -> ConfigurationError:
        """Return the error that the file is not what it should be."""
        return ConfigurationError(what, where=str(self.path))

    def moment(self, found: object) -> dt.datetime:
        """Return when it was measured: as said, as found in the file, or when the file was written.

        Args:
            found: Seconds since the epoch, or a text of ISO 8601; without a time zone it is that of this machine.
        """
        if self.time is not None:
            return self.time
        try:
            if isinstance(found, int | float) and not isinstance(found, bool):
                return dt.datetime.fromtimestamp(found, dt.UTC)
            if isinstance(found, str):
                return dt.datetime.fromisoformat(found).astimezone(dt.UTC)
        except (ValueError, OverflowError, OSError):
            raise self.wrong(f"has no usable time: {found!r}") from None
        return dt.datetime.fromtimestamp(self.path.stat().st_mtime, dt.UTC)


class Collected:
    """Measurements of one record as a reader finds them."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.measurements: list[Measurement] = []

    def add(self, scenario: str, metric: str, unit: str, values: object) -> None:
        """Add a metric where it has numbers, and where its name tells which are better."""
        direction = direction_of(metric)
        numbers = tuple(numbers_of(values if isinstance(values, list) else [values]))
        if direction is not None and numbers:
            self.measurements.append(Measurement(self.suite, scenario, metric, unit, direction, numbers))

    def add_statistics(
        self, scenario: str, name: str, unit: str, statistics: Mapping[str, object], *, factor: float = 1.0
    ) -> None:
        """Add percentiles and the mean of a distribution, as ``<name>_p99_<unit>``."""
        for statistic, value in statistics.items():
            numbers = list(numbers_of([value]))
            if numbers:
                self.add(scenario, f"{name}_{statistic}_{unit}", unit, numbers[0] * factor)


def numbers_of(values: Iterable[object]) -> Iterable[float]:
    """Give those of some values that are finite numbers."""
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield float(value)


def json_of(path: Path) -> Any:
    """Return the content of a JSON file; of one with an object on each line, a list of them.

    Raises:
        ConfigurationError: It cannot be read, or is not JSON.
    """
    try:
        content = path.read_bytes()
        return _parsed(content)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"is not JSON: {str(error)[:200]}", where=str(path)) from None


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        lines = [line for line in content.splitlines() if line.strip()]
        if not error.msg.startswith("Extra data") or len(lines) < 2:  # noqa: PLR2004 - one line is no list
            raise
        return [json.loads(line) for line in lines]


def child(content: object, *names: str) -> Any:
    """Return what lies below names of nested objects; None where one is absent."""
    for name in names:
        if not isinstance(content, dict):
            return None
        content = content.get(name)
    return content
