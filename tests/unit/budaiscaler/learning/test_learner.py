from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import random

import pytest

from proving_ground.budaiscaler.learning import Learner, LearningSettings, Pattern, PatternName, Sample
from proving_ground.budaiscaler.learning.storage import ACCURACY_KEY, METADATA_KEY, PATTERN_KEY, SEASON_KEY

MONDAY = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC).timestamp()
QUIET = Sample(0.5, 10, 1, 100)
PRESSED = Sample(0.9, 20, 15, 60)
DAY = 86400.0


def value_at(now: float) -> float:
    """A day with a peak in the afternoon, in percent."""
    return 50 + 25 * math.sin((now % DAY) / DAY * 2 * math.pi)


def teach(
    learner: Learner,
    points: int,
    *,
    start: float = MONDAY,
    step: float = 10.0,
    faults: frozenset[str] = frozenset(),
    sample: Sample = QUIET,
) -> float:
    now = start
    for number in range(points):
        now = start + number * step
        learner.observe(now, sample, value_at(now), faults=faults)
        learner.forecast(now, faults=faults)
    return now


def test_a_learner_that_saw_nothing_says_little(settings: LearningSettings) -> None:
    learner = Learner(settings)
    assert learner.forecast(MONDAY) is None
    assert learner.status(MONDAY) == {
        "calibrationNeeded": False,
        "currentSeasonalFactor": "1.00",
        "dataPointsCollected": 0,
        "detectedPattern": "steady_state",
        "patternConfidence": "0.00",
        "seasonalDataComplete": False,
    }


def test_the_status_of_a_learner_that_saw_enough_has_every_field(settings: LearningSettings) -> None:
    learner = Learner(settings)
    now = teach(learner, 100)
    learner.calibrate(now)
    status = learner.status(now)
    assert status["dataPointsCollected"] == 100
    assert status["oldestDataPoint"] == "2026-01-05T09:00:00Z"
    assert status["lastCalibration"] == "2026-01-05T09:16:30Z"
    assert status["calibrationNeeded"] is False
    assert status["directionAccuracy"] == "100.0%"
    assert float(status["overallAccuracy"].removesuffix("%")) > 99
    assert float(status["recentMAPE"].removesuffix("%")) < 1
    assert float(status["recentMAE"]) < 1


def test_a_forecast_says_the_moment_it_is_for(settings: LearningSettings) -> None:
    learner = Learner(settings)
    now = teach(learner, 10)
    forecast = learner.forecast(now)
    assert forecast is not None
    assert forecast.at == now + 300
    assert forecast.confidence == 0.5
    assert forecast.value == pytest.approx(value_at(now + 300), rel=0.01)


@pytest.mark.parametrize(("slope", "expected"), [(3.0, 100.0), (-3.0, 0.0)])
def test_a_forecast_of_usage_stays_within_its_scale(settings: LearningSettings, slope: float, expected: float) -> None:
    learner = Learner(settings)
    for number in range(10):
        learner.observe(MONDAY + number * 10, QUIET, 50 + slope * number)
    forecast = learner.forecast(MONDAY + 90)
    assert forecast is not None
    assert forecast.value == expected


def test_a_forecast_of_another_metric_has_no_upper_limit(settings: LearningSettings) -> None:
    learner = Learner(dataclasses.replace(settings, metric="vllm:num_requests_running"))
    for number in range(10):
        learner.observe(MONDAY + number * 10, QUIET, 50 + 5.0 * number)
    forecast = learner.forecast(MONDAY + 90)
    assert forecast is not None
    assert forecast.value == pytest.approx(95 + 150)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_a_value_that_is_no_reading_is_left_out(settings: LearningSettings, value: float) -> None:
    learner = Learner(settings)
    teach(learner, 5)
    learner.observe(MONDAY + 50, QUIET, value)
    assert learner.status(MONDAY + 50)["dataPointsCollected"] == 5


def test_what_is_older_than_the_history_is_dropped(settings: LearningSettings) -> None:
    learner = Learner(dataclasses.replace(settings, historical_days=1))
    now = teach(learner, 100, step=3600.0)
    status = learner.status(now)
    assert status["dataPointsCollected"] == 25
    assert status["oldestDataPoint"] == "2026-01-08T12:00:00Z"


