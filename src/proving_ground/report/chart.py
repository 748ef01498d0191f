"""A plot of a check as a line chart: where each line, tick and name lies. The template draws it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.report.text import first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.contracts.events import Plot, PlotBand

AREA = {"width": 900, "height": 280, "left": 70, "right": 680, "top": 16, "bottom": 236}
"""The drawing, and the edges of what the lines lie in, in its units; names of series are right of that."""

_NAME_CHARACTERS = 27
_TICKS_X, _TICKS_Y = 8, 5
_LEGEND_ROW = 20
_LABEL_CHARACTERS = 300
_STEPS = (1, 2, 5, 10)
_LARGE, _SMALL = 1e12, 1e-4


@dataclass(frozen=True)
class Tick:
    """A value of an axis: where it lies on it, and how it is written."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One series.

    Attributes:
        name: Its name, cut.
        number: From 1; its colour and dashes go by it.
        path: Commands of an SVG path; empty where it has no points.
        dot: Whether it has one point only.
        y: Where its name is written.
        about: How many points it has, and their range.
    """

    name: str
    number: int
    path: str
    dot: bool
    y: float
    about: str


@dataclass(frozen=True)
class Area:
    """A band.

    Attributes:
        name: Its name, cut.
        y: Its upper edge.
        height: How high it is.
        legend: Its name and its range, cut.
        legend_y: Where that is written.
        about: Its range.
    """

    name: str
    y: float
    height: float
    legend: str
    legend_y: float
    about: str


@dataclass(frozen=True)
class Mark:
    """A place where something happened: a line from top to bottom, and a ring where it has a value."""

    x: float
    y: float | None
    label: str


@dataclass(frozen=True)
class Chart:
    """Everything that the template draws."""

    name: str
    description: str
    x: str
    y: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    areas: tuple[Area, ...]
    marks: tuple[Mark, ...]
    left_out: int


@dataclass(frozen=True)
class _Axis:
    """The values that an axis goes from and to, and the units that they lie at."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        # In halves: the whole of the largest range is no number any more.
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return round(self.start + min(max(share, 0.0), 1.0) * (self.end - self.start), 1)

    def ticks(self, most: int) -> tuple[Tick, ...]:
        rough = self.high / most - self.low / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((power * factor for factor in _STEPS if power * factor >= rough), rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        # A step that is lost in the values gives the same number again and again.
        values = dict.fromkeys(step * number for number in range(first, min(last, first + most) + 1))
        return tuple(Tick(self.at(v), _written(v, step)) for v in values if self.low <= v <= self.high)


def chart(plot: Plot) -> Chart:
    """Return a plot as a chart; one without points has axes and names only."""
    xs = [point[0] for points in plot.series.values() for point in points] + [mark.x for mark in plot.marks]
    ys = [point[1] for points in plot.series.values() for point in points]
    ys += [mark.y for mark in plot.marks if mark.y is not None]
    ys += [edge for band in plot.bands for edge in (band.lower, band.upper)]
    across = _Axis(*_range(xs, from_zero=False), AREA["left"], AREA["right"])
    up = _Axis(*_range(ys, from_zero=True), AREA["bottom"], AREA["top"])
    lines = tuple(
        Line(
            name=_cut(name),
            number=number,
            path=_path(points, across, up),
            dot=len(points) == 1,
            y=AREA["top"] + number * _LEGEND_ROW,
            about=_about(points),
        )
        for number, (name, points) in enumerate(plot.series.items(), 1)
    )
    areas = tuple(_area(band, row, up) for row, band in enumerate(plot.bands, len(lines) + 1))
    marks = tuple(
        Mark(across.at(mark.x), None if mark.y is None else up.at(mark.y), first_line(mark.label, _LABEL_CHARACTERS))
        for mark in plot.marks
    )
    parts = [f"{line.name}: {line.about}" for line in lines] + [f"{area.name}: {area.about}" for area in areas]
    marked = "".join(f" {mark.label}." for mark in marks)
    return Chart(
        name=first_line(plot.name),
        description=first_line(
            f"{plot.y or 'values'} over {plot.x}. {'; '.join(parts) or 'no series'}{marked and '.'}{marked}", 2000
        ),
        x=first_line(plot.x, 80),
        y=first_line(plot.y, 40),
        x_ticks=across.ticks(_TICKS_X),
        y_ticks=up.ticks(_TICKS_Y),
        lines=lines,
        areas=areas,
        marks=marks,
        left_out=len(plot.left_out),
    )


def _area(band: PlotBand, row: int, up: _Axis) -> Area:
    low, high = sorted((band.lower, band.upper))
    top, about = up.at(high), f"{low:g} to {high:g}"
    return Area(
        name=_cut(band.name),
        y=top,
        # One without height would not be seen.
        height=round(max(up.at(low) - top, 1.0), 1),
        legend=_cut(f"{band.name}, {about}"),
        legend_y=AREA["top"] + row * _LEGEND_ROW,
        about=about,
    )


def _range(values: Sequence[float], *, from_zero: bool) -> tuple[float, float]:
    """Return what an axis spans: never nothing, and from zero where that does not flatten the lines."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if from_zero and 0 < low <= high / 2:
        low = 0.0
    # A range near the precision of its values cannot be divided.
    if high / 2 - low / 2 <= max(abs(low), abs(high)) * 1e-12 or high - low < 1e-300:  # noqa: PLR2004 - see above
        middle = low
        pad = max(abs(middle) / 2, 0.5)
        low, high = (0.0, middle + pad) if from_zero and middle >= 0 else (middle - pad, middle + pad)
    largest = 1.7e308
    return max(low, -largest), min(high, largest)


def _path(points: Sequence[tuple[float, float]], across: _Axis, up: _Axis) -> str:
    placed = [f"{across.at(x):g} {up.at(y):g}" for x, y in points]
    # A line to where it is already: with round ends that is a dot.
    return f"M{placed[0]}L{' '.join(placed[1:] or placed)}" if placed else ""


def _about(points: Sequence[tuple[float, float]]) -> str:
    if not points:
        return "no points"
    low, high = min(y for _, y in points), max(y for _, y in points)
    count = "1 point" if len(points) == 1 else f"{len(points)} points"
    return f"{count}, {low:g}" if low == high else f"{count}, {low:g} to {high:g}"


def _written(value: float, step: float) -> str:
    if abs(value) >= _LARGE or step < _SMALL:
        return f"{value:.4g}"
    return f"{value:.{max(0, -math.floor(math.log10(step)))}f}"


def _cut(name: str) -> str:
    name = first_line(name)
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"
