"""Trends as plots, and as one page, without anything from elsewhere and without scripts."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from proving_ground.contracts.events import PlotBand, PlotMark
from proving_ground.plugin.plotting import plot_of
from proving_ground.report.chart import AREA, Chart, chart
from proving_ground.report.html import environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jinja2

    from proving_ground.contracts.events import Plot
    from proving_ground.history.stored import StoredRun
    from proving_ground.history.trend import Trend


@dataclasses.dataclass(frozen=True)
class Figure:
    """A trend as the page draws it."""

    chart: Chart
    first: str
    last: str


def plot(trend: Trend) -> Plot:
    """Return a trend as a plot of the report: its band as an area, its change points marked and told."""
    bands = [] if trend.band is None else [PlotBand(name="band", lower=trend.band.lower, upper=trend.band.upper)]
    marks = [
        PlotMark(x=point.index + 1, y=trend.values[point.index], label=told)
        for point, told in zip(trend.changes, trend.told(), strict=True)
    ]
    return plot_of(trend.name, trend.lines(), x="run, the oldest first", y=trend.series.unit, bands=bands, marks=marks)


def figure(trend: Trend) -> Figure:
    """Return a trend as a drawing, and its ends."""
    ends = [f"{run.run_id}, {run.time:%Y-%m-%d %H:%M}" for run in (*trend.runs[:1], *trend.runs[-1:])]
    return Figure(chart(plot(trend)), *(ends or ["", ""]))


def page(trends: Sequence[Trend], run: StoredRun) -> str:
    """Return the page."""
    return _template().render(figures=[figure(trend) for trend in trends], run=run, area=AREA)


@functools.cache
def _template() -> jinja2.Template:
    return environment("proving_ground.history", "proving_ground.report").get_template("trends.html.j2")
