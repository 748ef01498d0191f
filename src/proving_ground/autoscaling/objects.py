"""Objects that checks make beside the nine configurations: a workload with a mock, a simulator, a scaler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.autoscaling.scalers import KIND, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.kube import Object

IMAGE = "localhost/proving-ground/mocks:0.1.0"
PORTS = {"vllm-metrics": 8000, "learning-metrics": 8000, "dcgm-exporter": 9400, "prometheus": 9090}
SIMULATOR_IMAGE = "ghcr.io/llm-d/llm-d-inference-sim:v0.8.2"
SIMULATOR_MODEL = "Qwen/Qwen2.5-1.5B-Instruct"
METRIC = "vllm_gpu_cache_usage_perc"
"""What the metrics mocks tell, 0 to 100, and what most checks scale on."""
TARGET = "50"
LOADS = "sim.proving.ground/load-seconds"
"""Annotation of the fleet: for so long the pod is not ready."""
_FOR_EVER = "3600"
_SMALL = {"cpu": "10m", "memory": "16Mi"}


def workload(
    name: str,
    *,
    mock: str = "vllm-metrics",
    replicas: int = 1,
    requests: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    loads: bool = False,
) -> list[Object]:
    """Return a Deployment of pods that are a mock, each by itself, and the Service of its name.

    A metrics mock begins at what most scalers have for their target, so that nothing happens before it is set.
    """
    begin = {"INITIAL_GPU_CACHE": TARGET} if mock == "vllm-metrics" else {}
    container = {
        "name": "mock",
        "image": IMAGE,
        "args": [mock],
        "ports": [{"name": "metrics", "containerPort": PORTS[mock]}],
        "env": [{"name": key, "value": value} for key, value in {**begin, **(env or {})}.items()],
        "resources": {"requests": {**_SMALL, **(requests or {})}},
    }
    return _served(name, container, replicas, {LOADS: _FOR_EVER} if loads else {})


def simulator(name: str, *, slots: int, token_milliseconds: int) -> list[Object]:
    """Return a Deployment of one inference server that serves so many requests at once, and the Service of its name."""
    arguments = {
        "port": 8000,
        "model": SIMULATOR_MODEL,
        "max-num-seqs": slots,
        "inter-token-latency": f"{token_milliseconds}ms",
    }
    container = {
        "name": "simulator",
        "image": SIMULATOR_IMAGE,
        "args": [f"--{key}={value}" for key, value in arguments.items()],
        "ports": [{"name": "http", "containerPort": 8000}],
        "resources": {"requests": _SMALL},
    }
    return _served(name, container, 1, {})


def _served(name: str, container: Mapping[str, Any], replicas: int, annotations: Mapping[str, str]) -> list[Object]:
    labels = {"app": name}
    port = container["ports"][0]["containerPort"]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": dict(annotations)},
                "spec": {"containers": [dict(container)], "terminationGracePeriodSeconds": 1},
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"port": port, "targetPort": port}]},
    }
    return [deployment, service]


def pod_source(metric: str, target: str, *, port: int = 8000) -> dict[str, Any]:
    """Return a source that reads a metric from each pod's own page."""
    return {
        "metricSourceType": "pod",
        "protocolType": "http",
        "port": str(port),
        "path": "/metrics",
        "targetMetric": metric,
        "targetValue": target,
    }


def scaler(name: str, workload_name: str, spec: Mapping[str, Any]) -> Object:
    """Return a BudAIScaler of a Deployment."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload_name}
    return {
        "apiVersion": VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": reference, **spec},
    }


def pod_quota(count: int) -> Object:
    """Return a quota of pods for a namespace."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "pods"},
        "spec": {"hard": {"pods": str(count)}},
    }
