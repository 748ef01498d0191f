from __future__ import annotations

import pytest

from proving_ground.budaiscaler.behavior import Behavior, Policy, StartingPods
from proving_ground.budaiscaler.limits import ScaleEvent, gate_is_shut, is_stabilizing, limit_policies, limit_rate

PODS_2 = Policy("Pods", 2, 30.0)
HALF = Policy("Percent", 50, 30.0)


@pytest.mark.parametrize(
    ("rate", "current", "desired", "allowed"),
    [
        (2.0, 3, 10, 6),
        (2.0, 3, 5, 5),
        (1.5, 3, 10, 4),
        (1.1, 3, 10, 4),  # always one
        (1.0, 3, 10, 3),
        (2.0, 0, 10, 1),
        (0.5, 8, 1, 4),
        (0.5, 5, 1, 3),
        (0.5, 1, 0, 0),
        (0.9, 4, 0, 3),
        (1.0, 4, 0, 4),
        (0.0, 4, 0, 0),
        (1.1, 10, 20, 11),  # 11.000000000000002 as a product
    ],
)
def test_a_rate_bounds_one_decision(rate: float, current: int, desired: int, allowed: int) -> None:
    assert limit_rate(rate, current, desired) == allowed


@pytest.mark.parametrize(
    ("select", "policies", "current", "desired", "allowed"),
    [
        ("Max", (PODS_2, HALF), 2, 10, 4),
        ("Max", (PODS_2, HALF), 6, 10, 9),
        ("Min", (PODS_2, HALF), 6, 10, 8),
        ("Min", (PODS_2, HALF), 3, 10, 5),
        ("Max", (HALF,), 1, 10, 2),
        ("Max", (PODS_2, HALF), 6, 0, 3),
        ("Min", (PODS_2, HALF), 6, 0, 4),
        ("Min", (Policy("Pods", 1, 60.0), Policy("Percent", 20, 60.0)), 4, 1, 3),
        ("Max", (Policy("Percent", 20, 60.0),), 1, 0, 0),
        ("Max", (Policy("Percent", 10, 60.0),), 10, 0, 9),
        ("Max", (Policy("Percent", 10, 60.0),), 10, 20, 11),
        ("Max", (Policy("Pods", 0, 60.0),), 3, 9, 3),
        ("Max", (Policy("Pods", 2**31 - 1, 60.0),), 3, 9, 9),
        ("Disabled", (PODS_2,), 3, 9, 3),
        ("Disabled", (), 3, 1, 3),
        ("Max", (), 3, 9, 9),
    ],
)
def test_policies_bound_a_period(
    select: str, policies: tuple[Policy, ...], current: int, desired: int, allowed: int
) -> None:
    assert limit_policies(Behavior(0.0, select=select, policies=policies), current, desired, (), 100.0) == allowed


@pytest.mark.parametrize(
    ("time", "allowed"),
    [(99.0, 4), (70.001, 4), (70.0, 6), (50.0, 6)],
)
def test_changes_within_the_period_count_against_the_policy(time: float, allowed: int) -> None:
    behavior = Behavior(0.0, policies=(PODS_2,))
    assert limit_policies(behavior, 4, 10, (ScaleEvent(time, 2, 4),), 100.0) == allowed


def test_changes_in_both_directions_count() -> None:
    events = (ScaleEvent(80.0, 2, 4), ScaleEvent(90.0, 4, 3))
    assert limit_policies(Behavior(0.0, policies=(PODS_2,)), 3, 10, events, 100.0) == 4


def test_a_policy_that_is_used_up_never_turns_a_change_round() -> None:
    grown = (ScaleEvent(95.0, 1, 9),)
    assert limit_policies(Behavior(0.0, policies=(PODS_2,)), 9, 10, grown, 100.0) == 9
    shrunk = (ScaleEvent(95.0, 9, 3),)
    assert limit_policies(Behavior(0.0, policies=(PODS_2,)), 3, 1, shrunk, 100.0) == 3


def test_changes_of_another_clock_do_not_count() -> None:
    assert limit_policies(Behavior(0.0, policies=(PODS_2,)), 4, 10, (ScaleEvent(9e9, 2, 4),), 100.0) == 6


@pytest.mark.parametrize(
    ("gate", "current", "starting", "shut"),
    [
        (StartingPods(), 4, 1, False),
        (StartingPods(), 4, 2, True),
        (StartingPods(), 1, 1, True),
        (StartingPods(), 4, 0, False),
        (StartingPods(), 0, 0, False),
        (StartingPods(percent=100, count=3), 10, 2, False),
        (StartingPods(percent=100, count=3), 10, 3, True),
        (StartingPods(percent=0), 2, 2, False),
    ],
)
def test_the_gate_shuts_when_too_many_pods_start(gate: StartingPods, current: int, starting: int, shut: bool) -> None:
    assert gate_is_shut(gate, current, starting) is shut


@pytest.mark.parametrize(
    ("window", "last", "held"),
    [
        (30.0, 71.0, True),
        (30.0, 70.0, False),
        (0.0, 100.0, False),
        (30.0, None, False),
        (30.0, 100.5, True),
        (30.0, 900.0, False),
    ],
)
def test_a_window_holds_until_it_is_over(window: float, last: float | None, held: bool) -> None:
    assert is_stabilizing(window, last, 100.0) is held
