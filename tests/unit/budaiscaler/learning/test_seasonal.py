from __future__ import annotations

import datetime as dt

import pytest

from proving_ground.budaiscaler.learning.seasonal import COMPLETE, HOUR, HOURS, Season, hour_of_week

MONDAY = dt.datetime(2026, 1, 5, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("seconds", "hour"), [(0, 0), (3599.9, 0), (3600, 1), (6 * 86400 + 23 * 3600, 167), (-1, 167), (7 * 86400, 0)]
)
def test_hours_of_the_week_begin_on_monday_in_utc(seconds: float, hour: int) -> None:
    assert hour_of_week(MONDAY + seconds) == hour


def test_the_first_value_of_an_hour_is_its_mean() -> None:
    season = Season()
    season.learn(MONDAY, 50.0)
    assert season.mean(MONDAY + 60) == 50.0


def test_further_values_move_the_mean_by_a_tenth() -> None:
    season = Season()
    season.learn(MONDAY, 50.0)
    season.learn(MONDAY + 10, 60.0)
    assert season.mean(MONDAY) == pytest.approx(51.0)


def test_an_hour_without_values_has_no_mean_and_the_factor_one() -> None:
    season = Season()
    season.learn(MONDAY, 50.0)
    assert season.mean(MONDAY + HOUR) is None
    assert season.factor(MONDAY + HOUR) == 1.0


def test_the_factor_compares_an_hour_with_all_that_are_known() -> None:
    season = Season()
    season.learn(MONDAY, 90.0)
    season.learn(MONDAY + HOUR, 30.0)
    assert season.factor(MONDAY) == pytest.approx(1.5)
    assert season.factor(MONDAY + HOUR) == pytest.approx(0.5)


def test_a_week_of_zeros_has_the_factor_one() -> None:
    season = Season()
    season.learn(MONDAY, 0.0)
    assert season.factor(MONDAY) == 1.0


def test_the_week_is_complete_when_every_hour_was_seen_ten_times() -> None:
    season = Season()
    for _ in range(COMPLETE):
        for hour in range(HOURS):
            assert not season.complete
            season.learn(MONDAY + hour * HOUR, 1.0)
    assert season.complete
    assert season.known == HOURS
