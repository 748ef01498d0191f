from __future__ import annotations

import pytest

from proving_ground.budaiscaler.learning.accuracy import OPEN, RESOLVED, Accuracy, Open, Resolved


def resolved(predicted: float, actual: float, before: float = 50.0) -> Resolved:
    return Resolved(made_at=0, at=300, predicted=predicted, before=before, actual=actual)


def tracker(*forecasts: Resolved) -> Accuracy:
    accuracy = Accuracy()
    accuracy.resolved.extend(forecasts)
    return accuracy


def test_a_forecast_is_compared_with_the_value_between_its_neighbours() -> None:
    accuracy = Accuracy()
    accuracy.remember(Open(0, 305, 50, 40))
    accuracy.observe(300, 40, (290, 30), 10)
    assert not accuracy.resolved
    accuracy.observe(310, 60, (300, 40), 10)
    assert accuracy.resolved[0].actual == pytest.approx(50)
    assert accuracy.total == 1
    assert not accuracy.open


def test_a_forecast_for_the_very_moment_is_compared_with_its_value() -> None:
    accuracy = Accuracy()
    accuracy.remember(Open(0, 300, 50, 40))
    accuracy.observe(300, 44, (290, 30), 10)
    assert accuracy.resolved[0].actual == 44


def test_a_forecast_whose_moment_passed_unseen_is_dropped() -> None:
    accuracy = Accuracy()
    accuracy.remember(Open(0, 300, 50, 40))
    accuracy.observe(361, 44, (290, 30), 10)
    assert not accuracy.resolved
    assert not accuracy.open


def test_observations_far_apart_leave_more_time() -> None:
    accuracy = Accuracy()
    accuracy.remember(Open(0, 300, 50, 40))
    accuracy.observe(900, 44, (0, 44), 900)
    assert accuracy.resolved[0].actual == pytest.approx(44)


def test_two_forecasts_of_one_moment_count_once() -> None:
    accuracy = Accuracy()
    accuracy.remember(Open(0, 300, 50, 40))
    accuracy.remember(Open(0, 300, 51, 40))
    assert [forecast.predicted for forecast in accuracy.open] == [51]


def test_open_and_compared_forecasts_are_bounded() -> None:
    accuracy = Accuracy()
    for second in range(2 * OPEN):
        accuracy.remember(Open(second, second + 1, 1, 1))
    assert len(accuracy.open) == OPEN
    accuracy.observe(2 * OPEN, 1, None, 10**6)
    assert len(accuracy.resolved) == RESOLVED
    assert accuracy.total == OPEN


def test_nothing_compared_has_no_figures() -> None:
    figures = tracker().figures()
    assert (figures.mae, figures.mape, figures.direction, figures.overall) == (None, None, None, None)


def test_errors_are_plain_means() -> None:
    figures = tracker(resolved(55, 50), resolved(40, 50)).figures()
    assert figures.mae == pytest.approx(7.5)
    assert figures.mape == pytest.approx(15.0)
    assert figures.overall == pytest.approx(85.0)


def test_an_actual_value_of_zero_has_no_percentage() -> None:
    figures = tracker(resolved(5, 0), resolved(55, 50)).figures()
    assert figures.mape == pytest.approx(10.0)
    assert tracker(resolved(5, 0)).figures().mape is None


def test_overall_accuracy_is_never_below_zero() -> None:
    assert tracker(resolved(500, 50)).figures().overall == 0.0


def test_an_actual_value_next_to_zero_leaves_the_mean_finite() -> None:
    assert tracker(resolved(1e15, 1e-300)).figures().mape == pytest.approx(1e6)


@pytest.mark.parametrize(
    ("predicted", "actual", "right"),
    [
        (60, 70, True), (40, 30, True), (60, 40, False), (40, 60, False),
        (52.5, 47.5, True), (51, 60, False), (60, 51, False), (52.6, 52.6, True),
    ],
)  # fmt: skip
def test_a_direction_is_up_down_or_within_five_percent(predicted: float, actual: float, right: bool) -> None:
    assert resolved(predicted, actual).direction_right is right


def test_from_zero_every_change_is_one() -> None:
    assert resolved(0.1, 5, before=0).direction_right
    assert not resolved(0, 5, before=0).direction_right


def test_confidence_is_a_half_before_ten_forecasts_were_compared() -> None:
    assert tracker(*[resolved(50, 50)] * 9).confidence() == 0.5


def test_confidence_follows_the_error_afterwards() -> None:
    assert tracker(*[resolved(55, 50)] * 10).confidence() == pytest.approx(0.9)
    assert tracker(*[resolved(500, 50)] * 10).confidence() == 0.0


@pytest.mark.parametrize(
    ("forecasts", "needed"),
    [
        ([resolved(60, 60)] * 10, False),
        ([resolved(80, 60)] * 10, True),
        ([resolved(80, 60)] * 9, False),
        ([resolved(49, 54)] * 10, True),
        ([resolved(49, 54)] + [resolved(60, 60)] * 9, False),
        ([resolved(49, 54)] * 2 + [resolved(60, 60)] * 8, True),
    ],
)
def test_calibration_is_needed_when_errors_or_directions_are_bad(forecasts: list[Resolved], needed: bool) -> None:
    accuracy = tracker(*forecasts)
    accuracy.calibrate(1000.0)
    assert accuracy.calibration_needed is needed
    assert accuracy.calibrated == 1000.0
