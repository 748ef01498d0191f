"""A distribution of values in few numbers: what is compared from run to run is one number of each run."""

from __future__ import annotations

import array
import dataclasses
import math
import statistics
import sys
import zlib
from typing import TYPE_CHECKING, Literal

from proving_ground.history.records import MOST_VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence

Statistic = Literal["mean", "median", "p90", "p95", "p99", "minimum", "maximum"]
STATISTICS: tuple[Statistic, ...] = ("mean", "median", "p90", "p95", "p99", "minimum", "maximum")


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, interpolated linearly between order statistics.

    Source: R. J. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages (1996), definition 7.
    """
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a distribution comes to, in the unit of its values."""

    count: int
    mean: float
    median: float
    p90: float
    p95: float
    p99: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Return the summary of at least one value."""
        ordered = sorted(values)
        return cls(
            count=len(ordered),
            mean=statistics.fmean(ordered),
            median=quantile(ordered, 0.5),
            p90=quantile(ordered, 0.9),
            p95=quantile(ordered, 0.95),
            p99=quantile(ordered, 0.99),
            minimum=ordered[0],
            maximum=ordered[-1],
        )

    def get(self, statistic: Statistic) -> float:
        """Return one of its numbers by name."""
        return float(getattr(self, statistic))


def kept(values: Sequence[float]) -> tuple[float, ...]:
    """Return what the history keeps of values: all, or of very many evenly spaced order statistics."""
    if len(values) <= MOST_VALUES:
        return tuple(values)
    ordered = sorted(values)
    return tuple(quantile(ordered, index / (MOST_VALUES - 1)) for index in range(MOST_VALUES))


def packed(values: Sequence[float]) -> bytes:
    """Return values as compressed little-endian doubles."""
    doubles = array.array("d", values)
    if sys.byteorder == "big":
        doubles.byteswap()
    return zlib.compress(doubles.tobytes(), 1)


def unpacked(content: bytes) -> tuple[float, ...]:
    """Return what `packed` was given."""
    doubles = array.array("d", zlib.decompress(content))
    if sys.byteorder == "big":
        doubles.byteswap()
    return tuple(doubles)
