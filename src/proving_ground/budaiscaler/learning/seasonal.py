"""The course of a week: what the metric usually is in each hour of it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

HOURS = 168
HOUR = 3600.0
ALPHA = 0.1
"""Weight of a new observation in the moving average of its hour."""
COMPLETE = 10
"""Observations that every hour needs until the week counts as known."""
_MONDAY = 4 * 24
"""Hours from Thursday, 1 January 1970, 0:00 UTC, to the first Monday."""


def hour_of_week(now: float) -> int:
    """Return the hour of the week in UTC, 0 to 167; 0 is Monday from 0:00 to 1:00."""
    return (int(now // HOUR) - _MONDAY) % HOURS


@dataclass(slots=True)
class Bucket:
    """One hour of the week.

    Attributes:
        mean: Exponentially weighted mean of the observations; the first one starts it.
        count: Number of observations.
    """

    mean: float = 0.0
    count: int = 0


class Season:
    """The 168 hours of the week."""

    def __init__(self) -> None:
        self.buckets = [Bucket() for _ in range(HOURS)]

    def learn(self, now: float, value: float) -> None:
        """Add an observation to the hour that it falls into."""
        bucket = self.buckets[hour_of_week(now)]
        bucket.mean = bucket.mean + ALPHA * (value - bucket.mean) if bucket.count else value
        bucket.count += 1

    def mean(self, now: float) -> float | None:
        """Return what is usual in the hour of this moment; None while nothing was observed in it."""
        bucket = self.buckets[hour_of_week(now)]
        return bucket.mean if bucket.count else None

    def factor(self, now: float) -> float:
        """Return the hour's mean over the mean of all hours that are known; 1 where that says nothing."""
        mean = self.mean(now)
        if mean is None:
            return 1.0
        overall = fmean(bucket.mean for bucket in self.buckets if bucket.count)
        return mean / overall if overall else 1.0

    @property
    def complete(self) -> bool:
        """Whether every hour was observed often enough."""
        return all(bucket.count >= COMPLETE for bucket in self.buckets)

    @property
    def known(self) -> int:
        """The number of hours that were observed at all."""
        return sum(1 for bucket in self.buckets if bucket.count)
