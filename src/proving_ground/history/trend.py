"""How a metric went from run to run: its values, their levels, its band."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import TYPE_CHECKING

from proving_ground.contracts.gates import BandGate
from proving_ground.history.changepoints import ChangePoint, change_points, levels
from proving_ground.history.gating import ANY_HARDWARE, statistic_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.contracts.gates import Band, Gate
    from proving_ground.history.records import Series
    from proving_ground.history.store import Store
    from proving_ground.history.stored import StoredRun
    from proving_ground.history.summary import Statistic

MOST_POINTS = 500
"""Runs that a trend goes back."""


@dataclasses.dataclass(frozen=True)
class Trend:
    """A metric over runs that can be compared.

    Attributes:
        series: The metric.
        statistic: Which number of each run it is.
        runs: The valid runs, the oldest first.
        values: Their numbers.
        changes: Where its level changed.
        band: Where it should be on this hardware.
    """

    series: Series
    statistic: Statistic
    runs: tuple[StoredRun, ...]
    values: tuple[float, ...]
    changes: tuple[ChangePoint, ...]
    band: Band | None = None

    @property
    def name(self) -> str:
        """What it shows."""
        return f"{self.series.name} ({self.statistic})"

    def lines(self) -> dict[str, list[tuple[float, float]]]:
        """Return it as lines over the number of the run, for a plot; the limits of its band are an area there."""
        numbers = range(1, len(self.values) + 1)
        found = {"value": [(float(n), value) for n, value in zip(numbers, self.values, strict=True)]}
        if self.changes:
            steps = levels(self.values, self.changes)
            found["level"] = [point for low, high, at in steps for point in ((low + 1.0, at), (float(high), at))]
        if self.band is not None and self.values:
            last = float(len(self.values))
            found["reference"] = [(1.0, self.band.reference), (last, self.band.reference)]
        return found

    def told(self) -> list[str]:
        """Return a line for each change point."""
        lines = []
        for point in self.changes:
            run = self.runs[point.index]
            worse = (point.change > 0) == (self.series.direction == "lower")
            about = f", commit {run.commit[:12]}" if run.commit else ""
            lines.append(
                f"{'worse' if worse else 'better'} by {abs(point.change):.1%} since run {run.run_id} "
                f"({run.time:%Y-%m-%d %H:%M}{about}): median {point.before:.4g} -> {point.after:.4g} {self.series.unit}"
            )
        return lines


def trends(
    store: Store, run: StoredRun, gates: Sequence[Gate] = (), pattern: str = "*", *, limit: int = MOST_POINTS
) -> list[Trend]:
    """Return the trends of the metrics of a run, over all runs that can be compared with it."""
    return [
        trend_of(store, run, series, gates, limit=limit)
        for series in sorted(store.statistics([run]))
        if fnmatch.fnmatchcase(series.name, pattern)
    ]


def trend_of(
    store: Store, run: StoredRun, series: Series, gates: Sequence[Gate] = (), *, limit: int = MOST_POINTS
) -> Trend:
    """Return the trend of one metric."""
    statistic = statistic_of(gates, series)
    points = store.trend(series, run, statistic, limit=limit)
    values = tuple(value for _, value in points)
    bands = [g for g in gates if isinstance(g, BandGate) and fnmatch.fnmatchcase(series.name, g.metric)]
    found = [g.bands.get(run.fingerprint_key) or g.bands.get(ANY_HARDWARE) for g in bands]
    return Trend(
        series=series,
        statistic=statistic,
        runs=tuple(stored for stored, _ in points),
        values=values,
        changes=tuple(change_points(values)),
        band=next((band for band in found if band is not None), None),
    )
