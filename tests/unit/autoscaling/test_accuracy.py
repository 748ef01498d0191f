"""Measuring predictions."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pytest

from proving_ground.autoscaling.accuracy import (
    Measured,
    Pair,
    Thresholds,
    UnusablePredictionsError,
    direction,
    measure,
    predictions,
    read_thresholds,
)
from proving_ground.autoscaling.cadence import Clock
from proving_ground.autoscaling.manifests import folder
from proving_ground.autoscaling.mocks import Sample
from proving_ground.errors import ConfigurationError

CLOCK = Clock(start=0.0, unix=0.0, speed=10.0)


def time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def tracker(*entries: tuple[float, float, float]) -> str:
    """Return a tracker of ``(at, made, predicted)``."""
    found = [{"time": time(at), "madeAt": time(made), "predicted": value} for at, made, value in entries]
    return json.dumps({"recentPredictions": found})


def ramp(begin: float = 0.0, end: float = 100.0) -> list[Sample]:
    """Return the samples of a mock that told 1 more each simulated second, once in ten."""
    return [Sample(unix, {"gpu_cache": unix * 10}) for unix in range(int(begin), int(end) + 1)]


def test_a_prediction_is_compared_with_what_the_mock_told_then() -> None:
    measured = measure(tracker((500, 200, 510)), {"pod": ramp()}, CLOCK)
    assert measured.pairs == (Pair(at=500, predicted=510, actual=500, before=200),)
    assert measured.mae == 10
    assert measured.mape == 2
    assert measured.direction == 1


def test_between_two_scrapes_the_value_lies_on_a_line() -> None:
    (pair,) = measure(tracker((505, 201, 0)), {"pod": ramp()}, CLOCK).pairs
    assert (pair.actual, pair.before) == (505, 201)


def test_several_pods_count_as_their_mean() -> None:
    other = [Sample(s.unix, {"gpu_cache": s.values["gpu_cache"] + 20}) for s in ramp()]
    (pair,) = measure(tracker((500, 200, 0)), {"a": ramp(), "b": other}, CLOCK).pairs
    assert pair.actual == 510


def test_a_pod_that_was_gone_by_then_does_not_count() -> None:
    (pair,) = measure(tracker((900, 500, 0)), {"a": ramp(), "gone": ramp(0, 60)}, CLOCK).pairs
    assert pair.actual == 900


@pytest.mark.parametrize("at", [-1, 1001, 5000])
def test_a_time_around_which_nothing_was_scraped_is_not_compared(at: float) -> None:
    measured = measure(tracker((at, 200, 0)), {"pod": ramp()}, CLOCK)
    assert (measured.pairs, measured.unmatched) == ((), 1)


def test_a_gap_in_the_scrapes_is_no_line() -> None:
    samples = [*ramp(0, 20), *ramp(80, 100)]
    assert measure(tracker((500, 100, 0)), {"pod": samples}, CLOCK).unmatched == 1
    assert measure(tracker((500, 100, 0)), {"pod": samples}, CLOCK, gap=1000).unmatched == 0


def test_a_clock_that_was_set_anew_holds_from_then_on() -> None:
    clocks = [Clock(0.0, 0.0, 10.0), Clock(100_000.0, 50.0, 10.0)]
    (pair,) = measure(tracker((100_100, 100_000, 0)), {"pod": ramp()}, clocks).pairs
    assert (pair.actual, pair.before) == (600, 500)


def test_only_predictions_since_a_time_count_if_one_is_given() -> None:
    found = measure(tracker((300, 200, 0), (500, 200, 0)), {"pod": ramp()}, CLOCK, since=400)
    assert [pair.at for pair in found.pairs] == [500]


def test_without_pairs_nothing_is_measured() -> None:
    measured = measure(tracker(), {}, CLOCK)
    assert math.isnan(measured.mae)
    assert measured.metrics() == {"predictions": 0.0}


@pytest.mark.parametrize(
    ("before", "after", "expected"), [(100, 106, 1), (100, 94, -1), (100, 105, 0), (100, 95, 0), (0, 1, 1), (0, 0, 0)]
)
def test_a_change_within_the_dead_band_is_none(before: float, after: float, expected: int) -> None:
    assert direction(before, after) == expected


def test_an_actual_value_of_zero_has_no_percentage() -> None:
    measured = Measured((Pair(1, 5, 0, 5), Pair(2, 11, 10, 10)))
    assert measured.mape == pytest.approx(10)


def test_thresholds_that_are_kept_say_nothing() -> None:
    Measured(tuple(Pair(at, 52, 50, 20) for at in range(5))).within(Thresholds())


@pytest.mark.parametrize(
    ("pair", "said"), [(Pair(1, 90, 50, 20), "MAPE is 80.00 %"), (Pair(1, 45, 50, 47), "direction accuracy is 0.00")]
)
def test_a_threshold_that_is_not_kept_is_told(pair: Pair, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        Measured((pair,) * 5).within(Thresholds())


def test_too_few_predictions_are_no_success() -> None:
    with pytest.raises(AssertionError, match="only 1 predictions"):
        Measured((Pair(1, 50, 50, 20),), unmatched=4).within(Thresholds())


def test_the_reported_accuracy_is_compared_with_the_measured_one() -> None:
    measured = Measured(tuple(Pair(at, 55, 50, 20) for at in range(5)))
    learning = {"recentMAE": "5.10", "recentMAPE": "11.00%", "directionAccuracy": "99.0%"}
    measured.agrees_with({"learningStatus": learning})
    with pytest.raises(AssertionError, match=r"recentMAPE is reported as 0\.1, measured 10\.00"):
        measured.agrees_with({"learningStatus": {**learning, "recentMAPE": "0.10%"}})


@pytest.mark.parametrize("status", [{}, {"learningStatus": None}, {"learningStatus": {"recentMAE": "N/A"}}])
def test_an_accuracy_that_is_not_reported_does_not_agree(status: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="expected a number"):
        Measured((Pair(1, 50, 50, 20),)).agrees_with(status)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"recentPredictions": null}',
        '{"recentPredictions": [1]}',
        '{"recentPredictions": [{}]}',
        '{"recentPredictions": [{"time": "x", "madeAt": "x", "predicted": 1}]}',
        '{"recentPredictions": [{"time": "2026-01-05T00:00:00", "madeAt": "2026-01-05T00:00:00Z", "predicted": 1}]}',
        '{"recentPredictions": [{"time": "2026-01-05T00:00:00Z", "madeAt": "2026-01-05T00:00:00Z", "predicted": NaN}]}',
        f'{{"recentPredictions": [{{"time": "{time(0)}", "madeAt": "{time(0)}", "predicted": 1e999}}]}}',
    ],
)
def test_what_keeps_no_predictions_fails_a_check(text: str) -> None:
    with pytest.raises(UnusablePredictionsError, match=r"accuracy_tracker\.json"):
        predictions(text)


def test_the_thresholds_of_the_suites_are_those_of_upstream() -> None:
    found = read_thresholds(folder() / "thresholds.yml")
    assert (found.mape_percent_max, found.direction_accuracy_min) == (20, 0.85)


def test_an_unknown_threshold_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "thresholds.yml"
    file.write_text("mape: 3\n")
    with pytest.raises(ConfigurationError, match="mape"):
        read_thresholds(file)
