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


def probe(port: int) -> dict[str, Any]:
    """Return the readiness probe of a mock or a simulator, asked as often as a kubelet can."""
    return {"httpGet": {"path": "/ready", "port": port}, "periodSeconds": 1, "timeoutSeconds": 3}


def workload(
    name: str,
    *,
    mock: str = "vllm-metrics",
    replicas: int = 1,
    requests: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    loads: bool = False,
    service: bool = False,
) -> list[Object]:
    """Return a Deployment of pods that are a mock, each by itself, and a Service of its name where one is wanted."""
    deployment = _deployment(name, _mock(mock, requests, env), replicas, {LOADS: _FOR_EVER} if loads else {})
    return [deployment, *([_service(name, PORTS[mock])] if service else [])]


def hollow(name: str, *, replicas: int = 1, env: Mapping[str, str] | None = None) -> list[Object]:
    """Return a Deployment whose replicas are only a number, and one metrics mock with a Service, all of one name.

    A Deployment that is paused from its beginning gets no pods: enough where it matters what is decided, not what
    follows from it.
    """
    container = _mock("vllm-metrics", None, env)
    deployment = _deployment(name, container, replicas, {})
    deployment["spec"]["paused"] = True
    deployment["spec"]["selector"]["matchLabels"] = {"app": f"{name}-without-pods"}
    deployment["spec"]["template"]["metadata"]["labels"] = {"app": f"{name}-without-pods"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    return [deployment, pod, _service(name, PORTS["vllm-metrics"])]


def _mock(mock: str, requests: Mapping[str, str] | None, env: Mapping[str, str] | None) -> dict[str, Any]:
    """Return a container; a metrics mock begins at the target of most scalers, so that nothing happens by itself."""
    begin = {"INITIAL_GPU_CACHE": TARGET} if mock == "vllm-metrics" else {}
    return {
        "name": "mock",
        "image": IMAGE,
        "args": [mock],
        "ports": [{"name": "metrics", "containerPort": PORTS[mock]}],
        "env": [{"name": key, "value": value} for key, value in {**begin, **(env or {})}.items()],
        "readinessProbe": probe(PORTS[mock]),
        "resources": {"requests": {**_SMALL, **(requests or {})}},
    }


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
        "readinessProbe": probe(8000),
        "resources": {"requests": _SMALL},
    }
    return [_deployment(name, container, 1, {}), _service(name, 8000)]


def _deployment(name: str, container: Mapping[str, Any], replicas: int, annotations: Mapping[str, str]) -> Object:
    labels = {"app": name}
    return {
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


def _service(name: str, port: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": port}]},
    }


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
