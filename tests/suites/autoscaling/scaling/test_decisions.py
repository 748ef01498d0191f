"""What the autoscaler decides on its metric: up, down, not at all, and never beyond its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from proving_ground.autoscaling.learning import Learning
    from proving_ground.autoscaling.verification import Autoscaling

pytestmark = [pytest.mark.integration, pytest.mark.gpu_0, pytest.mark.feature("autoscaling decisions")]

AT_ONCE = {"scaleUp": {"stabilizationWindowSeconds": 0}, "scaleDown": {"stabilizationWindowSeconds": 0}}


@pytest.mark.pre_merge
@pytest.mark.smoke
async def test_scales_up_over_its_target(autoscaling: Autoscaling) -> None:
    """A metric over its target gets more replicas, and more pods follow."""
    await autoscaling.workload("up")
    await autoscaling.scaler("up")
    await autoscaling.mocks.set("up", gpu_cache=90)
    await autoscaling.desired("up", lambda n: n > 1, what="more than 1 replica")
    await autoscaling.pods("up", lambda n: n > 1, what="more than 1 pod")


@pytest.mark.pre_merge
@pytest.mark.smoke
async def test_scales_down_when_load_falls(autoscaling: Autoscaling) -> None:
    """A metric far below its target gives replicas back, and pods go."""
    await autoscaling.workload("down", replicas=3)
    await autoscaling.scaler("down", behavior=AT_ONCE)
    await autoscaling.mocks.set("down", gpu_cache=5)
    await autoscaling.desired("down", lambda n: n == 1, what="1 replica")
    await autoscaling.pods("down", lambda n: n == 1, what="1 pod")


@pytest.mark.nightly
async def test_never_above_its_maximum(autoscaling: Autoscaling) -> None:
    """However high the metric is, replicas stay within maxReplicas at every moment."""
    await autoscaling.hollow("maximum")
    async with autoscaling.watched("maximum") as seen:
        await autoscaling.scaler("maximum", maximum=3)
        await autoscaling.mocks.set("maximum", gpu_cache=100)
        await autoscaling.desired("maximum", lambda n: n >= 3, what="3 replicas")
        await autoscaling.rounds("maximum", 6)
    seen.never_above(3)


@pytest.mark.nightly
async def test_never_below_its_minimum(autoscaling: Autoscaling) -> None:
    """Without any load replicas stay at minReplicas at every moment."""
    await autoscaling.hollow("minimum", replicas=3)
    async with autoscaling.watched("minimum") as seen:
        await autoscaling.scaler("minimum", minimum=2, behavior=AT_ONCE)
        await autoscaling.mocks.set("minimum", gpu_cache=0)
        await autoscaling.desired("minimum", lambda n: n <= 2, what="2 replicas")
        await autoscaling.rounds("minimum", 6)
    seen.never_below(2)


@pytest.mark.nightly
async def test_rests_within_its_tolerance(autoscaling: Autoscaling) -> None:
    """A metric that stays within 10 % of its target, on either side, changes nothing."""
    await autoscaling.hollow("tolerance", replicas=3)
    async with autoscaling.watched("tolerance") as seen:
        await autoscaling.scaler("tolerance", maximum=6, behavior=AT_ONCE)
        for value in (54, 46, 53, 47):
            await autoscaling.mocks.set("tolerance", gpu_cache=value)
            await autoscaling.rounds("tolerance", 3)
    seen.unchanged()


@pytest.mark.nightly
async def test_actual_scale_is_what_runs(autoscaling: Autoscaling, own_namespace: Autoscaling) -> None:
    """Where pods cannot follow, actualScale tells how many there are, not how many were wanted."""
    del autoscaling
    await own_namespace.workload("held")
    await own_namespace.pod_quota(1)
    await own_namespace.scaler("held")
    await own_namespace.mocks.set("held", gpu_cache=90)
    await own_namespace.desired("held", lambda n: n > 1, what="more than 1 replica")
    await own_namespace.rounds("held", 4)
    found = await own_namespace.scalers.status("held")
    assert found["actualScale"] == 1, f"1 pod runs, actualScale is {found['actualScale']}"
    assert found["desiredScale"] > 1


@pytest.mark.nightly
async def test_history_tells_every_decision(autoscaling: Autoscaling) -> None:
    """scalingHistory has an entry for each change of the scale, and lastScaleTime is that of the last."""
    await autoscaling.hollow("history")
    async with autoscaling.watched("history") as seen:
        await autoscaling.scaler("history", maximum=3, behavior=AT_ONCE)
        await autoscaling.mocks.set("history", gpu_cache=100)
        await autoscaling.desired("history", lambda n: n >= 3, what="3 replicas")
        await autoscaling.mocks.set("history", gpu_cache=0)
        await autoscaling.desired("history", lambda n: n == 1, what="1 replica")
        await autoscaling.rounds("history", 2)
    status = await autoscaling.scalers.status("history")
    entries = status.get("scalingHistory") or []
    told = [(entry["previousScale"], entry["newScale"]) for entry in entries]
    assert told == seen.steps(), f"the workload went through {seen.steps()}, the history tells {told}"
    assert all(entry["success"] and entry["reason"] and entry["algorithm"] for entry in entries)
    assert entries[-1]["timestamp"] == status["lastScaleTime"]


@pytest.mark.nightly
@pytest.mark.e2e
@pytest.mark.needs_fleet
async def test_real_load_scales_the_simulator(autoscaling: Autoscaling) -> None:
    """Requests that wait in a busy inference server bring more replicas; without load they go again."""
    await autoscaling.simulator("served", slots=1, token_milliseconds=20)
    source = autoscaling.pod_source("vllm:num_requests_waiting", "2")
    await autoscaling.scaler("served", source=source, behavior=AT_ONCE)
    async with autoscaling.load("served", concurrency=12):
        await autoscaling.desired("served", lambda n: n > 1, what="more than 1 replica")
    await autoscaling.desired("served", lambda n: n == 1, what="1 replica")


@pytest.mark.weekly
@pytest.mark.needs_autoscaler_clock
async def test_a_day_of_traffic_stays_within_bounds(autoscaling: Learning) -> None:
    """Over a day with its night and two peaks, replicas follow the load, at no moment beyond their bounds."""
    await autoscaling.workload("day", mock="learning-metrics", replicas=2)
    source = autoscaling.pod_source("vllm_num_requests_running", "10")
    async with autoscaling.watched("day") as seen:
        await autoscaling.scaler("day", source=source, minimum=2, maximum=4, behavior=AT_ONCE)
        await autoscaling.play_day("day", 0, hours=(0, 24), speed=1800.0)
    seen.never_above(4)
    seen.never_below(2)
    assert (seen.highest(), seen.last()) == (4, 2), f"up by day, down by night, the steps were {seen.steps()}"
