"""What holds a change of scale back: rate, policies, starting pods, stabilization."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proving_ground.budaiscaler.behavior import Behavior, Policy, StartingPods

_EPSILON = 1e-6  # replicas; products of decimal fractions are a little off


@dataclasses.dataclass(frozen=True, slots=True)
class ScaleEvent:
    """A change of scale that happened."""

    time: float
    """Unix seconds."""
    previous: int
    new: int


def round_up(replicas: float) -> int:
    """Return the whole number above, or the one that the number is but for the error of its calculation."""
    return math.ceil(replicas - _EPSILON)


def round_down(replicas: float) -> int:
    """Return the whole number below, or the one that the number is but for the error of its calculation."""
    return math.floor(replicas + _EPSILON)


def round_half_up(replicas: float) -> int:
    """Return the nearest whole number, the upper one of two."""
    return math.floor(replicas + 0.5 + _EPSILON)


def limit_rate(rate: float, current: int, desired: int) -> int:
    """Return what one decision may reach: up to ``current * rate``, or down to it.

    A rate other than 1 always allows one replica, or the last one could never go, and the first never come.
    """
    if desired > current:
        highest = round_down(current * rate) if rate <= 1 else max(current + 1, round_down(current * rate))
        return min(desired, highest)
    if desired < current:
        lowest = round_up(current * rate) if rate >= 1 else min(current - 1, round_up(current * rate))
        return max(desired, lowest)
    return desired


def limit_policies(behavior: Behavior, current: int, desired: int, events: Iterable[ScaleEvent], now: float) -> int:
    """Return what the policies of a direction allow, as autoscaling/v2 does.

    Each policy counts from the replicas that there were when its period began. ``Max`` takes the policy that allows
    the most change, ``Min`` the least, ``Disabled`` allows none.
    """
    if desired == current:
        return desired
    if behavior.select == "Disabled":
        return current
    if not behavior.policies:
        return desired
    history = tuple(events)
    up = desired > current
    allowed = [_allowed(policy, _at_start(policy, current, history, now), up=up) for policy in behavior.policies]
    most = (behavior.select == "Max") == up
    bound = max(allowed) if most else min(allowed)
    return min(desired, max(bound, current)) if up else max(desired, min(bound, current))


def gate_is_shut(gate: StartingPods, current: int, starting: int) -> bool:
    """Tell whether so many pods are starting that no more may be added."""
    if starting <= 0:
        return False
    by_percent = bool(gate.percent) and starting * 100 >= gate.percent * current
    return by_percent or (bool(gate.count) and starting >= gate.count)


def is_stabilizing(window: float, last_scale: float | None, now: float) -> bool:
    """Tell whether the last change is so recent that nothing may change again.

    A last change further ahead than the window is from another clock, and says nothing.
    """
    return last_scale is not None and abs(now - last_scale) < window


def _at_start(policy: Policy, current: int, events: Iterable[ScaleEvent], now: float) -> int:
    return current - sum(event.new - event.previous for event in events if abs(now - event.time) < policy.period)


def _allowed(policy: Policy, start: int, *, up: bool) -> int:
    """Percentages are rounded up when adding and cut off when removing, as the HorizontalPodAutoscaler does."""
    if policy.type == "Pods":
        return start + policy.value if up else start - policy.value
    return round_up(start * (1 + policy.value / 100)) if up else math.trunc(start * (1 - policy.value / 100) + _EPSILON)
