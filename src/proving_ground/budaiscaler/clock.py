"""Simulated time: the seconds by which a scaler's windows, hints and forecasts go."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass

CLOCK_ANNOTATION = "sim.proving.ground/clock"
"""A scaler's own clock: ``<RFC3339 time>@<unix seconds>*<speed>``."""

FASTEST = 1e6
"""Simulated seconds in a second; faster clocks leave no reconcile inside an hour of theirs."""

_CLOCK = re.compile(r"(?P<time>[^@\s]+)@(?P<unix>[0-9]{1,11}(?:\.[0-9]{1,9})?)\*(?P<speed>[0-9]{1,7}(?:\.[0-9]{1,9})?)")
_LATEST = 253402300799.0  # 9999-12-31T23:59:59Z, the last second that RFC 3339 can write


@dataclass(frozen=True, slots=True)
class Clock:
    """Simulated time as a function of real time, so that a restart changes nothing.

    Attributes:
        unix: A moment, in real seconds since 1970.
        then: The simulated time at that moment, in seconds since 1970.
        speed: Simulated seconds in a second.
    """

    unix: float = 0.0
    then: float = 0.0
    speed: float = 1.0

    def now(self, unix: float) -> float:
        """Return the simulated time at a real one; it stays within what a timestamp can say."""
        return min(max(self.then + (unix - self.unix) * self.speed, 0.0), _LATEST)


def process_clock(*, speed: float, epoch: float) -> Clock:
    """Return the clock of a whole controller: real time until `epoch`, ``speed`` times as fast since."""
    return Clock(unix=epoch, then=epoch, speed=speed)


def parse_clock(text: str) -> Clock:
    """Return the clock that an annotation tells.

    Raises:
        ValueError: It tells none; the message says what one looks like.
    """
    expected = "a clock such as 2026-01-05T09:00:00Z@1764356400.25*3600"
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected {expected}, found {text[:80]!r}")
    try:
        then = parse_time(match["time"])
    except ValueError as error:
        raise ValueError(f"expected {expected}: {error}") from None
    speed = float(match["speed"])
    if speed > FASTEST:
        raise ValueError(f"expected at most {FASTEST:.0f} simulated seconds in a second, found {match['speed']}")
    return Clock(unix=float(match["unix"]), then=then, speed=speed)


def parse_time(text: str) -> float:
    """Return the seconds since 1970 of an RFC 3339 time.

    Raises:
        ValueError: It is not one, or tells no time zone.
    """
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not an RFC 3339 time") from None
    if parsed.tzinfo is None:
        raise ValueError(f"{text[:40]!r} tells no time zone")
    return parsed.timestamp()


def format_time(seconds: float) -> str:
    """Return simulated seconds as Kubernetes writes times: RFC 3339, UTC, whole seconds."""
    if not math.isfinite(seconds):
        raise ValueError(f"{seconds} is no time")
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
