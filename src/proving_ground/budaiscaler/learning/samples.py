"""What one reconcile saw of the target's load."""

from __future__ import annotations

import math
from dataclasses import dataclass

LARGEST = 1e15
"""Readings beyond this are no readings: sums and squares of them must stay finite."""
IDLE_REQUESTS = 0.5
"""Mean running requests under which a target counts as idle; between none and one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The load of the target at one reconcile, as means over its pods; None where it is not known.

    Attributes:
        cache: KV-cache usage as a fraction, 0 to 1, whatever the scale of the metric.
        running: Requests running.
        waiting: Requests waiting.
        throughput: Generated tokens per second.
    """

    cache: float | None = None
    running: float | None = None
    waiting: float | None = None
    throughput: float | None = None

    def usable(self) -> Sample:
        """Return this sample with every reading that cannot be one (NaN, infinite, negative, huge) as not known."""
        return Sample(*(_usable(value) for value in (self.cache, self.running, self.waiting, self.throughput)))

    @property
    def idle(self) -> bool:
        """Whether it is known that no requests run or wait."""
        return self.running is not None and self.running < IDLE_REQUESTS and (self.waiting or 0.0) < IDLE_REQUESTS


def is_reading(value: float) -> bool:
    """Say whether a number can be a reading at all: finite, and not beyond LARGEST in size."""
    return math.isfinite(value) and abs(value) <= LARGEST


def _usable(value: float | None) -> float | None:
    return value if value is not None and is_reading(value) and value >= 0 else None
