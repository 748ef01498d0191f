"""Metrics that the API server hands on: metrics.k8s.io for resources, custom.metrics.k8s.io for what pods tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from proving_ground.chainsaw.quantities import parse_quantity
from proving_ground.kube.operator_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proving_ground.budaiscaler.source_spec import Source
    from proving_ground.budaiscaler.world import PodFact, WorkloadFact
    from proving_ground.kube.operator_api import Api

RESOURCE_API = "/apis/metrics.k8s.io/v1beta1"
CUSTOM_API = "/apis/custom.metrics.k8s.io/v1beta2"


class MetricsApiError(Exception):
    """A metrics API gave no value; the message says why."""


async def resource(api: Api, source: Source, workload: WorkloadFact, pods: Iterable[PodFact]) -> float:
    """Return the use of a resource by the ready pods of a workload, as a mean.

    It is in percent of what they request, unless the target is a quantity or a pod requests nothing: then in
    millicores or bytes.

    Raises:
        MetricsApiError: There is no value.
    """
    ready = {pod.name: pod for pod in pods if pod.ready}
    items = await _items(api, f"{RESOURCE_API}/namespaces/{workload.namespace}/pods", workload)
    used, asked = [], []
    for item in items:
        pod = ready.get(str((item.get("metadata") or {}).get("name")))
        if pod is None:
            continue
        usages = [(container.get("usage") or {}).get(source.metric) for container in item.get("containers") or ()]
        if not usages or None in usages:
            raise MetricsApiError(f"pod {pod.name}: no {source.metric}")
        factor = 1000.0 if source.metric == "cpu" else 1.0
        used.append(sum(_amount(usage) for usage in usages) * factor)
        asked.append(pod.requests.millicores if source.metric == "cpu" else pod.requests.bytes)
    if not used:
        raise MetricsApiError("no ready pod has metrics")
    if source.unit or not all(asked):
        return sum(used) / len(used)
    return 100.0 * sum(used) / sum(asked)


async def custom(api: Api, source: Source, workload: WorkloadFact) -> float:
    """Return the mean of a custom metric over the pods of a workload.

    Raises:
        MetricsApiError: There is no value.
    """
    metric = quote(source.metric, safe=":")
    items = await _items(api, f"{CUSTOM_API}/namespaces/{workload.namespace}/pods/*/{metric}", workload)
    values = [_amount(item.get("value")) for item in items]
    if not values:
        raise MetricsApiError("no pod has it")
    return sum(values) / len(values)


async def _items(api: Api, path: str, workload: WorkloadFact) -> list[Mapping[str, Any]]:
    try:
        answer = await api.get(path, labelSelector=workload.label_selector)
    except ApiError as error:
        raise MetricsApiError(f"{path.split('/')[2]}: {error.message}") from None
    except (TimeoutError, OSError) as error:
        raise MetricsApiError(f"{path.split('/')[2]}: {error or type(error).__name__}") from None
    items = answer.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MetricsApiError(f"{path.split('/')[2]}: answered without a list: {json.dumps(answer)[:80]}")
    return items


def _amount(quantity: Any) -> float:
    try:
        return float(parse_quantity(str(quantity)).amount)
    except (ValueError, OverflowError):
        raise MetricsApiError(f"expected a quantity, found {str(quantity)[:40]!r}") from None
