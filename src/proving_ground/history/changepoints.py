"""Change points of a series: where its level changed, however long ago, and by how much.

Binary segmentation: the split of a segment at which ranks before and after differ most is a change point where random
orders of the same values hardly ever differ so much; then both halves are looked at again. Ranks, so that one night
far off is no change, and permutations, so that nothing is assumed of the noise but that its order means nothing.

Sources: the statistic is A. N. Pettitt's, A Non-Parametric Approach to the Change-Point Problem, Applied Statistics
28, 1979, weighted as a two-sample rank test at each place; splitting again by permutation test as D. S. Matteson and
N. A. James do, A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data, JASA 109, 2014.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PERMUTATIONS = 1999
LEAST = 3
"""Fewest values on each side of a change point: two nights of bad luck are none."""


@dataclasses.dataclass(frozen=True)
class ChangePoint:
    """A place where the level changed.

    Attributes:
        index: First value of the new level.
        before: Median from the change point before it to this one.
        after: Median from here to the next.
        p: Chance of such a split in a series without change.
    """

    index: int
    before: float
    after: float
    p: float

    @property
    def change(self) -> float:
        """The change as a share of the level before."""
        if not self.before:
            return math.copysign(math.inf, self.after) if self.after else 0.0
        return (self.after - self.before) / abs(self.before)


def change_points(
    values: Sequence[float], *, alpha: float = 0.001, minimal_effect: float = 0.05, seed: int = 0
) -> list[ChangePoint]:
    """Return the change points of a series in its order.

    Args:
        values: In the order of time.
        alpha: Chance that a split of a segment without change is taken for one.
        minimal_effect: Share of the level below which a change does not matter.
        seed: Of the permutations: the same values and seed give the same answer.
    """
    chance = random.Random(seed)  # noqa: S311 - statistics, no secret
    found: dict[int, float] = {}
    segments = [(0, len(values))]
    while segments:
        low, high = segments.pop()
        split = _split(values[low:high], alpha, chance)
        if split is not None:
            found[low + split[0]] = split[1]
            segments += [(low, low + split[0]), (low + split[0], high)]
    while True:
        points = _leveled(values, found)
        small = min(points, key=lambda point: abs(point.change), default=None)
        if small is None or abs(small.change) >= minimal_effect:
            return points
        del found[small.index]


def levels(values: Sequence[float], points: Sequence[ChangePoint]) -> list[tuple[int, int, float]]:
    """Return the levels between change points: first index, index after the last, median."""
    edges = [0, *(point.index for point in points), len(values)]
    return [(low, high, statistics.median(values[low:high])) for low, high in itertools.pairwise(edges) if low < high]


def _leveled(values: Sequence[float], found: dict[int, float]) -> list[ChangePoint]:
    edges = [0, *sorted(found), len(values)]
    medians = [statistics.median(values[a:b]) for a, b in itertools.pairwise(edges)] if len(values) else []
    return [ChangePoint(edges[i], medians[i - 1], medians[i], found[edges[i]]) for i in range(1, len(edges) - 1)]


def _split(values: Sequence[float], alpha: float, chance: random.Random) -> tuple[int, float] | None:
    """Return the best split of a segment and its p; None where it is not beyond chance."""
    if len(values) < 2 * LEAST:
        return None
    ranks = centred_ranks(values)
    weights = [0.0] + [1 / math.sqrt(k * (len(ranks) - k)) for k in range(1, len(ranks))]
    place, largest = _best(ranks, weights)
    allowed = int(alpha * (PERMUTATIONS + 1)) - 1
    exceeded = 0
    shuffled = list(ranks)
    for _ in range(PERMUTATIONS):
        chance.shuffle(shuffled)
        exceeded += _best(shuffled, weights)[1] >= largest
        if exceeded > allowed:
            return None
    return place, (1 + exceeded) / (PERMUTATIONS + 1)


def _best(ranks: Sequence[float], weights: Sequence[float]) -> tuple[int, float]:
    total, place, largest = 0.0, 0, -1.0
    last = len(ranks) - LEAST
    for index, rank in enumerate(ranks[:last], 1):
        total += rank
        if index >= LEAST:
            size = abs(total) * weights[index]
            if size > largest:
                place, largest = index, size
    return place, largest


def centred_ranks(values: Sequence[float]) -> list[float]:
    """Return the ranks of values, equal ones with their mean rank, less the mean of all."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            ranks[place] = (start + end) / 2 - (len(values) - 1) / 2
        start = end + 1
    return ranks
