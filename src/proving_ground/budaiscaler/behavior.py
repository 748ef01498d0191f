"""How scaling is held back: ``spec.behavior`` and the annotations that stand in for it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proving_ground.budaiscaler.fields import Fields

PREFIX = "scaler.bud.studio/"
"""What the annotations of a scaler begin with."""

DEFAULT_TOLERANCE = 0.1
DEFAULT_UP_WINDOW = 0.0
DEFAULT_DOWN_WINDOW = 300.0
"""Seconds."""
DEFAULT_PANIC_THRESHOLD = 2.0
"""Ratio of value to target; the annotation says percent."""
DEFAULT_STARTING_PERCENT = 50

_FRACTION = "a fraction from 0 to 1 such as 0.1, or a percentage such as 10%"
_UP_RATE = "a factor of at least 1 such as 2 or 200%"
_DOWN_RATE = "a factor from 0 to 1 such as 0.5 or 50%"
_SECONDS = "seconds from 0 to 3600"
_HIGHEST_RATE = 1e6
_LONGEST_WINDOW = 3600
_LONGEST_PERIOD = 1800


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How much may change within a period, as in autoscaling/v2."""

    type: str
    """``Pods`` or ``Percent``."""
    value: int
    period: float
    """Seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Behavior:
    """How scaling in one direction is held back."""

    window: float
    """Seconds after a change in which nothing changes in this direction."""
    tolerance: float = DEFAULT_TOLERANCE
    """By how much, as a fraction, the ratio of value to target may be off before anything happens."""
    rate: float | None = None
    """Factor that one decision may reach: at least 1 up, at most 1 down."""
    select: str = "Max"
    """``Max``, ``Min`` or ``Disabled``."""
    policies: tuple[Policy, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class StartingPods:
    """When pods that are starting hold back more of them; zero is no limit."""

    percent: int = DEFAULT_STARTING_PERCENT
    """Of the replicas."""
    count: int = 0
    bypass_on_panic: bool = False
    weight: float | None = None
    """What a pod that is not ready counts when scaling up; None counts every replica fully."""


def read_up(fields: Fields, annotations: Fields) -> Behavior:
    """Read ``spec.behavior.scaleUp``; the annotations count where it is silent.

    Raises:
        SpecError: A field or an annotation cannot be followed.
    """
    return _behavior(fields, annotations, "up", DEFAULT_UP_WINDOW, (1.0, _HIGHEST_RATE, _UP_RATE))


def read_down(fields: Fields, annotations: Fields) -> Behavior:
    """Read ``spec.behavior.scaleDown``; the annotations count where it is silent.

    Raises:
        SpecError: A field or an annotation cannot be followed.
    """
    return _behavior(fields, annotations, "down", DEFAULT_DOWN_WINDOW, (0.0, 1.0, _DOWN_RATE))


def read_starting(fields: Fields) -> StartingPods:
    """Read ``spec.behavior.scaleUp.startingPods``.

    Raises:
        SpecError: A field cannot be followed.
    """
    weighted = "startingPodWeight" in fields
    return StartingPods(
        percent=fields.whole("maxStartingPodPercent", DEFAULT_STARTING_PERCENT, 0, 100),
        count=fields.whole("maxStartingPods", 0, 0),
        bypass_on_panic=fields.flag("bypassGateOnPanic", default=False),
        weight=fields.number("startingPodWeight", 0.0, 0, 1, _FRACTION) if weighted else None,
    )


def read_panic_threshold(annotations: Fields) -> float:
    """Return the ratio of value to target at which KPA panics.

    Raises:
        SpecError: The annotation cannot be followed.
    """
    name = PREFIX + "panic-threshold"
    default = DEFAULT_PANIC_THRESHOLD * 100
    return annotations.number(name, default, 100, 100_000, "percent from 100 to 100000 such as 200") / 100


def _behavior(
    fields: Fields, annotations: Fields, direction: str, window: float, rate: tuple[float, float, str]
) -> Behavior:
    tolerance_note, rate_note = f"{PREFIX}scale-{direction}-tolerance", f"{PREFIX}max-scale-{direction}-rate"
    cooldown = annotations.number(f"{PREFIX}scale-{direction}-cooldown", window, 0, _LONGEST_WINDOW, _SECONDS)
    tolerance = annotations.number(tolerance_note, DEFAULT_TOLERANCE, 0, 1, _FRACTION)
    limit = annotations.number(rate_note, 0.0, *rate) if rate_note in annotations else None
    if "maxScaleRate" in fields:
        limit = fields.number("maxScaleRate", 0.0, *rate)
    return Behavior(
        window=fields.whole("stabilizationWindowSeconds", None, 0, _LONGEST_WINDOW)
        if "stabilizationWindowSeconds" in fields
        else cooldown,
        tolerance=fields.number("tolerance", tolerance, 0, 1, _FRACTION),
        rate=limit,
        select=fields.choice("selectPolicy", ("Max", "Min", "Disabled"), "Max"),
        policies=tuple(_policy(part) for part in fields.parts("policies")),
    )


def _policy(fields: Fields) -> Policy:
    return Policy(
        type=fields.choice("type", ("Pods", "Percent")),
        value=fields.whole("value", None, 0),
        period=float(fields.whole("periodSeconds", None, 1, _LONGEST_PERIOD)),
    )
