"""What pods are said to use and to measure, as the metrics APIs of Kubernetes tell it: pure documents."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proving_ground.fleet.views import PodView

DEFAULT_CPU = 100.0
"""Millicores of a pod without a mock."""
DEFAULT_MEMORY = 256.0 * 1024**2
"""Bytes of a pod without a mock."""
WINDOW = "10s"
"""Over what time usage is said to be measured."""
RESOURCE_GROUP, CUSTOM_GROUP = "metrics.k8s.io", "custom.metrics.k8s.io"
_MOST = 1e15
"""Quantities are 64 bits wide, so that this many fit in thousandths."""

Usage = tuple[float, float]
"""CPU in millicores, memory in bytes."""


def quantity(value: float) -> str:
    """Write a finite number as a quantity, to the thousandth; what is too large becomes the largest."""
    milli = round(min(_MOST, max(-_MOST, value)) * 1000)
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def usage(cpu: float, memory: float) -> dict[str, str]:
    """Return the usage object of a container or node."""
    size = round(memory)
    return {
        "cpu": f"{round(cpu * 1_000_000)}n" if cpu else "0",
        "memory": f"{size // 1024}Ki" if size % 1024 == 0 else str(size),
    }


def stamp(now: dt.datetime) -> str:
    """Write a moment as the APIs do."""
    return now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shares(pod: PodView, told: Mapping[str, Usage]) -> dict[str, Usage]:
    """Return what each container of a pod uses.

    Args:
        pod: The pod.
        told: What its mocks tell, by container. The other containers then use nothing; without any mock the first
            container uses what a pod uses by default.
    """
    first = pod.containers[0].name if pod.containers else ""
    known = told or {first: (DEFAULT_CPU, DEFAULT_MEMORY)}
    return {container.name: known.get(container.name, (0.0, 0.0)) for container in pod.containers}


def pod_metrics(pod: PodView, told: Mapping[str, Usage], now: dt.datetime) -> dict[str, Any]:
    """Return the PodMetrics object of a pod."""
    return {
        "kind": "PodMetrics",
        "apiVersion": f"{RESOURCE_GROUP}/v1beta1",
        "metadata": {
            "name": pod.name,
            "namespace": pod.namespace,
            "creationTimestamp": stamp(now),
            "labels": dict(pod.labels),
        },
        "timestamp": stamp(now),
        "window": WINDOW,
        "containers": [{"name": name, "usage": usage(*share)} for name, share in shares(pod, told).items()],
    }


def node_metrics(name: str, used: Iterable[Usage], now: dt.datetime) -> dict[str, Any]:
    """Return the NodeMetrics object of a node on which pods use so much."""
    each = list(used)
    return {
        "kind": "NodeMetrics",
        "apiVersion": f"{RESOURCE_GROUP}/v1beta1",
        "metadata": {"name": name, "creationTimestamp": stamp(now)},
        "timestamp": stamp(now),
        "window": WINDOW,
        "usage": usage(sum(cpu for cpu, _ in each), sum(memory for _, memory in each)),
    }


def listed(kind: str, group_version: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a list object."""
    return {"kind": kind, "apiVersion": group_version, "metadata": {}, "items": items}


def metric_value(pod: PodView, metric: str, value: float, version: str, now: dt.datetime) -> dict[str, Any] | None:
    """Return the MetricValue of a pod, or None for a value that no quantity can hold.

    Args:
        pod: The pod that it describes.
        metric: The metric's name.
        value: Its value.
        version: ``v1beta1`` or ``v1beta2``.
        now: When it was measured.
    """
    if not math.isfinite(value):
        return None
    about = {"kind": "Pod", "namespace": pod.namespace, "name": pod.name, "apiVersion": "/v1"}
    name: dict[str, Any] = {"metricName": metric} if version == "v1beta1" else {"metric": {"name": metric}}
    return {"describedObject": about, **name, "timestamp": stamp(now), "value": quantity(value)}


def failure(code: int, reason: str, message: str) -> dict[str, Any]:
    """Return the Status object of a failed request."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**status, "message": message, "reason": reason, "code": code}


def group(name: str, versions: Iterable[str]) -> dict[str, Any]:
    """Return the APIGroup object of a group; its first version is the preferred one."""
    found = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": found, "preferredVersion": found[0]}


def resources(group_version: str, found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the APIResourceList object of a version of a group."""
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list(found)}


def resource(name: str, kind: str, verbs: Iterable[str], *, namespaced: bool) -> dict[str, Any]:
    """Return a resource of such a list."""
    return {"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": list(verbs)}
