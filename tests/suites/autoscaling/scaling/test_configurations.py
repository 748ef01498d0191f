"""The nine configurations, each with what it is meant to show, each in a namespace of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proving_ground.autoscaling.learning import Learning

    Configured = Callable[..., Awaitable[Learning]]

pytestmark = [pytest.mark.e2e, pytest.mark.gpu_0, pytest.mark.feature("autoscaling configurations")]

TARGET = "llm-inference-sim"


@pytest.mark.nightly
async def test_configuration_basic(configured: Configured) -> None:
    """basic: scaled by the cache usage that a sidecar tells, up at once and down after its window."""
    autoscaling = await configured("basic")
    await autoscaling.mocks.set(TARGET, gpu_cache=85, requests_running=25, requests_waiting=15)
    await autoscaling.replicas(TARGET, lambda n: n >= 3, what="3 replicas")
    await autoscaling.mocks.set(TARGET, gpu_cache=20, requests_running=2, requests_waiting=0)
    await autoscaling.replicas(TARGET, lambda n: n <= 2, what="2 replicas at most")


@pytest.mark.nightly
async def test_configuration_accuracy(configured: Configured) -> None:
    """accuracy: scales up to its 20 replicas under pressure, and makes predictions all the while."""
    autoscaling = await configured("accuracy")
    await autoscaling.mocks.set_pattern(TARGET, "kv_pressure", duration=600)
    await autoscaling.replicas(TARGET, lambda n: n > 2, what="more than 2 replicas")
    await autoscaling.status("accuracy-test-scaler", lambda s: bool(s.get("predictionStatus")), "a prediction")


@pytest.mark.nightly
async def test_configuration_learning(configured: Configured) -> None:
    """learning: learns from the target that it scales."""
    autoscaling = await configured("learning")
    await autoscaling.mocks.set_pattern(TARGET, "kv_pressure", duration=600)
    await autoscaling.replicas(TARGET, lambda n: n > 1, what="more than 1 replica")
    await autoscaling.learning("learning-scaler", lambda s: int(s.get("dataPointsCollected", 0)) > 0, "data points")


@pytest.mark.nightly
async def test_configuration_mock(configured: Configured) -> None:
    """mock: the metrics mock scales itself, and one call sets all of its pods."""
    autoscaling = await configured("mock")
    await autoscaling.mocks.set("mock-vllm-metrics", gpu_cache=90)
    await autoscaling.replicas("mock-vllm-metrics", lambda n: n >= 3, what="3 replicas")
    await autoscaling.mocks.set("mock-vllm-metrics", gpu_cache=5)
    await autoscaling.replicas("mock-vllm-metrics", lambda n: n == 1, what="1 replica")


@pytest.mark.nightly
async def test_configuration_cost(configured: Configured) -> None:
    """cost: 3 dollars an hour pay for 9 spot instances, although 10 replicas are allowed and wanted."""
    autoscaling = await configured("cost")
    async with autoscaling.watched(TARGET) as seen:
        await autoscaling.mocks.set(TARGET, gpu_cache=100)
        await autoscaling.replicas(TARGET, lambda n: n >= 9, what="9 replicas")
        await autoscaling.rounds(TARGET, 4)
    seen.never_above(9)
    status = await autoscaling.status(
        "cost-aware-scaler", lambda s: s.get("costStatus", {}).get("spotInstancesInUse") == 9, "9 spot instances"
    )
    cost = status["costStatus"]
    assert float(cost["currentHourlyCost"]) <= 3, f"found {cost}"
    assert 0 < cost["budgetUtilization"] <= 100, f"found {cost}"


@pytest.mark.nightly
async def test_configuration_gpu(configured: Configured) -> None:
    """gpu: full GPU memory brings replicas although the cache is nearly empty."""
    autoscaling = await configured("gpu")
    await autoscaling.mocks.set(TARGET, gpu_cache=30)
    await autoscaling.mocks.set("mock-dcgm-exporter", fb_used=38000)
    await autoscaling.replicas(TARGET, lambda n: n > 1, what="more than 1 replica")
    status = await autoscaling.status(
        "gpu-aware-scaler", lambda s: s.get("gpuStatus", {}).get("averageMemoryUtilization") == 95, "95 % of GPU memory"
    )
    gpu = status["gpuStatus"]
    assert gpu["totalGPUs"] == 1, f"found {gpu}"
    assert "A100" in gpu["gpuType"], f"found {gpu}"


@pytest.mark.nightly
@pytest.mark.needs_autoscaler_clock
async def test_configuration_prediction(configured: Configured) -> None:
    """prediction: the morning rush is prepared for, and told as the reason."""
    autoscaling = await configured("prediction", clock="2026-01-05T09:30:00+00:00")
    await autoscaling.replicas(TARGET, lambda n: n >= 4, what="4 replicas")
    hint = "weekday-morning-rush"
    await autoscaling.status(
        "prediction-scaler", lambda s: (s.get("predictionStatus") or {}).get("activeScheduleHint") == hint, hint
    )


@pytest.mark.nightly
@pytest.mark.needs_autoscaler_clock
async def test_configuration_schedulehints(configured: Configured) -> None:
    """schedulehints: 5 replicas in business hours, 2 after them, 1 at the weekend."""
    autoscaling = await configured("schedulehints", clock="2026-01-05T10:00:00+00:00")
    scaler = "schedulehints-only-scaler"
    await autoscaling.mocks.set(TARGET, gpu_cache=10)
    await autoscaling.replicas(TARGET, lambda n: n == 5, what="5 replicas on Monday morning")
    await autoscaling.clock(scaler, "2026-01-05T20:00:00+00:00")
    await autoscaling.replicas(TARGET, lambda n: n == 2, what="2 replicas on Monday evening")
    await autoscaling.clock(scaler, "2026-01-10T12:00:00+00:00")
    await autoscaling.replicas(TARGET, lambda n: n == 1, what="1 replica on Saturday")


@pytest.mark.nightly
async def test_configuration_policy(configured: Configured) -> None:
    """policy: at most 2 pods or 50 % more come in each half minute, whichever is more."""
    autoscaling = await configured("policy", speed=10.0)
    async with autoscaling.watched(TARGET) as seen:
        await autoscaling.mocks.set("mock-vllm-metrics", gpu_cache=100)
        await autoscaling.replicas(TARGET, lambda n: n >= 5, what="5 replicas")
    first, second = autoscaling.periods(seen, 30, scaler="policy-test-scaler")
    assert first <= 3, f"1 replica may become 3 in half a minute, there were {first}"
    assert second <= 5, f"3 replicas may become 5 in the next one, there were {second}"


@pytest.mark.nightly
async def test_prediction_scales_ahead(autoscaling: Learning) -> None:
    """Load that is on its way up brings replicas before it is over its target."""
    speed, look_ahead = 240.0, 15
    await autoscaling.learner(
        "ahead",
        mock="vllm-metrics",
        begin=10,
        replicas=2,
        minimum=2,
        maximum=4,
        target="80",
        speed=speed,
        look_ahead=look_ahead,
        behavior={"scaleUp": {"tolerance": "0.02"}},
    )
    async with autoscaling.watched("ahead") as seen:
        await autoscaling.ramp("ahead", 10, 79, rounds=5 * autoscaling.look_ahead_rounds(speed, look_ahead))
        await autoscaling.rounds("ahead", 2)
    assert seen.highest() > 2, f"the metric ended just below its target, the steps were {seen.steps()}"
