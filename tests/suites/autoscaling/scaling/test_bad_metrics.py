"""Metrics that cannot be had or cannot be true: nothing is scaled on them, and the status says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from proving_ground.autoscaling.verification import Autoscaling

pytestmark = [pytest.mark.integration, pytest.mark.gpu_0, pytest.mark.feature("autoscaling on bad metrics")]

AT_ONCE = {"scaleUp": {"stabilizationWindowSeconds": 0}, "scaleDown": {"stabilizationWindowSeconds": 0}}


ON_PODS = {"unavailable": True, "reset": True, "slow": False, "malformed": False, "empty": False}
"""What is wrong with the metrics -> whether with those of the target's pods, else with those of another address."""


@pytest.mark.nightly
@pytest.mark.parametrize("failure", ON_PODS)
async def test_metrics_endpoint_is(autoscaling: Autoscaling, failure: str) -> None:
    """While the metrics cannot be read the scale stays, a condition tells why, and afterwards it goes on."""
    name = f"metrics-{failure}"
    await (autoscaling.workload if ON_PODS[failure] else autoscaling.hollow)(name, replicas=2)
    async with autoscaling.watched(name) as seen:
        await autoscaling.scaler(name, behavior=AT_ONCE)
        await autoscaling.rounds(name, 2)
        await autoscaling.mocks.set_failure(name, failure)
        await autoscaling.mocks.set(name, gpu_cache=100)
        told = await autoscaling.told_unusable(name)
        await autoscaling.rounds(name, 1 if failure == "slow" else 3)
        seen.unchanged()
    assert told, "the condition has no message"
    await autoscaling.mocks.set_failure(name, "none")
    await autoscaling.desired(name, lambda n: n > 2, what="more than 2 replicas")


@pytest.mark.nightly
async def test_value_of_another_scale_is_refused(autoscaling: Autoscaling) -> None:
    """A cache usage of 85 where the target is a fraction is no reason to scale."""
    await autoscaling.hollow("scale", replicas=2, env={"INITIAL_GPU_CACHE": "0.7"})
    async with autoscaling.watched("scale") as seen:
        await autoscaling.scaler("scale", target="0.7", behavior=AT_ONCE)
        await autoscaling.mocks.set("scale", gpu_cache=85)
        told = await autoscaling.told_unusable("scale")
        await autoscaling.rounds("scale", 3)
        seen.unchanged()
    assert "85" in told, f"the condition does not name the value: {told}"


@pytest.mark.nightly
async def test_metric_that_is_not_there_is_told(autoscaling: Autoscaling) -> None:
    """A metric that no page has changes nothing, and the condition names it."""
    await autoscaling.workload("absent", replicas=2)
    async with autoscaling.watched("absent") as seen:
        source = autoscaling.pod_source("vllm_no_such_metric", "10")
        await autoscaling.scaler("absent", source=source, behavior=AT_ONCE, ready=False)
        told = await autoscaling.told_unusable("absent")
        await autoscaling.rounds("absent", 3)
        seen.unchanged()
    assert "vllm_no_such_metric" in told, f"the condition does not name the metric: {told}"
