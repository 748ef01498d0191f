"""Many measured values: kept whole as long as they are not too many."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 500_000


class Samples:
    """Measured values; when there are too many, every second one is dropped, and so on.

    Args:
        values: The first of them.
        most: How many are kept.
    """

    def __init__(self, values: Iterable[float] = (), *, most: int = MOST) -> None:
        self.values: array[float] = array("d", values)
        self.count = len(self.values)
        self._most = most
        self._stride = 1

    def add(self, value: float) -> None:
        """Add one."""
        self.count += 1
        if self.count % self._stride == 0:
            self.values.append(value)
            if len(self.values) > self._most:
                self._halve()

    def extend(self, values: Iterable[float]) -> None:
        """Add several."""
        for value in values:
            self.add(value)

    def _halve(self) -> None:
        self.values = self.values[1::2]
        self._stride *= 2


def percentile(values: Iterable[float], part: float) -> float:
    """Return the least value that at least so many (0 to 100) of a hundred do not exceed; not a number if none.

    It is the nearest-rank definition: a value that was really measured, and of few values the largest rather than
    something between.
    """
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(part / 100 * len(ordered)) - 1)]
