"""What limits a decision in time and size: windows, policies, rates, pods that start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from proving_ground.autoscaling.verification import Autoscaling

pytestmark = [pytest.mark.integration, pytest.mark.gpu_0, pytest.mark.feature("autoscaling behavior")]

WINDOW = 200
"""Seconds of the autoscaler's clock."""


@pytest.mark.nightly
async def test_scale_down_waits_for_its_window(autoscaling: Autoscaling) -> None:
    """After a change, replicas are given back only when the stabilization window is over, and then they are."""
    await autoscaling.hollow("slow-down")
    behavior = {"scaleDown": {"stabilizationWindowSeconds": WINDOW}}
    async with autoscaling.watched("slow-down") as seen:
        await autoscaling.scaler("slow-down", maximum=2, behavior=behavior)
        await autoscaling.mocks.set("slow-down", gpu_cache=90)
        await autoscaling.desired("slow-down", lambda n: n >= 2, what="2 replicas")
        await autoscaling.mocks.set("slow-down", gpu_cache=0)
        await autoscaling.desired("slow-down", lambda n: n == 1, what="1 replica")
    autoscaling.apart(seen, WINDOW)


@pytest.mark.nightly
async def test_scale_up_waits_for_its_window(autoscaling: Autoscaling) -> None:
    """A second scale-up follows the first one only when the stabilization window is over."""
    await autoscaling.hollow("slow-up")
    behavior = {"scaleUp": {"stabilizationWindowSeconds": WINDOW}}
    async with autoscaling.watched("slow-up") as seen:
        await autoscaling.scaler("slow-up", maximum=4, behavior=behavior)
        await autoscaling.mocks.set("slow-up", gpu_cache=90)
        await autoscaling.desired("slow-up", lambda n: n >= 4, what="4 replicas")
    autoscaling.apart(seen, WINDOW)


POLICIES: dict[str, tuple[int, dict[str, Any], int]] = {
    "pods": (1, {"policies": [{"type": "Pods", "value": 1, "periodSeconds": WINDOW}]}, 2),
    "percent": (2, {"policies": [{"type": "Percent", "value": 50, "periodSeconds": WINDOW}]}, 3),
    "least": (
        2,
        {
            "selectPolicy": "Min",
            "policies": [
                {"type": "Pods", "value": 1, "periodSeconds": WINDOW},
                {"type": "Percent", "value": 100, "periodSeconds": WINDOW},
            ],
        },
        3,
    ),
    "most": (
        2,
        {
            "selectPolicy": "Max",
            "policies": [
                {"type": "Pods", "value": 1, "periodSeconds": WINDOW},
                {"type": "Percent", "value": 100, "periodSeconds": WINDOW},
            ],
        },
        4,
    ),
}
"""Name -> replicas before, scaleUp, replicas that one period allows."""


@pytest.mark.nightly
@pytest.mark.parametrize("policy", POLICIES)
async def test_policy_bounds_each_period(autoscaling: Autoscaling, policy: str) -> None:
    """A policy lets so many pods come in each of its periods, no more, and more in the next one."""
    replicas, scale_up, allowed = POLICIES[policy]
    name = f"policy-{policy}"
    await autoscaling.hollow(name, replicas=replicas)
    async with autoscaling.watched(name) as seen:
        await autoscaling.scaler(name, maximum=allowed + 1, behavior={"scaleUp": scale_up})
        await autoscaling.mocks.set(name, gpu_cache=100)
        await autoscaling.desired(name, lambda n: n > allowed, what=f"more than {allowed} replicas")
    first, _ = autoscaling.periods(seen, WINDOW)
    assert first == allowed, f"the first period allows {allowed} replicas, there were {first}"


@pytest.mark.nightly
async def test_disabled_direction_stays(autoscaling: Autoscaling) -> None:
    """selectPolicy Disabled forbids one direction, and leaves the other one alone."""
    await autoscaling.hollow("one-way", replicas=2)
    behavior = {
        "scaleUp": {"selectPolicy": "Disabled"},
        "scaleDown": {"stabilizationWindowSeconds": 0},
    }
    async with autoscaling.watched("one-way") as seen:
        await autoscaling.scaler("one-way", behavior=behavior)
        await autoscaling.mocks.set("one-way", gpu_cache=100)
        await autoscaling.rounds("one-way", 6)
        seen.unchanged()
        await autoscaling.mocks.set("one-way", gpu_cache=0)
        await autoscaling.desired("one-way", lambda n: n == 1, what="1 replica")


@pytest.mark.nightly
async def test_rate_bounds_each_step(autoscaling: Autoscaling) -> None:
    """maxScaleRate bounds the factor of one step."""
    await autoscaling.hollow("rate", replicas=2)
    async with autoscaling.watched("rate") as seen:
        await autoscaling.scaler("rate", maximum=4, behavior={"scaleUp": {"maxScaleRate": "1.25"}})
        await autoscaling.mocks.set("rate", gpu_cache=100)
        await autoscaling.desired("rate", lambda n: n > 2, what="more than 2 replicas")
    assert seen.steps()[0] == (2, 3), f"2 replicas may become 3 at once, the steps were {seen.steps()}"


@pytest.mark.nightly
@pytest.mark.needs_fleet
async def test_starting_pods_hold_further_scale_ups(autoscaling: Autoscaling) -> None:
    """While half of the pods still start there is no further scale-up; once they are ready there is."""
    await autoscaling.workload("source", service=True)
    await autoscaling.workload("starting", replicas=2, loads=True)
    source = autoscaling.external_source("source")
    async with autoscaling.watched("starting") as seen:
        await autoscaling.scaler("starting", source=source, behavior={"scaleUp": {"startingPods": {}}})
        await autoscaling.mocks.set("source", gpu_cache=100)
        await autoscaling.rounds("source", 6)
        seen.unchanged()
        await autoscaling.finish_loading("starting")
        await autoscaling.desired("starting", lambda n: n > 2, what="more than 2 replicas")
