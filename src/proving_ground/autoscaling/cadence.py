"""How fast the autoscaler goes: how long to wait for what it does, and the clocks that scalers can have."""

from __future__ import annotations

import datetime as dt
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.contracts.platform import Platform

SYSTEM = "budaiscaler"
CLOCK_ANNOTATION = "sim.proving.ground/clock"
CAPABILITY = "autoscaler_clock"
"""Of platforms where the annotation has an effect."""

RECONCILE = 10.0
"""Simulated seconds between two reconciles: the requeue interval of the upstream controller."""
PERSIST = 300.0
CALIBRATE = 300.0
"""Simulated seconds, as upstream's defaults."""

# A reconcile can be late where many scalers share a machine with everything else.
_LATE = 3.0
_SLACK = 10.0
_CLOCK = re.compile(r"^(?P<time>[^@*]+)@(?P<unix>[0-9]+(?:\.[0-9]+)?)(?:\*(?P<speed>[0-9]+(?:\.[0-9]+)?))?$")


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that showed a time at a moment and runs so many times faster than ours.

    Attributes:
        start: What it showed, in simulated unix seconds.
        unix: When that was, in real unix seconds.
        speed: Simulated seconds in a real one.
    """

    start: float
    unix: float
    speed: float = 1.0

    def simulated(self, unix: float) -> float:
        """Return what it shows at a moment, in simulated unix seconds."""
        return self.start + (unix - self.unix) * self.speed

    def real(self, simulated: float) -> float:
        """Return when it shows a time, in real unix seconds."""
        return self.unix + (simulated - self.start) / self.speed

    def seconds(self, simulated: float) -> float:
        """Return how many real seconds so many simulated ones take."""
        return simulated / self.speed

    @property
    def text(self) -> str:
        """The value of the annotation that gives a scaler this clock: ``TIME@UNIX*SPEED``."""
        shown = dt.datetime.fromtimestamp(self.start, dt.UTC).isoformat(timespec="milliseconds")
        return f"{shown.replace('+00:00', 'Z').replace('.000Z', 'Z')}@{self.unix:.3f}*{self.speed:g}"

    @classmethod
    def parse(cls, text: str) -> Clock:
        """Return the clock of an annotation's value.

        Raises:
            ValueError: It is not ``TIME@UNIX*SPEED`` with a time zone in the time and a speed above zero.
        """
        match = _CLOCK.match(text.strip())
        if match is None:
            raise ValueError(f"expected TIME@UNIX*SPEED, found {text[:80]!r}")
        try:
            shown = dt.datetime.fromisoformat(match["time"])
        except ValueError:
            raise ValueError(f"expected an RFC 3339 time, found {match['time'][:40]!r}") from None
        speed = float(match["speed"] or 1)
        if shown.tzinfo is None or not 0 < speed < math.inf:
            raise ValueError(f"expected a time with its zone and a speed above zero, found {text[:80]!r}")
        return cls(shown.timestamp(), float(match["unix"]), speed)


@dataclass(frozen=True, slots=True)
class Cadence:
    """What an autoscaler does how often, in real seconds.

    Attributes:
        reconcile: Between two looks at the metrics of a scaler.
        persist: Between two writes of what was learned.
        calibrate: Between two judgements of the predictions.
        clock: The clock of scalers that have none of their own.
    """

    reconcile: float
    persist: float
    calibrate: float
    clock: Clock

    @classmethod
    def of(cls, platform: Platform, system: str = SYSTEM) -> Cadence:
        """Return the cadence that a platform publishes; what it does not say is as upstream, at its clock's speed.

        Raises:
            InfrastructureError: The platform has no such system, or what it says is unusable.
        """
        found = platform.systems.get(system)
        if found is None:
            known = ", ".join(sorted(platform.systems)) or "none"
            raise InfrastructureError(f"the platform has no system {system!r}", hint=f"it has {known}")
        speed = _number(found.parameters, "clock_speed", 1.0)
        epoch = _number(found.parameters, "clock_epoch", 0.0)
        if speed <= 0:
            raise InfrastructureError(f"clock_speed of system {system} is {speed:g}, expected more than 0")
        values = {
            name: _number(found.cadences, name, default / speed)
            for name, default in (("reconcile", RECONCILE), ("persist", PERSIST), ("calibrate", CALIBRATE))
        }
        wrong = [name for name, value in values.items() if value <= 0]
        if wrong:
            raise InfrastructureError(f"cadence {wrong[0]} of system {system} is not above 0")
        return cls(**values, clock=Clock(epoch, epoch, speed))

    @property
    def speed(self) -> float:
        """Simulated seconds in a real one."""
        return self.clock.speed

    def seconds(self, simulated: float) -> float:
        """Return how many real seconds so many simulated ones take."""
        return self.clock.seconds(simulated)

    def reconciles(self, simulated: float) -> int:
        """Return how many reconciles fit into so many simulated seconds, at least one."""
        return max(1, math.ceil(self.seconds(simulated) / self.reconcile))

    def now(self) -> float:
        """Return what the autoscaler's clock shows, in simulated unix seconds."""
        return self.clock.simulated(time.time())

    def patience(self, reconciles: int = 1, *, simulated: float = 0.0) -> float:
        """Return for how many real seconds to wait at most until something that takes so long was seen.

        Args:
            reconciles: Reconciles that it takes.
            simulated: Simulated seconds that it takes besides, for example a stabilization window.
        """
        return self.seconds(simulated) * 1.5 + reconciles * self.reconcile * _LATE + _SLACK


def at(moment: dt.datetime, speed: float = 1.0, *, unix: float | None = None) -> Clock:
    """Return a clock that shows a moment now (or at another real time), and runs so fast.

    Args:
        moment: What it shows; a time without a zone is UTC.
        speed: Simulated seconds in a real one.
        unix: When it shows that, in real unix seconds; now if absent.
    """
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    # Kept to milliseconds, as the annotation's text is: both sides must count alike.
    return Clock(round(aware.timestamp(), 3), round(time.time() if unix is None else unix, 3), speed)


def _number(values: Mapping[str, object], name: str, default: float) -> float:
    value = values.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InfrastructureError(f"{name} is {value!r}, expected a number", where="platform.json")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InfrastructureError(f"{name} is {value!r}, expected a number", where="platform.json")
    return number
