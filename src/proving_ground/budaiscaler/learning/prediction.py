"""What the metric will be: by the course of the week where it is known, else by its trend."""

from __future__ import annotations

import itertools
from collections import deque
from statistics import fmean, median
from typing import TYPE_CHECKING

from proving_ground.budaiscaler.learning.seasonal import HOUR, Season, hour_of_week

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

POINTS = 1000
LEAST_POINTS = 4
JUMP_SECONDS = 2 * HOUR
"""Observations further apart than this, or in the wrong order, are of a clock that was set."""
LEVEL_POINTS = 12
"""The newest points of an hour that tell how far it is from what is usual in it."""
ADJUSTMENT = (0.5, 2.0)
_STEPS = 9
_FIRST_STEP = 10.0

Point = tuple[float, float]
"""Moment and value."""


class Course:
    """The newest observations since the clock last jumped.

    Args:
        look_ahead: Seconds that forecasts look ahead, and that the trend looks back.
        points: Observations to begin with, oldest first.
    """

    def __init__(self, look_ahead: float, points: Iterable[Point] = ()) -> None:
        self.look_ahead = look_ahead
        self.points: deque[Point] = deque(points, maxlen=POINTS)

    def jumped(self, now: float) -> bool:
        """Say whether the clock was set between the newest observation and this moment."""
        return bool(self.points) and not 0 <= now - self.points[-1][0] <= JUMP_SECONDS

    def observe(self, now: float, value: float) -> None:
        """Add an observation; a second one at the same moment takes the place of the first."""
        if self.jumped(now):
            self.points.clear()
        if self.points and self.points[-1][0] == now:
            self.points.pop()
        self.points.append((now, value))
        while len(self.points) > LEVEL_POINTS and self.points[0][0] < now - self.look_ahead:
            self.points.popleft()

    @property
    def step(self) -> float:
        """Usual seconds between observations; those of the usual cadence while there is only one."""
        times = [at for at, _ in list(self.points)[-_STEPS - 1 :]]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        return median(gaps) if gaps else _FIRST_STEP

    def trend(self, at: float) -> float | None:
        """Extend the straight line through the newest points to a moment; None while there are too few.

        The line is that of least squares through the points of the last look-ahead, or through the last four
        where they are further apart than that.
        """
        if len(self.points) < LEAST_POINTS:
            return None
        since = self.points[-1][0] - self.look_ahead
        within = [point for point in self.points if point[0] >= since]
        return _line(within if len(within) >= LEAST_POINTS else list(self.points)[-LEAST_POINTS:])(at)

    def level(self, now: float) -> float | None:
        """Return the mean of the newest observations in this moment's hour; None where there are none."""
        hour = now // HOUR
        newest = list(self.points)[-LEVEL_POINTS:]
        values = [value for at, value in newest if at // HOUR == hour]
        return fmean(values) if values else None


def predict(course: Course, season: Season, now: float, at: float) -> float | None:
    """Return the value to expect at a moment; None while there is too little to tell.

    Where the moment is in an hour of the week that was observed before, and that is not the present one, its mean
    is taken, by as much higher or lower as the present hour is now against its own mean, within ADJUSTMENT.
    """
    usual = season.mean(at)
    if usual is None or hour_of_week(at) == hour_of_week(now):
        return course.trend(at)
    present, level = season.mean(now), course.level(now)
    if present is None or level is None or present <= 0:
        return usual
    lowest, highest = ADJUSTMENT
    return usual * max(lowest, min(highest, level / present))


def _line(points: Sequence[Point]) -> Callable[[float], float]:
    middle = fmean(at for at, _ in points)
    mean = fmean(value for _, value in points)
    spread = sum((at - middle) ** 2 for at, _ in points)
    slope = sum((at - middle) * (value - mean) for at, value in points) / spread if spread else 0.0
    return lambda at: mean + slope * (at - middle)
