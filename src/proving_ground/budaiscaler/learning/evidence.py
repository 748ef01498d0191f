"""What speaks for a pattern in the newest points: each rule by itself, with its threshold.

A rule returns how clear its pattern is, 0.5 where a threshold is just met to 1.0, or None where it is not met.
"""

from __future__ import annotations

import itertools
import math
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from proving_ground.budaiscaler.learning.levels import FEW_REQUESTS, LEAST_POINTS, ONSET_POINTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from proving_ground.budaiscaler.learning.samples import Sample

WINDOW = 12
"""Points that a rule looks at, at most."""

PRESSURE_CACHE = 0.80
PRESSURE_WAITING = 5.0

BATCH_RATIO = 2.0
"""A batch at least doubles the running requests ..."""
BATCH_BEFORE = 1.5
"""... from less than this, two or three points before: it comes at once, it does not grow."""
BATCH_OVER = 1.3
BATCH_THROUGHPUT = 0.9
"""Throughput does not fall when a batch comes ..."""
BATCH_EFFICIENCY = 0.5
"""... but does not keep pace either; where it does, there is only more traffic."""
RAISED = 1.1

RUNS = 0.6
WAITS = 0.75
RUNS_OR_WAITS = 0.66
"""Waiting requests for each running one: fewer than the first are a batch, more than the second are pressure
at once; between them, more points are waited for, and then the third decides."""
_DECIDED = 8

SPIKE_RATIO = 1.6
SPIKE_OVER = 1.25
DRAIN_RATIO = 0.5
DRAIN_OVER = 0.75
CHANGE = 2.0
"""Requests by which a trend must change the level, besides the ratio."""
LEAST_LEVEL = 0.5
"""Nothing is a multiple of what is next to no requests."""
SURE = 3.0
"""Standard errors by which a trend must be past its threshold: noise is no trend."""

COLD_CACHE = 0.2
COLD_RUNNING = 10.0


def level(recent: Iterable[Sample]) -> float | None:
    """Return the mean of the newest running requests."""
    return _mean([sample.running for sample in _newest(recent, ONSET_POINTS)])


def pressure(recent: Iterable[Sample], points: int = ONSET_POINTS) -> float | None:
    """The cache is full and requests queue, at each of the newest points."""
    newest = _newest(recent, points)
    caches, waiting = _known([s.cache for s in newest]), _known([s.waiting for s in newest])
    if caches is None or waiting is None or len(newest) < points:
        return None
    if min(caches) <= PRESSURE_CACHE or min(waiting) <= PRESSURE_WAITING:
        return None
    full = (fmean(caches) - PRESSURE_CACHE) / (1 - PRESSURE_CACHE)
    queue = (fmean(waiting) - PRESSURE_WAITING) / (2 * PRESSURE_WAITING)
    return _clearness((min(1.0, full) + min(1.0, queue)) / 2)


def still_pressed(recent: Iterable[Sample]) -> bool:
    """Say whether cache and queue are over their thresholds in the mean; so pressure holds on."""
    newest = _newest(recent, ONSET_POINTS)
    cache, waiting = _mean([s.cache for s in newest]), _mean([s.waiting for s in newest])
    return cache is not None and waiting is not None and cache > PRESSURE_CACHE and waiting > PRESSURE_WAITING


def batch(
    recent: Iterable[Sample], usual: float | None, throughput: float | None, *, keeps_pace: bool = False
) -> float | None:
    """Running requests are a multiple of the usual at each of the newest points, for less throughput each.

    Args:
        recent: The newest points.
        usual: Running requests that are usual.
        throughput: Throughput that is usual, None where it is not known.
        keeps_pace: Whether throughput may also grow as the requests do.
    """
    newest = _newest(recent, ONSET_POINTS)
    running = _known([s.running for s in newest])
    if usual is None or usual < LEAST_LEVEL or running is None or len(newest) < ONSET_POINTS:
        return None
    if min(running) < max(BATCH_RATIO * usual, usual + FEW_REQUESTS):
        return None
    ratio = fmean(running) / usual
    gain = _gain(newest, throughput)
    if gain is not None and (gain < BATCH_THROUGHPUT or (gain > BATCH_EFFICIENCY * ratio and not keeps_pace)):
        return None
    return _clearness(ratio / BATCH_RATIO - 1)


def sudden_batch(
    recent: Iterable[Sample], usual: float | None, throughput: float | None, *, keeps_pace: bool = False
) -> float | None:
    """A batch, as ``batch`` finds it, that has just come."""
    found = batch(recent, usual, throughput, keeps_pace=keeps_pace)
    if found is None or usual is None:
        return None
    before = list(recent)[:-ONSET_POINTS]
    running = [sample.running for sample in before if sample.running is not None]
    came = list(itertools.takewhile(lambda value: value >= BATCH_RATIO * usual, reversed(running)))
    older = running[: len(running) - len(came)][-2:]
    return found if older and min(older) < max(BATCH_BEFORE * usual, usual + FEW_REQUESTS) else None