def test_a_second_week_is_forecast_by_the_first(settings: LearningSettings) -> None:
    learner = Learner(dataclasses.replace(settings, look_ahead_minutes=60))
    teach(learner, 168 * 4, step=900.0)
    now = teach(learner, 48 * 4, start=MONDAY + 7 * DAY, step=900.0)
    status = learner.status(now)
    assert float(status["recentMAPE"].removesuffix("%")) < 10
    assert float(status["directionAccuracy"].removesuffix("%")) > 85


def test_a_clock_that_goes_back_drops_forecasts_and_goes_on(settings: LearningSettings) -> None:
    learner = Learner(settings)
    teach(learner, 20)
    now = teach(learner, 20, start=MONDAY - 30 * DAY)
    assert json.loads(learner.dump(now)[ACCURACY_KEY])["totalPredictions"] == 0
    assert learner.forecast(now) is not None


def test_random_moments_and_values_never_break_it(settings: LearningSettings) -> None:
    learner, dice = Learner(settings), random.Random(1)  # noqa: S311 -- no secret
    odd = [None, 0.0, 1e14, -5.0, math.nan, math.inf, 0.9, 20.0]
    now = MONDAY
    for _ in range(2000):
        now = max(0.0, now + dice.choice([10, 10, 10, 0, -5, 7200, 7201, -DAY, 8 * DAY]))
        learner.observe(
            now, Sample(*(dice.choice(odd) for _ in range(4))), dice.choice([0.0, 50.0, 1e15, -1e15, math.nan])
        )
        learner.forecast(now)
        learner.calibrate(now)
        learner.status(now)
    assert Learner.restore(settings, learner.dump(now)).status(now) == learner.status(now)


def test_a_restored_learner_goes_on_exactly_as_the_other(settings: LearningSettings) -> None:
    one = Learner(settings)
    now = teach(one, 200)
    now = teach(one, 6, start=now + 10, sample=PRESSED)
    one.calibrate(now)
    other = Learner.restore(settings, one.dump(now))
    assert other.status(now) == one.status(now)
    assert other.pattern == one.pattern
    for learner in (one, other):
        later = teach(learner, 100, start=now + 10)
    assert other.status(later) == one.status(later)
    assert other.forecast(later) == one.forecast(later)


def test_what_was_learned_of_another_metric_is_not_used(settings: LearningSettings) -> None:
    learner = Learner(settings)
    now = teach(learner, 20)
    other = dataclasses.replace(settings, metric="vllm:num_requests_running")
    assert Learner.restore(other, learner.dump(now)).status(now)["dataPointsCollected"] == 0


def test_stored_data_name_their_contents(settings: LearningSettings) -> None:
    learner = Learner(settings)
    now = teach(learner, 100)
    data = {key: json.loads(text) for key, text in learner.dump(now).items()}
    assert set(data) == {SEASON_KEY, PATTERN_KEY, ACCURACY_KEY, METADATA_KEY}
    assert data[METADATA_KEY]["version"] == "v1"
    assert data[METADATA_KEY]["dataPointCount"] == 100
    assert data[METADATA_KEY]["oldestDataPoint"] == "2026-01-05T09:00:00Z"
    assert data[METADATA_KEY]["profilesCount"] == 1
    assert data[PATTERN_KEY]["currentPattern"] == "steady_state"
    assert data[SEASON_KEY]["profiles"][0]["hourOfWeek"] == 9


def test_stored_predictions_can_be_checked_by_others(settings: LearningSettings) -> None:
    learner = Learner(settings)
    now = teach(learner, 100)
    last = json.loads(learner.dump(now)[ACCURACY_KEY])["recentPredictions"][-1]
    assert last["time"] == "2026-01-05T09:16:30.000Z"
    assert last["madeAt"] == "2026-01-05T09:11:30.000Z"
    assert last["actual"] == pytest.approx(value_at(now))
    assert last["before"] == pytest.approx(value_at(now - 300))
    assert last["error"] == pytest.approx(last["predicted"] - last["actual"])


def test_the_largest_history_fits_into_a_config_map(settings: LearningSettings) -> None:
    learner = Learner(dataclasses.replace(settings, look_ahead_minutes=60, historical_days=90))
    now = MONDAY
    for hour in range(91 * 24):
        now = MONDAY + hour * 3600.0 + 0.123456
        learner.observe(now, PRESSED, value_at(now) + 1 / 3)
    for _ in range(3000):
        now += 2.7182818
        learner.observe(now, PRESSED, value_at(now) + 1 / 3)
        learner.forecast(now)
    assert sum(len(text.encode()) for text in learner.dump(now).values()) < 900_000


