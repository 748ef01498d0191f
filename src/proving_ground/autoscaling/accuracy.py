"""How good predictions were, measured by what the mocks really told, not by what the autoscaler says of itself."""

from __future__ import annotations

import datetime as dt
import json
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from proving_ground.autoscaling.cadence import Clock
from proving_ground.autoscaling.curves import Curve, mean_at
from proving_ground.contracts.base import Contract
from proving_ground.pipeline.project import load_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from proving_ground.autoscaling.mock_access import Sample

TRACKER = "accuracy_tracker.json"
"""Key of the ConfigMap that holds the predictions."""
DEAD_BAND = 0.05
"""Part of the value before within which a change counts as none, as in the autoscaler's own definition."""
CACHE = "gpu_cache"


class Thresholds(Contract):
    """What predictions have to keep to: thresholds.yml of the suites.

    The defaults are those by which the upstream controller asks for calibration.
    """

    mape_percent_max: float = Field(default=20.0, gt=0, description="Mean absolute percentage error.")
    direction_accuracy_min: float = Field(default=0.85, ge=0, le=1, description="Part of directions that were right.")
    predictions_min: int = Field(default=5, ge=1, description="Predictions that a measurement needs at least.")


def read_thresholds(path: Path) -> Thresholds:
    """Return the thresholds of a file.

    Raises:
        ConfigurationError: It is absent, not YAML, or has other fields.
    """
    return load_yaml(path, Thresholds)


class UnusablePredictionsError(AssertionError):
    """What the autoscaler keeps of its predictions is not what its format promises."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One prediction as the autoscaler keeps it; times in simulated unix seconds.

    Attributes:
        at: The time that it is for.
        made: When it was made.
        value: What it predicts.
    """

    at: float
    made: float
    value: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A prediction beside what really happened.

    Attributes:
        at: The time, in simulated unix seconds.
        predicted: What was predicted for it.
        actual: What the mock told then.
        before: What the mock told when the prediction was made.
    """

    at: float
    predicted: float
    actual: float
    before: float

    @property
    def error(self) -> float:
        """How far the prediction was off."""
        return self.predicted - self.actual

    @property
    def direction_is_right(self) -> bool:
        """Whether up, down or neither was foretold as it came."""
        return direction(self.before, self.predicted) == direction(self.before, self.actual)


def direction(before: float, after: float) -> int:
    """Return 1 for up, -1 for down, 0 where a value changed by no more than the dead band."""
    change = after - before
    if abs(change) <= DEAD_BAND * abs(before):
        return 0
    return 1 if change > 0 else -1


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measurement came to.

    Attributes:
        pairs: The predictions that could be compared, by their time.
        unmatched: How many could not: the mock was not scraped around their time.
    """

    pairs: tuple[Pair, ...]
    unmatched: int = 0

    @property
    def mae(self) -> float:
        """Mean absolute error, in the metric's unit; NaN without a pair."""
        return statistics.fmean(abs(pair.error) for pair in self.pairs) if self.pairs else math.nan

    @property
    def mape(self) -> float:
        """Mean absolute percentage error, over the pairs whose actual value is not 0; NaN without one."""
        parts = [abs(pair.error / pair.actual) for pair in self.pairs if pair.actual]
        return 100 * statistics.fmean(parts) if parts else math.nan

    @property
    def direction(self) -> float:
        """Part of the pairs whose direction was right, 0 to 1; NaN without a pair."""
        return statistics.fmean(float(pair.direction_is_right) for pair in self.pairs) if self.pairs else math.nan

    def metrics(self) -> dict[str, float]:
        """Return the numbers by name, for the report; those that could not be measured are left out."""
        values = {
            "mae": self.mae,
            "mape_percent": self.mape,
            "direction_accuracy": self.direction,
            "predictions": float(len(self.pairs)),
        }
        return {name: value for name, value in values.items() if math.isfinite(value)}

    def series(self) -> dict[str, list[tuple[float, float]]]:
        """Return the curves for a plot: simulated seconds since the first prediction's time, and the value."""
        begin = self.pairs[0].at if self.pairs else 0.0
        return {
            "predicted": [(pair.at - begin, pair.predicted) for pair in self.pairs],
            "actual": [(pair.at - begin, pair.actual) for pair in self.pairs],
        }

    def problems(self, thresholds: Thresholds) -> list[str]:
        """Return what does not keep to the thresholds, in sentences."""
        if len(self.pairs) < thresholds.predictions_min:
            compared = f"only {len(self.pairs)} predictions could be compared with what the mock told"
            return [f"{compared} ({self.unmatched} could not), expected at least {thresholds.predictions_min}"]
        found = []
        if not self.mape <= thresholds.mape_percent_max:
            found.append(f"MAPE is {self.mape:.2f} %, expected at most {thresholds.mape_percent_max:g} %")
        if not self.direction >= thresholds.direction_accuracy_min:
            found.append(f"direction accuracy is {self.direction:.2f}, expected {thresholds.direction_accuracy_min:g}")
        return found

    def within(self, thresholds: Thresholds) -> None:
        """Check that the thresholds are kept.

        Raises:
            AssertionError: They are not, or there is too little to tell; with the worst predictions.
        """
        if problems := self.problems(thresholds):
            raise AssertionError("; ".join(problems) + self._worst())

    def agrees_with(self, status: Mapping[str, Any], *, percent: float = 5.0, absolute: float = 3.0) -> None:
        """Check that the accuracy that a scaler reports is the measured one.

        Args:
            status: Status of the scaler.
            percent: Percentage points that MAPE and direction accuracy may differ.
            absolute: How much the MAE may differ, in the metric's unit.

        Raises:
            AssertionError: They differ, or nothing is reported or measured.
        """
        learning = status.get("learningStatus") or {}
        told = {name: reported(learning, name) for name in ("recentMAE", "recentMAPE", "directionAccuracy")}
        measured = {
            "recentMAE": (self.mae, absolute),
            "recentMAPE": (self.mape, percent),
            "directionAccuracy": (100 * self.direction, percent),
        }
        wrong = [
            f"{name} is reported as {told[name]:g}, measured {value:.2f}"
            for name, (value, allowed) in measured.items()
            if not abs(told[name] - value) <= allowed
        ]
        if wrong:
            raise AssertionError("; ".join(wrong) + self._worst())

    def _worst(self) -> str:
        worst = sorted(self.pairs, key=lambda pair: -abs(pair.error))[:5]
        lines = [f"\n  {shown(p.at)}: predicted {p.predicted:.1f}, actual {p.actual:.1f}" for p in worst]
        return f"\nworst of {len(self.pairs)} predictions:{''.join(lines)}" if lines else ""


