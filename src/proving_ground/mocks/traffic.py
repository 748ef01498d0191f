"""The traffic of the mock ``learning-metrics``: patterns, times of day and noise, as pure functions.

The patterns and the seasonal factor follow the mock server of BudAIScaler's end-to-end tests.
"""

from __future__ import annotations

import enum
import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKETS_PER_SECOND = 20
"""The noise is another one every 50 ms, and the same one within."""
_SIGNALS = 6
_BYTES = 4


class Pattern(enum.StrEnum):
    """A pattern of traffic that can be asked for."""

    NORMAL = "normal"
    KV_PRESSURE = "kv_pressure"
    BATCH_SPIKE = "batch_spike"
    TRAFFIC_DRAIN = "traffic_drain"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What an inference server under some traffic shows."""

    cache: float
    """Percent of the KV cache."""
    running: float
    """Whole requests."""
    waiting: float
    """Whole requests."""
    throughput: float
    """Generated tokens per second."""
    memory: float
    """Percent of the GPU's memory."""
    compute: float
    """Percent of the GPU's time."""

    @property
    def numbers(self) -> tuple[float, ...]:
        """The values, in the order of the fields."""
        return (self.cache, self.running, self.waiting, self.throughput, self.memory, self.compute)


@dataclass(frozen=True, slots=True)
class Noise:
    """One draw of noise for each signal.

    Args:
        draws: Six numbers from 0 to below 1, in the order of the fields of :class:`Traffic`.
        amplitude: 0 (none) to 1 (all), scales every deviation.
    """

    draws: tuple[float, ...]
    amplitude: float = 1.0

    def real(self, signal: int, low: float, high: float) -> float:
        """Return a deviation from ``low`` to ``high``."""
        return self.amplitude * (low + (high - low) * self.draws[signal])

    def whole(self, signal: int, low: int, high: int) -> float:
        """Return a deviation that is one of the whole numbers from ``low`` to ``high``, times the amplitude."""
        return self.amplitude * (low + math.floor((high - low + 1) * self.draws[signal]))


def bucket_of(now: float) -> int:
    """Return the number of the 50 ms in which ``now`` (unix seconds) lies."""
    return math.floor(now * BUCKETS_PER_SECOND)


def noise_at(seed: int, bucket: int, amplitude: float) -> Noise:
    """Return the noise of a bucket of time; servers with the same seed agree on it."""
    digest = hashlib.blake2b(f"{seed}:{bucket}".encode(), digest_size=_SIGNALS * _BYTES).digest()
    steps = range(0, len(digest), _BYTES)
    return Noise(tuple(int.from_bytes(digest[at : at + _BYTES]) / 2 ** (8 * _BYTES) for at in steps), amplitude)


def seasonal_factor(hour: int) -> float:
    """Return how busy an hour of the day (0 to 23) is; 1 is usual."""
    if 9 <= hour <= 11:  # noqa: PLR2004 -- hours of the morning's peak
        return 1.5
    if 14 <= hour <= 17:  # noqa: PLR2004 -- hours of the afternoon's peak
        return 1.8
    if hour >= 23 or hour <= 6:  # noqa: PLR2004 -- the night
        return 0.3
    return 1.0


def traffic(pattern: Pattern, hour: int, progress: float, noise: Noise) -> Traffic:
    """Return what a server shows.

    Args:
        pattern: The pattern of the traffic.
        hour: Hour of the day, which only ``normal`` follows.
        progress: Part of the pattern's duration that has passed; above 1 after its end.
        noise: The deviations.
    """
    return _FORMULAS[pattern](hour, progress, noise)


def _normal(hour: int, progress: float, noise: Noise) -> Traffic:
    del progress
    factor = seasonal_factor(hour)
    return _bounded(
        cache=40 + 20 * factor + noise.real(0, -5, 5),
        running=8 * factor + noise.whole(1, -2, 2),
        waiting=2 * factor + noise.whole(2, 0, 3),
        throughput=80 * factor + noise.real(3, -10, 10),
        memory=50 + 15 * factor + noise.real(4, -5, 5),
        compute=40 + 20 * factor + noise.real(5, -5, 5),
    )


def _kv_pressure(hour: int, progress: float, noise: Noise) -> Traffic:
    del hour, progress
    return _bounded(
        cache=85 + noise.real(0, 0, 10),
        running=20 + noise.whole(1, -3, 3),
        waiting=15 + noise.whole(2, -2, 5),
        throughput=60 + noise.real(3, -10, 10),
        memory=90 + noise.real(4, -5, 5),
        compute=85 + noise.real(5, -5, 5),
    )


def _batch_spike(hour: int, progress: float, noise: Noise) -> Traffic:
    del hour
    factor = 2.5 if progress < 0.5 else 1.5  # noqa: PLR2004 -- the first half is the spike
    return _bounded(
        cache=60 + 15 * factor + noise.real(0, -5, 5),
        running=15 * factor + noise.whole(1, -2, 3),
        waiting=8 * factor + noise.whole(2, -1, 3),
        throughput=70 * factor + noise.real(3, -10, 10),
        memory=60 + 15 * factor + noise.real(4, -5, 5),
        compute=50 + 20 * factor + noise.real(5, -5, 5),
    )


def _traffic_drain(hour: int, progress: float, noise: Noise) -> Traffic:
    del hour
    factor = max(0.2, 1 - progress)
    return _bounded(
        cache=50 * factor + noise.real(0, -5, 5),
        running=10 * factor + noise.whole(1, -1, 1),
        waiting=2 * factor + noise.whole(2, -1, 1),
        throughput=80 * factor + noise.real(3, -5, 5),
        memory=55 * factor + noise.real(4, -5, 5),
        compute=45 * factor + noise.real(5, -5, 5),
    )


_FORMULAS: dict[Pattern, Callable[[int, float, Noise], Traffic]] = {
    Pattern.NORMAL: _normal,
    Pattern.KV_PRESSURE: _kv_pressure,
    Pattern.BATCH_SPIKE: _batch_spike,
    Pattern.TRAFFIC_DRAIN: _traffic_drain,
}


def _bounded(
    *, cache: float, running: float, waiting: float, throughput: float, memory: float, compute: float
) -> Traffic:
    """Keep percentages within 0 to 100, counts whole, and nothing below zero."""
    return Traffic(
        _percent(cache),
        float(max(0, math.trunc(running))),
        float(max(0, math.trunc(waiting))),
        max(0.0, throughput),
        _percent(memory),
        _percent(compute),
    )


def _percent(value: float) -> float:
    return min(100.0, max(0.0, value))
