"""Trends as one page, without anything from elsewhere and without scripts."""

from __future__ import annotations

import dataclasses
import functools
from importlib import resources
from typing import TYPE_CHECKING

import jinja2

from proving_ground.plugin.plotting import plot_of
from proving_ground.report.chart import AREA, Chart, chart
from proving_ground.report.text import clean, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.contracts.events import Plot
    from proving_ground.history.stored import StoredRun
    from proving_ground.history.trend import Trend


@dataclasses.dataclass(frozen=True)
class Mark:
    """A change point in the drawing."""

    x: float
    label: str


@dataclasses.dataclass(frozen=True)
class Figure:
    """A trend as the page draws it."""

    chart: Chart
    marks: tuple[Mark, ...]
    first: str
    last: str


def plot(trend: Trend) -> Plot:
    """Return a trend as a plot of the report."""
    return plot_of(trend.name, trend.lines(), x="run, the oldest first", y=trend.series.unit)


def figure(trend: Trend) -> Figure:
    """Return a trend as a drawing, change points marked."""
    width = AREA["right"] - AREA["left"]
    last = max(len(trend.values) - 1, 1)
    marks = tuple(
        Mark(round(AREA["left"] + width * (point.index - 0.5) / last, 1), told)
        for point, told in zip(trend.changes, trend.told(), strict=True)
    )
    ends = [f"{run.run_id}, {run.time:%Y-%m-%d %H:%M}" for run in (*trend.runs[:1], *trend.runs[-1:])]
    return Figure(chart(plot(trend)), marks, *(ends or ["", ""]))


def page(trends: Sequence[Trend], run: StoredRun) -> str:
    """Return the page."""
    return _template().render(figures=[figure(trend) for trend in trends], run=run, area=AREA)


@functools.cache
def _template() -> jinja2.Template:
    text = (resources.files("proving_ground.history") / "templates" / "trends.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"clean": clean, "first_line": first_line}
    return environment.from_string(text)
