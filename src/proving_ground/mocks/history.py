"""What a mock was asked, and what it answered: a bounded record for those who check a reader of metrics."""

from __future__ import annotations

from array import array

CAPACITY = 4096
"""Samples that are kept; the oldest give way."""


class History:
    """The scrapes of one mock; a sample costs eight bytes for each number, and none before the first.

    Args:
        columns: Names of the values of a sample.
    """

    __slots__ = ("_columns", "_next", "_numbers", "scrapes")

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._numbers = array("d")
        self._next = 0
        self.scrapes = 0
        """Requests of a metric endpoint, also those that failed."""

    def add(self, time: float, values: tuple[float, ...]) -> None:
        """Keep a sample.

        Args:
            time: Unix seconds at which it was served.
            values: One for each column.
        """
        row = array("d", (time, *values))
        if self._next == len(self._numbers) and self._next < CAPACITY * len(row):
            self._numbers.extend(row)
        else:
            self._next %= len(self._numbers)
            self._numbers[self._next : self._next + len(row)] = row
        self._next += len(row)

    def samples(self, since: float | None = None) -> list[tuple[float, dict[str, float]]]:
        """Return the samples from ``since`` (unix seconds) on, or all that are kept; the oldest comes first."""
        width = len(self._columns) + 1
        starts = [*range(self._next, len(self._numbers), width), *range(0, self._next, width)]
        found = []
        for start in starts:
            time, *values = self._numbers[start : start + width]
            if since is None or time >= since:
                found.append((time, dict(zip(self._columns, values, strict=True))))
        return found
