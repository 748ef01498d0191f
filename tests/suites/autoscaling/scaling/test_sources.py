"""Where values come from: every kind of source, every strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from proving_ground.autoscaling.verification import Autoscaling

pytestmark = [pytest.mark.integration, pytest.mark.gpu_0, pytest.mark.feature("autoscaling sources")]

AT_ONCE = {"scaleUp": {"stabilizationWindowSeconds": 0}, "scaleDown": {"stabilizationWindowSeconds": 0}}


async def follows(
    autoscaling: Autoscaling, name: str, source: dict[str, object], **values: tuple[float, float]
) -> None:
    """Check that the scale follows a source up and down: ``values`` are what is set for high and for low."""
    await autoscaling.scaler(name, source=source, maximum=2, behavior=AT_ONCE)
    await autoscaling.mocks.set(name, **{key: high for key, (high, _) in values.items()})
    await autoscaling.desired(name, lambda n: n > 1, what="more than 1 replica")
    await autoscaling.mocks.set(name, **{key: low for key, (_, low) in values.items()})
    await autoscaling.desired(name, lambda n: n == 1, what="1 replica")


@pytest.mark.nightly
async def test_source_pod(autoscaling: Autoscaling) -> None:
    """Values are read from each ready pod's own metrics page."""
    await autoscaling.workload("by-pod")
    await follows(
        autoscaling, "by-pod", autoscaling.pod_source("vllm_num_requests_waiting", "10"), requests_waiting=(20, 0)
    )


@pytest.mark.nightly
async def test_source_inference_engine(autoscaling: Autoscaling) -> None:
    """Values are read where the engine's configuration says, whatever port and path the source names."""
    await autoscaling.workload("by-engine")
    source = {
        "metricSourceType": "inferenceEngine",
        "inferenceEngineConfig": {"engineType": "vllm", "metricsPort": 8000, "metricsPath": "/metrics"},
        "targetMetric": "vllm_num_requests_running",
        "targetValue": "10",
    }
    await follows(autoscaling, "by-engine", source, requests_running=(20, 0))


@pytest.mark.nightly
async def test_source_external(autoscaling: Autoscaling) -> None:
    """Values are read from an address that is no pod of the target."""
    await autoscaling.workload("by-address", service=True)
    await follows(autoscaling, "by-address", autoscaling.external_source("by-address"), gpu_cache=(90, 0))


@pytest.mark.nightly
async def test_source_prometheus(autoscaling: Autoscaling) -> None:
    """Values are answers of a Prometheus server to the source's query."""
    query = 'avg(vllm_gpu_cache_usage_perc{namespace="models"})'
    await autoscaling.workload("answers", mock="prometheus", service=True)
    await autoscaling.workload("by-query")
    source = {
        "metricSourceType": "prometheus",
        "endpoint": autoscaling.address("answers", 9090),
        "promQL": query,
        "targetMetric": "cache",
        "targetValue": "50",
    }
    await autoscaling.mocks.set("answers", query=query, value=90)
    await autoscaling.scaler("by-query", source=source, maximum=2, behavior=AT_ONCE)
    await autoscaling.desired("by-query", lambda n: n > 1, what="more than 1 replica")
    await autoscaling.mocks.set("answers", query=query, value=0)
    await autoscaling.desired("by-query", lambda n: n == 1, what="1 replica")


@pytest.mark.nightly
@pytest.mark.needs_metrics_api
async def test_source_resource(autoscaling: Autoscaling) -> None:
    """Values are the processor time of pods in percent of what they asked for, from the resource metrics API."""
    await autoscaling.workload("by-resource", requests={"cpu": "200m"})
    source = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}
    await follows(autoscaling, "by-resource", source, cpu=(190, 10))


@pytest.mark.nightly
@pytest.mark.needs_metrics_api
async def test_source_custom(autoscaling: Autoscaling) -> None:
    """Values come from the custom metrics API."""
    await autoscaling.workload("by-custom")
    source = {"metricSourceType": "custom", "targetMetric": "vllm_num_requests_waiting", "targetValue": "10"}
    await follows(autoscaling, "by-custom", source, requests_waiting=(20, 0))


@pytest.mark.nightly
async def test_strategy_kpa_panics(autoscaling: Autoscaling) -> None:
    """With KPA a metric far over its target is answered at once, whatever the policies say."""
    await autoscaling.hollow("panic")
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1800}]}}
    await autoscaling.scaler("panic", scalingStrategy="KPA", maximum=4, behavior=behavior, target="20")
    await autoscaling.mocks.set("panic", gpu_cache=100)
    await autoscaling.desired("panic", lambda n: n >= 4, what="4 replicas")


@pytest.mark.nightly
async def test_strategy_kpa_keeps_policies_outside_panic(autoscaling: Autoscaling) -> None:
    """With KPA a metric less than twice its target is no reason to panic."""
    await autoscaling.hollow("calm", replicas=2)
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1800}]}}
    async with autoscaling.watched("calm") as seen:
        await autoscaling.scaler("calm", scalingStrategy="KPA", maximum=6, behavior=behavior)
        await autoscaling.mocks.set("calm", gpu_cache=90)
        await autoscaling.desired("calm", lambda n: n > 2, what="more than 2 replicas")
        await autoscaling.rounds("calm", 4)
    seen.never_above(3)


@pytest.mark.nightly
@pytest.mark.needs_metrics_api
async def test_strategy_hpa_hands_over(autoscaling: Autoscaling) -> None:
    """With HPA a HorizontalPodAutoscaler of the cluster scales the target, within the bounds of the scaler."""
    await autoscaling.workload("handed", requests={"cpu": "200m"})
    source = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}
    await autoscaling.scaler("handed", scalingStrategy="HPA", source=source, maximum=3, ready=False)
    hpa = await autoscaling.hpa("handed-hpa")
    assert hpa["metadata"]["labels"]["scaler.bud.studio/scaler"] == "handed"
    assert hpa["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "budaiscaler"
    await autoscaling.mocks.set("handed", cpu=190)
    await autoscaling.pods("handed", lambda n: n > 1, what="more than 1 pod")
