"""Measurements made fit for the event log: finite, few enough, and with their peaks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from proving_ground.contracts.events import BANDS_LIMIT, MARKS_LIMIT, POINTS_LIMIT, SERIES_LIMIT, Plot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proving_ground.contracts.events import PlotBand, PlotMark

    Point = tuple[float, float]


def plot_of(
    name: str,
    series: Mapping[str, Sequence[Point]],
    *,
    x: str,
    y: str,
    bands: Sequence[PlotBand] = (),
    marks: Sequence[PlotMark] = (),
) -> Plot:
    """Return a plot of at most `SERIES_LIMIT` series, each of at most `POINTS_LIMIT` finite points.

    Of more than `BANDS_LIMIT` bands the first are kept, of more than `MARKS_LIMIT` marks the last.
    """
    names = list(series)
    return Plot(
        name=name,
        x=x,
        y=y,
        series={each: thinned(_finite(series[each])) for each in names[:SERIES_LIMIT]},
        left_out=names[SERIES_LIMIT:],
        bands=list(bands[:BANDS_LIMIT]),
        marks=list(marks[-MARKS_LIMIT:]),
    )


def _finite(points: Sequence[Point]) -> list[Point]:
    pairs = ((float(first), float(second)) for first, second in points)
    return [pair for pair in pairs if math.isfinite(pair[0]) and math.isfinite(pair[1])]


def thinned(points: Sequence[Point], limit: int = POINTS_LIMIT) -> list[Point]:
    """Return at most so many of the points, in their order: the ends, and the lowest and highest of each stretch.

    Args:
        points: All of them.
        limit: How many may stay, 4 or more.
    """
    count = len(points)
    if count <= limit:
        return list(points)
    stretches = (limit - 2) // 2
    kept = {0, count - 1}
    for stretch in range(stretches):
        # The inner points, in stretches whose lengths differ by one at most.
        indices = range(1 + (count - 2) * stretch // stretches, 1 + (count - 2) * (stretch + 1) // stretches)
        kept |= {min(indices, key=lambda i: points[i][1]), max(indices, key=lambda i: points[i][1])}
    return [points[index] for index in sorted(kept)]
