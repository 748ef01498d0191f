from __future__ import annotations

import math
from typing import Any

import pydantic
import pytest

from proving_ground.contracts.events import POINTS_LIMIT, Plot
from proving_ground.plugin.plotting import plot_of, thinned


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_points_that_are_not_finite_are_dropped(bad: float) -> None:
    plot = plot_of("p", {"a": [(0, 1), (bad, 2), (3, bad), (4, 5)]}, x="s", y="v")
    assert plot.series == {"a": [(0.0, 1.0), (4.0, 5.0)]}


def test_series_after_the_eighth_are_only_named() -> None:
    plot = plot_of("p", {f"s{number}": [(0, 1)] for number in range(10)}, x="s", y="v")
    assert (list(plot.series)[-1], plot.left_out) == ("s7", ["s8", "s9"])


@pytest.mark.parametrize("count", [POINTS_LIMIT + 1, POINTS_LIMIT * 2 - 1, 123_457])
def test_a_long_series_is_thinned_and_keeps_its_ends_and_peaks(count: int) -> None:
    points = [(float(x), math.sin(x / 50)) for x in range(count)]
    points[count // 3] = (float(count // 3), 9.0)
    kept = thinned(points)
    assert len(kept) <= POINTS_LIMIT
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert (float(count // 3), 9.0) in kept
    assert kept == sorted(kept)


@pytest.mark.parametrize("count", [0, 1, POINTS_LIMIT])
def test_a_series_that_is_short_enough_stays_as_it_is(count: int) -> None:
    points = [(float(x), 1.0) for x in range(count)]
    assert thinned(points) == points


@pytest.mark.parametrize(
    "hostile",
    [
        {"series": {"a": [[0.0, math.inf]]}},
        {"series": {"a": [[0.0]]}},
        {"series": {f"s{n}": [] for n in range(9)}},
        {"series": {"a": [[0.0, 0.0]] * (POINTS_LIMIT + 1)}},
    ],
)
def test_the_contract_refuses_what_no_report_could_draw(hostile: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Plot.model_validate({"name": "p"} | hostile)


def test_what_is_no_number_is_refused_where_it_is_given() -> None:
    points: Any = [(0, "much")]
    with pytest.raises(ValueError, match="could not convert"):
        plot_of("p", {"a": points}, x="s", y="v")
