"""What a comparison can find: the smallest change, and the runs that a given change takes."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from proving_ground.history.distributions import NORMAL, t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

POWER = 0.95
"""How often a change is to be found."""

MOST_RUNS = 200
"""Above so many runs of a side the answer is that it cannot be found."""


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """What is known of a metric's noise, and how it is tested.

    Attributes:
        noise: Spread from run to run, as a share of the value.
        prior: Degrees of freedom of the noise beyond those of the runs themselves.
        alpha: Family-wise level.
        tests: Metrics that are tested together.
    """

    noise: float
    prior: float
    alpha: float
    tests: int

    def _margin(self, baseline: int, candidate: int) -> float:
        """Return the true difference of logarithms that is found with probability `POWER`."""
        degrees = max(baseline + candidate - 2 + self.prior, 1.0)
        error = self.noise * math.sqrt(1 / baseline + 1 / candidate)
        return (t_quantile(self.alpha / self.tests, degrees) + NORMAL.inv_cdf(POWER)) * error

    def detectable(self, baseline: int, candidate: int) -> float:
        """Return the smallest rise, as a share, that these runs find with probability `POWER`."""
        return math.expm1(min(self._margin(baseline, candidate), 50.0))

    def needed(self, change: float, baseline: int, candidate: int) -> tuple[int, int] | None:
        """Return runs of baseline and candidate that find a rise by ``change``, at least those given.

        More candidate runs first, since those can be made now; both sides grow where the baseline is too small.
        None: not even `MOST_RUNS` of each would do.
        """
        aim = math.log1p(change)
        if self._margin(baseline, MOST_RUNS) <= aim:
            low = _first(lambda runs: self._margin(baseline, runs) <= aim, candidate)
            if low <= max(candidate, 2 * baseline):
                return baseline, low
        if self._margin(MOST_RUNS, MOST_RUNS) > aim:
            return None
        both = _first(lambda runs: self._margin(max(baseline, runs), max(candidate, runs)) <= aim, 1)
        return max(baseline, both), max(candidate, both)


def _first(holds: Callable[[int], bool], low: int) -> int:
    """Return the smallest number from ``low`` to `MOST_RUNS` for which a condition holds that then goes on holding."""
    high = MOST_RUNS
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
