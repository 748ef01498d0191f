"""What a metric is expected to be: the one value that passes from learning to scaling."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Forecast:
    """A value expected for one moment.

    Attributes:
        value: What the metric is expected to be, in the metric's own unit.
        confidence: How far it can be trusted, 0 to 1.
        at: The moment it is for, in simulated seconds since 1970 (UTC).
    """

    value: float
    confidence: float
    at: float