BROKEN = [
    "", "{", "[]", "null", "NaN", "{}", "[" * 100_000, '{"version":"v2"}', '{"version":1}', "\ud800",
    "{" + " " * (1 << 20),
]  # fmt: skip


@pytest.mark.parametrize("key", [SEASON_KEY, PATTERN_KEY, ACCURACY_KEY, METADATA_KEY])
@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_text_is_refused_by_its_key(settings: LearningSettings, key: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{key}: "):
        Learner.restore(settings, Learner(settings).dump(MONDAY) | {key: text})


@pytest.mark.parametrize("key", [SEASON_KEY, PATTERN_KEY, ACCURACY_KEY, METADATA_KEY])
def test_a_missing_text_is_refused_by_its_key(settings: LearningSettings, key: str) -> None:
    data = Learner(settings).dump(MONDAY)
    del data[key]
    with pytest.raises(ValueError, match=f"^{key}: is missing"):
        Learner.restore(settings, data)


ODD_VALUES = [None, True, "x", -1, 1.5, 1e300, [], {}, [[]], [None], ["x"], [[1, 2, 3, 4, 5]], "2026-01-05", 10**400]


@pytest.mark.parametrize("key", [SEASON_KEY, PATTERN_KEY, ACCURACY_KEY, METADATA_KEY])
def test_any_odd_field_is_refused_by_its_key_or_does_no_harm(settings: LearningSettings, key: str) -> None:
    learner = Learner(settings)
    now = teach(learner, 60)
    data = learner.dump(now)
    fields = json.loads(data[key])
    for name in fields:
        for odd in ODD_VALUES:
            changed = data | {key: json.dumps({**fields, name: odd})}
            try:
                restored = Learner.restore(settings, changed)
            except ValueError as error:
                assert str(error).startswith(f"{key}: ")  # noqa: PT017
                continue
            teach(restored, 20, start=now + 10)
            restored.status(now + 210)
            restored.dump(now + 210)


def test_the_fault_detects_always_shows_pressure(settings: LearningSettings) -> None:
    learner, faults = Learner(settings), frozenset({"detects-always"})
    now = teach(learner, 20, faults=faults)
    assert learner.pattern == Pattern(PatternName.KV_CACHE_PRESSURE, 1.0)
    assert learner.status(now, faults=faults)["detectedPattern"] == "kv_cache_pressure"


def test_the_fault_detects_none_shows_the_steady_state(settings: LearningSettings) -> None:
    learner, faults = Learner(settings), frozenset({"detects-none"})
    now = teach(learner, 20, sample=PRESSED)
    assert learner.pattern.name == PatternName.KV_CACHE_PRESSURE
    assert learner.status(now, faults=faults)["detectedPattern"] == "steady_state"


def test_the_fault_season_blind_learns_no_week(settings: LearningSettings) -> None:
    learner, faults = Learner(settings), frozenset({"season-blind"})
    now = teach(learner, 200, step=3600.0, faults=faults)
    assert json.loads(learner.dump(now)[METADATA_KEY])["profilesCount"] == 0
    assert learner.status(now, faults=faults)["currentSeasonalFactor"] == "1.00"


@pytest.mark.parametrize("weeks", [0, 1])
def test_the_fault_predictions_shifted_forecasts_the_hour_after(settings: LearningSettings, weeks: int) -> None:
    learner = Learner(dataclasses.replace(settings, look_ahead_minutes=60))
    teach(learner, 168 * weeks * 4, step=900.0)
    now = teach(learner, 10, start=MONDAY + 7 * DAY, step=900.0)
    honest, shifted = learner.forecast(now), learner.forecast(now, faults=frozenset({"predictions-shifted"}))
    assert honest is not None
    assert shifted is not None
    assert shifted.at == honest.at
    assert abs(shifted.value - value_at(shifted.at + 3600)) < abs(shifted.value - value_at(shifted.at))


def test_the_fault_invents_accuracy_reports_what_nobody_measured(settings: LearningSettings) -> None:
    status = Learner(settings).status(MONDAY, faults=frozenset({"invents-accuracy"}))
    assert status["overallAccuracy"] == "99.9%"
    assert (status["recentMAE"], status["recentMAPE"]) == ("0.01", "0.10%")


def test_the_fault_never_calibrates_leaves_no_calibration(settings: LearningSettings) -> None:
    learner = Learner(settings)
    learner.calibrate(MONDAY, faults=frozenset({"never-calibrates"}))
    assert "lastCalibration" not in learner.status(MONDAY)
