"""The levels that load is compared with: what is usual for a target, learned while nothing special happens."""

from __future__ import annotations

from collections import deque
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BLOCK_POINTS = 12
BLOCKS = 15
"""Blocks that are kept; with BLOCK_POINTS they are a history of 180 points."""
USUAL_POINTS = 48
ONSET_POINTS = 4
"""The newest points may belong to a jump already, and are no part of what is usual."""
LEAST_POINTS = 6
FEW_REQUESTS = 3.0
"""A difference of so many requests is noise at any level."""
NEAR = 0.25
"""Share of a level within which points count as at that level."""


class Levels:
    """Running requests and throughput in the steady state.

    Args:
        points: Pairs of running requests and throughput (None where unknown), oldest first.
        blocks: Means of running requests over BLOCK_POINTS points each, oldest first.
        pending: Running requests of the block that is not full yet.
    """

    def __init__(
        self,
        points: Iterable[tuple[float, float | None]] = (),
        blocks: Iterable[float] = (),
        pending: Iterable[float] = (),
    ) -> None:
        self.points = deque(points, maxlen=USUAL_POINTS + ONSET_POINTS)
        self.blocks = deque(blocks, maxlen=BLOCKS)
        self.pending = list(pending)[-BLOCK_POINTS:]

    def learn(self, running: float, throughput: float | None) -> None:
        """Add a point of the steady state."""
        self.points.append((running, throughput))
        self.pending.append(running)
        if len(self.pending) >= BLOCK_POINTS:
            self.blocks.append(fmean(self.pending))
            self.pending.clear()

    def usual(self) -> tuple[float, float | None] | None:
        """Return usual running requests and throughput before the newest points; None while there are too few.

        The middle half of the points is averaged: a stray point does not count, and whole numbers do not
        make steps of it as they would of a median.
        """
        older = list(self.points)[: len(self.points) - ONSET_POINTS + 1]
        if len(older) < LEAST_POINTS:
            return None
        throughputs = [throughput for _, throughput in older if throughput is not None]
        known = len(throughputs) >= LEAST_POINTS
        return _middle([running for running, _ in older]), _middle(throughputs) if known else None

    def low(self) -> float | None:
        """Return what a rise is compared with: the lower quartile of the blocks."""
        return _quantile(self.blocks, 0.25)

    def high(self) -> float | None:
        """Return what a fall is compared with: the upper quartile of the blocks.

        A slow fall takes the newer blocks with it; the upper quartile remembers where it came from.
        """
        return _quantile(self.blocks, 0.75)

    def keep_near(self, level: float) -> None:
        """Forget what is not at this level: the way into a pattern is no part of what is usual."""
        room = max(NEAR * level, FEW_REQUESTS)
        points = [point for point in self.points if abs(point[0] - level) <= room]
        self.points = deque(points, maxlen=self.points.maxlen)
        self.blocks = deque((block for block in self.blocks if abs(block - level) <= room), maxlen=BLOCKS)
        self.pending = [running for running in self.pending if abs(running - level) <= room]


def _middle(values: Sequence[float]) -> float:
    quarter = len(values) // 4
    return fmean(sorted(values)[quarter : len(values) - quarter])


def _quantile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    place = share * (len(values) - 1)
    ordered = sorted(values)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
