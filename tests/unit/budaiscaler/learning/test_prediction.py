from __future__ import annotations

import datetime as dt

import pytest

from proving_ground.budaiscaler.learning.prediction import LEVEL_POINTS, POINTS, Course, predict
from proving_ground.budaiscaler.learning.seasonal import HOUR, Season

MONDAY = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC).timestamp()


def course(values: list[float], step: float = 10.0, look_ahead: float = 300.0) -> Course:
    made = Course(look_ahead)
    for number, value in enumerate(values):
        made.observe(MONDAY + number * step, value)
    return made


def test_a_straight_line_goes_on() -> None:
    assert course([float(n) for n in range(10)]).trend(MONDAY + 390) == pytest.approx(39.0)


def test_three_points_are_no_trend() -> None:
    assert course([1.0, 2.0, 3.0]).trend(MONDAY + 300) is None


def test_only_the_last_look_ahead_counts() -> None:
    assert course([90.0] * 50 + [10.0] * 31).trend(MONDAY + 2000) == pytest.approx(10.0)


def test_points_further_apart_than_the_look_ahead_make_a_trend_of_four() -> None:
    far = course([50.0, 10.0, 20.0, 30.0, 40.0], step=900.0)
    assert far.trend(MONDAY + 5 * 900) == pytest.approx(50.0)


def test_points_are_bounded() -> None:
    assert len(course([1.0] * 3000, step=1.0, look_ahead=3600.0).points) == POINTS
    assert len(course([1.0] * 100, step=600.0).points) == LEVEL_POINTS


@pytest.mark.parametrize("jump", [-1.0, -1e6, 2 * HOUR + 1, 1e8])
def test_a_jump_of_the_clock_begins_a_new_trend(jump: float) -> None:
    jumped = course([1.0] * 10)
    jumped.observe(MONDAY + 90 + jump, 5.0)
    assert list(jumped.points) == [(MONDAY + 90 + jump, 5.0)]


def test_a_second_value_of_one_moment_replaces_the_first() -> None:
    twice = course([1.0] * 4)
    twice.observe(MONDAY + 30, 9.0)
    assert [value for _, value in twice.points] == [1.0, 1.0, 1.0, 9.0]


def test_another_hour_that_is_known_is_taken_from_the_week() -> None:
    season = Season()
    season.learn(MONDAY + HOUR, 80.0)
    assert predict(course([50.0] * 5), season, MONDAY + 40, MONDAY + HOUR) == 80.0


@pytest.mark.parametrize(("level", "expected"), [(50.0, 80.0), (60.0, 96.0), (500.0, 160.0), (1.0, 40.0)])
def test_the_present_level_adjusts_it_within_limits(level: float, expected: float) -> None:
    season = Season()
    season.learn(MONDAY, 50.0)
    season.learn(MONDAY + HOUR, 80.0)
    assert predict(course([level] * 5), season, MONDAY + 40, MONDAY + HOUR) == pytest.approx(expected)


def test_the_level_of_the_hour_before_does_not_count() -> None:
    late = Course(300.0)
    for number in range(6):
        late.observe(MONDAY - 50 + number * 10, 10.0 if number < 5 else 30.0)
    assert late.level(MONDAY) == 30.0


def test_the_same_hour_is_taken_from_the_trend() -> None:
    season = Season()
    season.learn(MONDAY, 5.0)
    assert predict(course([50.0] * 5), season, MONDAY + 40, MONDAY + 340) == pytest.approx(50.0)


def test_an_hour_that_was_never_seen_is_taken_from_the_trend() -> None:
    assert predict(course([50.0] * 5), Season(), MONDAY + 40, MONDAY + HOUR) == pytest.approx(50.0)
