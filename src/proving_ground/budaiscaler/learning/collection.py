"""How many observations there are, and since when, without keeping each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.budaiscaler.learning.seasonal import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY_HOURS = 24
MOST_HOURS = 90 * DAY_HOURS + 1
"""Hours in the longest history that a scaler can ask for."""


class Collection:
    """Observations counted by the hour; what is older than the history is dropped.

    Args:
        days: Length of the history.
        hours: Hours to begin with: hour since 1970, moment of its first observation, their number.
    """

    def __init__(self, days: int, hours: Iterable[tuple[int, float, int]] = ()) -> None:
        self._hours = days * DAY_HOURS
        self._by_hour = {hour: (first, count) for hour, first, count in hours}

    def observe(self, now: float) -> None:
        """Count an observation."""
        hour = int(now // HOUR)
        first, count = self._by_hour.get(hour, (now, 0))
        self._by_hour[hour] = min(first, now), count + 1
        if count == 0:
            self._drop(hour)

    @property
    def count(self) -> int:
        """Observations of the history."""
        return sum(count for _, count in self._by_hour.values())

    @property
    def oldest(self) -> float | None:
        """The moment of the first of them."""
        return min((first for first, _ in self._by_hour.values()), default=None)

    @property
    def hours(self) -> list[tuple[int, float, int]]:
        """Hour since 1970, moment of its first observation and their number, oldest first."""
        return [(hour, *self._by_hour[hour]) for hour in sorted(self._by_hour)]

    def _drop(self, hour: int) -> None:
        for old in [old for old in self._by_hour if old < hour - self._hours]:
            del self._by_hour[old]
        # A clock that is set back again and again leaves hours that are still to come.
        while len(self._by_hour) > self._hours + 1:
            del self._by_hour[max(self._by_hour)]
