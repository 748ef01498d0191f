"""What mocks told over time, between two scrapes by straight lines."""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.autoscaling.cadence import Clock
    from proving_ground.autoscaling.mock_access import Sample


@dataclass(frozen=True, slots=True)
class Curve:
    """What one pod told over time, between its scrapes by straight lines.

    Attributes:
        times: Simulated unix seconds, rising.
        values: What was told at each.
        gap: Longest distance over which a line is drawn.
    """

    times: tuple[float, ...]
    values: tuple[float, ...]
    gap: float

    @classmethod
    def of(cls, samples: Sequence[Sample], clocks: Sequence[Clock], metric: str, gap: float | None) -> Curve | None:
        """Return the curve of a pod's samples, None where it never told the metric; clocks in their real order."""
        points = []
        for sample in samples:
            clock = next((c for c in reversed(clocks) if c.unix <= sample.unix), None)
            if clock is not None and math.isfinite(sample.values.get(metric, math.nan)):
                points.append((clock.simulated(sample.unix), sample.values[metric]))
        points.sort()
        if not points:
            return None
        times = tuple(time for time, _ in points)
        distances = [later - earlier for earlier, later in itertools.pairwise(times)]
        longest = gap if gap is not None else 8 * (statistics.median(distances) if distances else 0.0)
        return cls(times, tuple(value for _, value in points), longest)

    def at(self, time: float) -> float | None:
        """Return the value at a time, None where no scrape is near enough on both sides."""
        after = bisect.bisect_left(self.times, time)
        if after < len(self.times) and self.times[after] == time:
            return self.values[after]
        if after in {0, len(self.times)}:
            return None
        begin, end = self.times[after - 1], self.times[after]
        if end - begin > self.gap:
            return None
        part = (time - begin) / (end - begin)
        return self.values[after - 1] + part * (self.values[after] - self.values[after - 1])


def mean_at(curves: Sequence[Curve], time: float) -> float | None:
    """Return the mean over the pods that were there at a time, as the autoscaler's own value is."""
    values = [value for curve in curves if (value := curve.at(time)) is not None]
    return statistics.fmean(values) if values else None
