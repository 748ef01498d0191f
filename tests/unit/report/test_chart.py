from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.contracts.events import BANDS_LIMIT, MARKS_LIMIT, Plot, PlotBand, PlotMark
from proving_ground.plugin.plotting import plot_of
from proving_ground.report.chart import AREA, chart
from proving_ground.report.html import report_html
from proving_ground.report.markdown import summary_md

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.contracts.results import Results

HOSTILE = "<script>alert(1)</script> & \x1b[31m \x00"
SVG = re.compile(r'<svg class="chart".*?</svg>', re.DOTALL)


def plot(**series: list[tuple[float, float]]) -> Plot:
    return Plot(name="p", series=series)


def placed(path: str) -> list[tuple[float, float]]:
    numbers = [float(number) for number in re.findall(r"[-\d.]+", path)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def drawn(page: str) -> list[ET.Element]:
    return [ET.fromstring(text) for text in SVG.findall(page)]  # noqa: S314 - our own text


def test_lines_fill_the_area_and_higher_values_lie_higher() -> None:
    (line,) = chart(plot(a=[(10, 0), (20, 5), (30, 10)])).lines
    middle_x, middle_y = (AREA["left"] + AREA["right"]) / 2, (AREA["top"] + AREA["bottom"]) / 2
    assert placed(line.path) == [
        (AREA["left"], AREA["bottom"]),
        (middle_x, middle_y),
        (AREA["right"], AREA["top"]),
    ]


def test_ticks_are_round_numbers_within_the_axis() -> None:
    made = chart(plot(a=[(0, 0), (73, 0.93)]))
    assert [tick.label for tick in made.x_ticks] == ["0", "10", "20", "30", "40", "50", "60", "70"]
    assert [tick.label for tick in made.y_ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8"]


def test_positive_values_are_shown_from_zero_unless_that_flattens_them() -> None:
    assert chart(plot(a=[(0, 2), (1, 8)])).y_ticks[0].label == "0"
    assert chart(plot(a=[(0, 1000), (1, 1008)])).y_ticks[0].label == "1000"


def test_all_series_share_the_axes() -> None:
    low, high = chart(plot(a=[(0, 0), (1, 0)], b=[(5, 9), (6, 10)])).lines
    assert placed(low.path)[1][0] < placed(high.path)[0][0]


def test_a_single_point_is_a_dot() -> None:
    (line,) = chart(plot(a=[(5, 3)])).lines
    assert len(set(placed(line.path))) == 1
    assert len(placed(line.path)) == 2
    assert line.dot


@pytest.mark.parametrize(
    "points",
    [
        [(0.0, 0.0)],
        [(1e308, -1e308), (-1e308, 1e308)],
        [(1.7976931348623157e308, 1.7976931348623157e308)],
        [(5e-324, 5e-324), (0.0, 0.0)],
        [(1e15, 1.0), (1e15 + 0.125, 1.0)],
        [(1764356400.0, 1e-9), (1764356460.0, 2e-9)],
        [(0.0, -3.0), (1.0, -3.0)],
    ],
)
def test_extreme_values_stay_within_the_drawing(points: list[tuple[float, float]]) -> None:
    made = chart(plot(a=points))
    for x, y in placed(made.lines[0].path):
        assert AREA["left"] <= x <= AREA["right"]
        assert AREA["top"] <= y <= AREA["bottom"]
    assert len(made.x_ticks) <= 10
    assert len(made.y_ticks) <= 10


@pytest.mark.parametrize("series", [{}, {"a": []}])
def test_nothing_measured_has_axes_and_no_line(series: dict[str, list[tuple[float, float]]]) -> None:
    made = chart(plot(**series))
    assert made.x_ticks
    assert all(line.path == "" for line in made.lines)


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_the_report_draws_the_plots_of_a_check_however_it_ended(
    make_run: Callable[..., Results], make_check: Any, status: str
) -> None:
    plots = [plot(a=[(0, 1), (1, 2)]), plot(b=[(0, 1)])]
    pictures = drawn(report_html(make_run(make_check("a", status, plots=plots))))
    assert [picture.findtext("title") for picture in pictures] == ["p", "p"]
    assert pictures[0].findtext("desc") == "values over seconds. a: 2 points, 1 to 2"
    assert pictures[0].get("role") == "img"
    assert "a" in [text.text for text in pictures[0].iter("text")]


def test_hostile_names_are_escaped_and_cut(make_run: Callable[..., Results], make_check: Any) -> None:
    hostile = Plot(name=HOSTILE, x=HOSTILE, y=HOSTILE * 50, series={HOSTILE * 50: [(0, 1)]}, left_out=["x", "y"])
    page = report_html(make_run(make_check("a", plots=[hostile])))
    assert len(drawn(page)) == 1
    assert "<script" not in page
    assert "2 more series are not drawn" in page


def test_the_summary_counts_plots(make_run: Callable[..., Results], make_check: Any) -> None:
    run = make_run(make_check("a", plots=[plot(), plot()]), make_check("b"))
    assert "Plots in `report.html`: 2, of 1 check." in summary_md(run)
    assert "Plots" not in summary_md(make_run(make_check("b")))


def test_a_band_is_an_area_within_the_axes_and_a_mark_lies_on_its_value() -> None:
    band, mark = PlotBand(name="band", lower=90, upper=130), PlotMark(x=2, y=100, label="worse")
    made = chart(Plot(name="p", series={"a": [(1, 100), (2, 100), (3, 100)]}, bands=[band], marks=[mark]))
    (area,), (found,) = made.areas, made.marks
    values = placed(made.lines[0].path)
    assert area.y == AREA["top"]
    assert area.y < values[0][1] < area.y + area.height
    assert (found.x, found.y) == values[1]
    assert made.description == "values over seconds. a: 3 points, 100; band: 90 to 130. worse."


def test_a_band_without_height_and_one_upside_down_are_seen() -> None:
    bands = [PlotBand(name="flat", lower=5, upper=5), PlotBand(name="turned", lower=9, upper=1)]
    flat, turned = chart(Plot(name="p", series={"a": [(0, 0), (1, 10)]}, bands=bands)).areas
    assert flat.height == 1.0
    assert turned.height > 100
    assert turned.about == "1 to 9"


def test_marks_and_bands_without_a_line_have_axes() -> None:
    made = chart(Plot(name="p", bands=[PlotBand(name="b", lower=1, upper=2)], marks=[PlotMark(x=3, label="m")]))
    assert made.marks[0].y is None
    assert AREA["left"] <= made.marks[0].x <= AREA["right"]
    assert made.areas[0].height > 1


def test_more_bands_and_marks_than_have_a_place_are_left_out() -> None:
    bands = [PlotBand(name=str(number), lower=0, upper=1) for number in range(BANDS_LIMIT + 1)]
    marks = [PlotMark(x=number, label=str(number)) for number in range(MARKS_LIMIT + 1)]
    made = plot_of("p", {}, x="x", y="y", bands=bands, marks=marks)
    assert len(made.bands) == BANDS_LIMIT
    assert [made.marks[0].label, made.marks[-1].label] == ["1", str(MARKS_LIMIT)]


def test_what_is_marked_is_told_beside_the_plot_too(make_run: Callable[..., Results], make_check: Any) -> None:
    marks = [PlotMark(x=1, y=2, label=f"{HOSTILE} since run-7"), PlotMark(x=2, label="later")]
    marked = Plot(
        name="p", series={"a": [(1, 2), (2, 3)]}, marks=marks, bands=[PlotBand(name=HOSTILE, lower=1, upper=2)]
    )
    page = report_html(make_run(make_check("a", plots=[marked])))
    (picture,) = drawn(page)
    assert [group.findtext("title") for group in picture.iter("g") if group.get("class") == "marked"][1] == "later"
    assert len(list(picture.iter("circle"))) == 1
    assert "later." in (picture.findtext("desc") or "")
    assert "<li>later</li>" in page
    assert "since run-7</li>" in page
    assert "<script" not in page
