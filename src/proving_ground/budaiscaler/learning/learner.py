"""The learner of one scaler: what it is told at each reconcile, and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler.faults import Fault
from proving_ground.budaiscaler.forecast import Forecast
from proving_ground.budaiscaler.learning import storage
from proving_ground.budaiscaler.learning.accuracy import Accuracy, Open
from proving_ground.budaiscaler.learning.collection import Collection
from proving_ground.budaiscaler.learning.moments import to_seconds
from proving_ground.budaiscaler.learning.patterns import Pattern, PatternDetector
from proving_ground.budaiscaler.learning.prediction import Course, predict
from proving_ground.budaiscaler.learning.samples import is_reading
from proving_ground.budaiscaler.learning.seasonal import HOUR, Season

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.budaiscaler.learning.samples import Sample

NO_FAULTS: frozenset[str] = frozenset()
_INVENTED = {
    "overallAccuracy": "99.9%",
    "directionAccuracy": "99.9%",
    "recentMAE": "0.01",
    "recentMAPE": "0.10%",
}


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """What a scaler's spec says about learning.

    Attributes:
        look_ahead_minutes: How far forecasts look ahead.
        historical_days: How long observations count.
        target: The value that the metric shall have.
        scale: What a usage metric reads when all is used: 1 or 100.
        metric: Name of the metric that is forecast.
    """

    look_ahead_minutes: int
    historical_days: int
    target: float
    scale: float
    metric: str

    @property
    def look_ahead(self) -> float:
        """How far forecasts look ahead, in seconds."""
        return self.look_ahead_minutes * 60.0

    @property
    def largest(self) -> float:
        """The largest value that the metric can have."""
        return self.scale if self.metric.endswith("usage_perc") else float("inf")


class Learner:
    """Learns from one observation per reconcile; all times are simulated seconds since 1970 (UTC).

    Args:
        settings: What the scaler's spec says.
    """

    def __init__(self, settings: LearningSettings) -> None:
        self._settings = settings
        self._memory = storage.Memory(
            detector=PatternDetector(),
            season=Season(),
            course=Course(settings.look_ahead),
            accuracy=Accuracy(),
            collection=Collection(settings.historical_days),
        )
        self._faults = NO_FAULTS

    @classmethod
    def restore(cls, settings: LearningSettings, data: Mapping[str, str]) -> Learner:
        """Return a learner that goes on where another one was when it wrote its data.

        What was learned of another metric, or on another scale, is of no use: the learner begins anew then.

        Args:
            settings: What the scaler's spec says now.
            data: What ``dump`` returned.

        Raises:
            ValueError: Data are missing or cannot be used; the message names the key.
        """
        learner = cls(settings)
        memory = storage.read(
            data,
            metric=settings.metric,
            scale=settings.scale,
            look_ahead=settings.look_ahead,
            historical_days=settings.historical_days,
        )
        if memory is not None:
            learner._memory = memory
        return learner

    @property
    def pattern(self) -> Pattern:
        """The pattern that the load shows now."""
        return self._memory.detector.shown(self._faults)

    def observe(self, now: float, sample: Sample, value: float, faults: frozenset[str] = NO_FAULTS) -> None:
        """Learn from one reconcile.

        Args:
            now: Its moment.
            sample: The load of the target.
            value: The scaler's metric; one that cannot be a reading (NaN, infinite, huge) is left out.
            faults: Faults of the scaler.
        """
        self._faults = faults
        if Fault.COLLECTS_NOTHING in faults:
            return
        memory = self._memory
        memory.detector.observe(sample.usable())
        if not is_reading(value):
            return
        before = memory.course.points[-1] if memory.course.points else None
        if memory.course.jumped(now):
            if before is not None and now < before[0]:
                memory.accuracy.forget_open()
            before = None
        memory.accuracy.observe(now, value, before, memory.course.step)
        memory.course.observe(now, value)
        memory.collection.observe(now)
        if memory.created is None:
            memory.created = now
        if Fault.SEASON_BLIND not in faults:
            memory.season.learn(now, value)

    def forecast(self, now: float, faults: frozenset[str] = NO_FAULTS) -> Forecast | None:
        """Return what the metric is expected to be one look-ahead from now, and remember it for comparison.

        Returns:
            The forecast; None while there is too little to tell.
        """
        memory = self._memory
        if not memory.course.points:
            return None
        at = now + self._settings.look_ahead
        meant = at + HOUR if Fault.PREDICTIONS_SHIFTED in faults else at
        value = predict(memory.course, memory.season, now, meant)
        if value is None or not is_reading(value):
            return None
        forecast = Forecast(
            value=max(0.0, min(value, self._settings.largest)), confidence=memory.accuracy.confidence(), at=at
        )
        before = memory.course.points[-1][1]
        memory.accuracy.remember(Open(made_at=now, at=at, predicted=forecast.value, before=before))
        return forecast

    def calibrate(self, now: float, faults: frozenset[str] = NO_FAULTS) -> None:
        """Judge whether forecasts are good enough."""
        if Fault.NEVER_CALIBRATES not in faults:
            self._memory.accuracy.calibrate(now)

    def status(self, now: float, faults: frozenset[str] = NO_FAULTS) -> dict[str, Any]:
        """Return ``status.learningStatus``, less what storing adds; what is not known yet is not in it."""
        memory = self._memory
        pattern = memory.detector.shown(faults)
        figures = memory.accuracy.figures()
        oldest = memory.collection.oldest
        fields: dict[str, Any] = {
            "calibrationNeeded": memory.accuracy.calibration_needed,
            "currentSeasonalFactor": f"{memory.season.factor(now):.2f}",
            "dataPointsCollected": memory.collection.count,
            "detectedPattern": pattern.name.value,
            "patternConfidence": f"{pattern.confidence:.2f}",
            "seasonalDataComplete": memory.season.complete,
        }
        if memory.accuracy.calibrated is not None:
            fields["lastCalibration"] = to_seconds(memory.accuracy.calibrated)
        if oldest is not None:
            fields["oldestDataPoint"] = to_seconds(oldest)
        if figures.mae is not None:
            fields["recentMAE"] = f"{figures.mae:.2f}"
        if figures.mape is not None:
            fields["recentMAPE"] = f"{figures.mape:.2f}%"
        if figures.overall is not None:
            fields["overallAccuracy"] = f"{figures.overall:.1f}%"
        if figures.direction is not None:
            fields["directionAccuracy"] = f"{figures.direction * 100:.1f}%"
        return fields | _INVENTED if Fault.INVENTS_ACCURACY in faults else fields

    def dump(self, now: float) -> dict[str, str]:
        """Return all that was learned as four JSON texts by key, less than 900 KB together."""
        return storage.write(
            self._memory,
            now=now,
            shown=self.pattern,
            settings={
                "metric": self._settings.metric,
                "target": self._settings.target,
                "scale": self._settings.scale,
                "lookAheadMinutes": self._settings.look_ahead_minutes,
                "historicalDataDays": self._settings.historical_days,
            },
        )
