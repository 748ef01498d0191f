from __future__ import annotations

import math

import pytest

from proving_ground.history.changepoints import centred_ranks, change_points, levels
from tests.unit.history.made import seeded


def series(*parts: tuple[int, float], noise: float = 0.03, seed: int = 1) -> list[float]:
    chance = seeded(seed)
    return [level * math.exp(chance.gauss(0, noise)) for count, level in parts for _ in range(count)]


def test_a_change_is_found_where_it_happened() -> None:
    found = change_points(series((30, 100), (20, 112)))
    assert len(found) == 1
    assert abs(found[0].index - 30) <= 1
    assert found[0].change == pytest.approx(0.12, abs=0.03)


def test_several_changes_are_found_in_their_order() -> None:
    found = change_points(series((25, 100), (25, 130), (25, 90)))
    assert [point.change > 0 for point in found] == [True, False]
    assert [abs(point.index - where) <= 1 for point, where in zip(found, (25, 50), strict=True)] == [True, True]


def test_noise_alone_has_no_change_point() -> None:
    assert sum(bool(change_points(series((60, 100), seed=seed))) for seed in range(40)) <= 1


def test_one_night_far_off_is_no_change() -> None:
    values = series((40, 100))
    values[20] = 900.0
    assert change_points(values) == []


def test_a_change_that_does_not_matter_is_left_out() -> None:
    assert change_points(series((40, 100), (40, 103), noise=0.003)) == []
    assert change_points(series((40, 100), (40, 103), noise=0.003), minimal_effect=0.01)


def test_the_same_values_give_the_same_answer() -> None:
    values = series((20, 100), (20, 107))
    assert change_points(values) == change_points(values)


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5, [3.0] * 50, [0.0] * 20])
def test_short_and_constant_series_have_no_change_point(values: list[float]) -> None:
    assert change_points(values) == []


def test_a_change_from_nothing_is_infinite() -> None:
    assert [point.change for point in change_points([0.0] * 15 + [1.0] * 15)] == [math.inf]


def test_levels_cover_the_series() -> None:
    values = series((20, 100), (20, 150))
    steps = levels(values, change_points(values))
    assert (steps[0][0], steps[0][1], steps[1][1]) == (0, steps[1][0], 40)
    assert levels([], []) == []


def test_equal_values_share_their_rank() -> None:
    assert centred_ranks([5.0, 1.0, 5.0]) == [0.5, -1.0, 0.5]
