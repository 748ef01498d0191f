"""When requests of an open loop begin: decided before, and not by how fast answers come."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proving_ground.load.measured.plan import Plan


def arrival_times(plan: Plan, *, index: int = 0, count: int = 1) -> Iterator[float]:
    """Yield seconds from the begin of the load, in order.

    Several processes share the load: a Poisson process is the sum of such with parts of its rate, and of equal
    distances each takes every so many-th.

    Args:
        plan: With arrivals at equal distances or as a Poisson process.
        index: Which of the processes this is, from 0.
        count: How many there are.
    """
    source = random.Random(f"{plan.seed}/{index}")  # noqa: S311 - must be repeatable, guards nothing
    begin = 0.0
    for level in plan.levels:
        end = begin + level.seconds + (level.warm_up or 0.0)
        if plan.arrivals == "constant":
            number = index
            while (at := begin + number / level.value) < end:
                yield at
                number += count
        else:
            at = begin + source.expovariate(level.value / count)
            while at < end:
                yield at
                at += source.expovariate(level.value / count)
        begin = end