def measure(
    tracker: str,
    history: Mapping[str, Sequence[Sample]],
    clock: Clock | Sequence[Clock],
    *,
    metric: str = CACHE,
    gap: float | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Measured:
    """Compare predictions with what the mocks told.

    Args:
        tracker: ``accuracy_tracker.json`` of the scaler's ConfigMap.
        history: What each pod told at each scrape (:meth:`~proving_ground.autoscaling.mocks.MockControl.history`).
        clock: The scaler's clock: the mocks' times are real, those of predictions its own. Several where it was set
            anew: each holds from its own real time on, and what was told before the first one is left out.
        metric: Name of the value in the history.
        gap: Simulated seconds between two scrapes over which the mock's value is not interpolated any more; eight
            times their usual distance if absent.
        since: Only predictions for this simulated time and later.
        until: Only predictions for this simulated time and earlier.

    Raises:
        UnusablePredictionsError: The tracker is not what its format promises.
    """
    clocks = [clock] if isinstance(clock, Clock) else sorted(clock, key=lambda c: c.unix)
    curves = [curve for samples in history.values() if (curve := Curve.of(samples, clocks, metric, gap)) is not None]
    pairs, unmatched = [], 0
    for prediction in sorted(predictions(tracker), key=lambda p: p.at):
        if (since is not None and prediction.at < since) or (until is not None and prediction.at > until):
            continue
        actual, before = (mean_at(curves, time) for time in (prediction.at, prediction.made))
        if actual is None or before is None:
            unmatched += 1
        else:
            pairs.append(Pair(prediction.at, prediction.value, actual, before))
    return Measured(tuple(pairs), unmatched)


def predictions(tracker: str) -> list[Prediction]:
    """Return the resolved predictions that an autoscaler keeps.

    Raises:
        UnusablePredictionsError: It is not JSON, or an entry lacks a time or a finite number.
    """
    try:
        found = [
            Prediction(seconds(entry["time"]), seconds(entry["madeAt"]), float(entry["predicted"]))
            for entry in json.loads(tracker)["recentPredictions"]
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        said = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UnusablePredictionsError(f"{TRACKER}: {said}; found {tracker[:200]!r}") from error
    if not all(math.isfinite(prediction.value) for prediction in found):
        raise UnusablePredictionsError(f"{TRACKER}: a predicted value is not finite")
    return found


def reported(learning: Mapping[str, Any], name: str) -> float:
    """Return a number of ``status.learningStatus``, which are texts such as ``12.50%``.

    Raises:
        AssertionError: It is absent, or no number.
    """
    text = learning.get(name)
    try:
        number = float(str(text).strip().removesuffix("%"))
    except ValueError:
        number = math.nan
    if text is None or not math.isfinite(number):
        raise AssertionError(f"learningStatus.{name} is {text!r}, expected a number")
    return number


def seconds(text: object) -> float:
    """Return the unix seconds of an RFC 3339 time.

    Raises:
        ValueError: It is none, or has no time zone.
    """
    moment = dt.datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"time {str(text)[:40]!r} has no zone")
    return moment.timestamp()


def shown(time: float) -> str:
    """Return a time for people."""
    return dt.datetime.fromtimestamp(time, dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