def jumping(recent: Iterable[Sample], usual: float | None) -> bool:
    """Say whether running requests are jumping at this moment, so that it is too early to tell how."""
    newest = _newest(recent, ONSET_POINTS)
    if usual is None or usual < LEAST_LEVEL:
        return False
    high = [sample.running is not None and sample.running >= BATCH_RATIO * usual for sample in newest]
    return high[-1] and not all(high)


def throughput_raised(recent: Iterable[Sample], throughput: float | None) -> bool:
    """Say whether throughput is known to be higher than usual."""
    gain = _gain(_newest(recent, ONSET_POINTS), throughput)
    return gain is not None and gain >= RAISED


def runs_rather_than_waits(recent: Iterable[Sample], *, clearly: bool = False) -> bool | None:
    """Say whether new requests run (a batch) rather than wait (pressure); None while it can't be told.

    Of the newest points only those count at which the cache is under pressure, up to the first that is not.

    Args:
        recent: The newest points.
        clearly: Whether what is between the two stays untold, however many points there are.
    """
    newest = list(
        itertools.takewhile(lambda s: (s.cache or 0) > PRESSURE_CACHE and (s.waiting or 0) > PRESSURE_WAITING,
                            reversed(list(recent)))
    )  # fmt: skip
    running = sum(sample.running or 0 for sample in newest)
    waiting = sum(sample.waiting or 0 for sample in newest)
    if not running:
        return False if newest else None
    share = waiting / running
    if len(newest) >= _DECIDED and not clearly:
        return share <= RUNS_OR_WAITS
    if share <= RUNS:
        return True
    return False if share >= WAITS else None


def rise(value: float, usual: float, threshold: float) -> float:
    """Return how clear a rise to this multiple of the usual is."""
    return _clearness(value / max(usual, LEAST_LEVEL) / threshold - 1)


def fall(value: float, usual: float) -> float:
    """Return how clear a fall from the usual is."""
    return _clearness(1 - value / max(usual, LEAST_LEVEL) / DRAIN_RATIO)


def spiked(recent: Iterable[Sample], usual: float | None) -> float | None:
    """Running requests rose by clearly more than half."""
    found = _mean_and_error(recent)
    if found is None or usual is None or usual < LEAST_LEVEL:
        return None
    mean, error = found
    if mean - SURE * error < SPIKE_RATIO * usual or mean - usual <= CHANGE:
        return None
    return rise(mean, usual, SPIKE_RATIO)


def drained(recent: Iterable[Sample], usual: float | None) -> float | None:
    """Running requests fell by half or more."""
    found = _mean_and_error(recent)
    if found is None or usual is None:
        return None
    mean, error = found
    if mean + SURE * error > DRAIN_RATIO * usual or usual - mean <= CHANGE:
        return None
    return fall(mean, usual)


def cold_start(recent: Iterable[Sample], idle: int) -> float | None:
    """A few requests run, and the cache is all but empty, at both of the newest points.

    Args:
        recent: The newest points.
        idle: Points without requests before them.
    """
    newest = _newest(recent, 2)
    caches, running = _known([s.cache for s in newest]), _known([s.running for s in newest])
    if caches is None or running is None or len(newest) < 2 or any(sample.idle for sample in newest):  # noqa: PLR2004
        return None
    if max(caches) > COLD_CACHE or max(running) > COLD_RUNNING:
        return None
    return _clearness((idle - LEAST_POINTS) / WINDOW)


def _newest(recent: Iterable[Sample], points: int) -> list[Sample]:
    return list(recent)[-points:]


def _known(values: Sequence[float | None]) -> list[float] | None:
    """Return the values if every one is known."""
    known = [value for value in values if value is not None]
    return known if known and len(known) == len(values) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _gain(newest: Sequence[Sample], throughput: float | None) -> float | None:
    """Return throughput as a multiple of the usual; None where either is not known."""
    now = _mean([sample.throughput for sample in newest])
    if now is None or throughput is None or throughput <= 0:
        return None
    return now / throughput


def _mean_and_error(recent: Iterable[Sample]) -> tuple[float, float] | None:
    newest = _newest(recent, WINDOW)
    running = _known([sample.running for sample in newest])
    if running is None or len(running) < WINDOW:
        return None
    return fmean(running), pstdev(running) / math.sqrt(len(running))


def _clearness(share: float) -> float:
    return 0.5 + 0.5 * max(0.0, min(1.0, share))
