"""How good forecasts were: each one is remembered until its moment, and compared with what came."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import fmean

RESOLVED = 100
"""Compared forecasts that are kept; every figure is a mean over them."""
OPEN = 1000
"""Forecasts that may wait for their moment; beyond, the oldest are dropped."""
ENOUGH = 10
"""Compared forecasts that a judgement needs."""
MAPE_LIMIT = 20.0
DIRECTION_LIMIT = 0.85
DEAD_BAND = 0.05
"""Share of the value that a forecast was made at, within which a change is no change."""
UNJUDGED_CONFIDENCE = 0.5
LATE_STEPS = 3
"""A forecast is dropped when the first observation after its moment is later than so many usual steps ..."""
LATE_SECONDS = 60.0
"""... and later than this."""
_MOST_PERCENT = 1e6
"""Bound of one forecast's error: what comes close to zero must not make the mean infinite."""


@dataclass(frozen=True, slots=True)
class Open:
    """A forecast whose moment has not come.

    Attributes:
        made_at: When it was made.
        at: The moment it is for.
        predicted: The value expected then.
        before: The value when it was made.
    """

    made_at: float
    at: float
    predicted: float
    before: float


@dataclass(frozen=True, slots=True)
class Resolved:
    """A forecast and the value that came."""

    made_at: float
    at: float
    predicted: float
    before: float
    actual: float

    @property
    def error(self) -> float:
        """Predicted less actual."""
        return self.predicted - self.actual

    @property
    def percent(self) -> float | None:
        """The error's size in percent of the actual value; None where that is 0."""
        if self.actual == 0:
            return None
        return min(abs(self.error) / abs(self.actual) * 100, _MOST_PERCENT)

    @property
    def direction_right(self) -> bool:
        """Whether the value went where it was expected to go: up, down, or nowhere."""
        band = DEAD_BAND * abs(self.before)
        return _direction(self.predicted - self.before, band) == _direction(self.actual - self.before, band)


@dataclass(frozen=True, slots=True)
class Figures:
    """Accuracy over the forecasts that are kept; None where nothing was compared.

    Attributes:
        mae: Mean absolute error, in the metric's unit.
        mape: Mean absolute error in percent of the actual values.
        direction: Share of right directions, 0 to 1.
    """

    mae: float | None
    mape: float | None
    direction: float | None

    @property
    def overall(self) -> float | None:
        """100 less the MAPE, at least 0."""
        return None if self.mape is None else max(0.0, 100.0 - self.mape)


@dataclass(slots=True)
class Accuracy:
    """Forecasts that wait, and those that were compared.

    Attributes:
        open: Forecasts that wait, in the order they were made.
        resolved: The newest that were compared, oldest first.
        total: Forecasts compared in all.
        calibrated: When it was last judged whether forecasts are good enough.
        calibration_needed: What was found then.
    """

    open: deque[Open] = field(default_factory=lambda: deque(maxlen=OPEN))
    resolved: deque[Resolved] = field(default_factory=lambda: deque(maxlen=RESOLVED))
    total: int = 0
    calibrated: float | None = None
    calibration_needed: bool = False

    def remember(self, forecast: Open) -> None:
        """Keep a forecast until its moment; one made at the same time takes the place of the other."""
        if self.open and self.open[-1].made_at == forecast.made_at:
            self.open.pop()
        self.open.append(forecast)

    def observe(self, now: float, value: float, before: tuple[float, float] | None, step: float) -> None:
        """Compare every forecast whose moment has come.

        The value at that moment is interpolated between the observations on both sides of it.

        Args:
            now: The moment of the observation.
            value: What was observed.
            before: Moment and value of the observation before it; None where the clock jumped between them.
            step: Usual seconds between observations.
        """
        limit = max(LATE_SECONDS, LATE_STEPS * step)
        waiting = [forecast for forecast in self.open if forecast.at > now]
        if len(waiting) == len(self.open):
            return
        for forecast in self.open:
            if forecast.at > now or now - forecast.at > limit:
                continue
            actual = value
            if before is not None and before[0] <= forecast.at < now:
                actual = before[1] + (value - before[1]) * (forecast.at - before[0]) / (now - before[0])
            self.resolved.append(Resolved(forecast.made_at, forecast.at, forecast.predicted, forecast.before, actual))
            self.total += 1
        self.open = deque(waiting, maxlen=OPEN)

    def forget_open(self) -> None:
        """Drop what waits: the clock went back, and its moments are no longer those that were meant."""
        self.open.clear()

    def figures(self) -> Figures:
        """Return the accuracy over the forecasts that are kept."""
        percents = [percent for forecast in self.resolved if (percent := forecast.percent) is not None]
        return Figures(
            mae=fmean(abs(forecast.error) for forecast in self.resolved) if self.resolved else None,
            mape=fmean(percents) if percents else None,
            direction=fmean(forecast.direction_right for forecast in self.resolved) if self.resolved else None,
        )

    def confidence(self) -> float:
        """Return how far the next forecast can be trusted, 0 to 1."""
        mape = self.figures().mape
        if len(self.resolved) < ENOUGH or mape is None:
            return UNJUDGED_CONFIDENCE
        return max(0.0, min(1.0, 1.0 - mape / 100))

    def calibrate(self, now: float) -> None:
        """Judge whether forecasts are good enough."""
        figures = self.figures()
        good = (figures.mape or 0.0) <= MAPE_LIMIT and (figures.direction or 0.0) >= DIRECTION_LIMIT
        self.calibrated = now
        self.calibration_needed = len(self.resolved) >= ENOUGH and not good


def _direction(change: float, band: float) -> int:
    if abs(change) <= band:
        return 0
    return 1 if change > 0 else -1
