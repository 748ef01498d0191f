"""An API server and endpoints of metrics in memory, for tests of what the autoscaler asks of them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from proving_ground.kube.operator_api import Api, ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALERS = "/apis/scaler.bud.studio/v1alpha1/namespaces/n/budaiscalers"


class MemoryApi(Api):
    """Objects by path; a status is kept in its object, and a scale in ``spec.replicas``."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.writes: list[tuple[str, str, Any]] = []
        self.refusals: dict[str, ApiError] = {}
        self._version = 100

    async def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        body = options.get("body")
        if method != "GET":
            self.writes.append((method, path, copy.deepcopy(body)))
        if path in self.refusals:
            raise self.refusals[path]
        if method == "POST":
            path = f"{path}/{body['metadata'].get('name') or body['metadata']['generateName']}"
            return self._store(path, copy.deepcopy(body))
        owner, part = path, ""
        if path.endswith(("/status", "/scale")):
            owner, _, part = path.rpartition("/")
        if owner not in self.objects:
            raise ApiError(404, "NotFound", f"{owner} not found")
        if method == "DELETE":
            return self.objects.pop(owner)
        if method == "PATCH":
            return self._store(owner, _merged(self.objects[owner], {"metadata": {}, **body} if not part else body))
        return copy.deepcopy(self.objects[owner])

    def _store(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        body["metadata"] = {**body["metadata"], "resourceVersion": str(self._version)}
        self.objects[path] = body
        return copy.deepcopy(body)

    def written(self, part: str) -> list[Any]:
        """Return the bodies that were written to paths with a text in them."""
        return [body for _, path, body in self.writes if part in path]


class MemoryPages:
    """Answers by URL: a page, or an exception."""

    def __init__(self) -> None:
        self.answers: dict[str, str | Exception] = {}
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []

    async def page(
        self,
        url: str,
        *,
        source: str,  # noqa: ARG002 - the scraper counts by it
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> str:
        self.asked.append((url, dict(headers or {}), dict(query or {})))
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return answer


def scaler(name: str = "s", *, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a BudAIScaler of Deployment d with one pod source."""
    source = {"metricSourceType": "pod", "targetMetric": "m", "targetValue": "10"}
    return {
        "apiVersion": "scaler.bud.studio/v1alpha1",
        "kind": "BudAIScaler",
        "metadata": {
            "name": name,
            "namespace": "n",
            "uid": f"uid-{name}",
            "generation": 1,
            "resourceVersion": "1",
            "annotations": annotations or {},
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "maxReplicas": 5,
            "metricsSources": [source],
            **spec,
        },
    }


def deployment(replicas: int = 1, *, kind: str = "Deployment") -> dict[str, Any]:
    """Return the target."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "d", "namespace": "n", "uid": "uid-d", "resourceVersion": "1"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "d"}}},
    }


def pod(number: int = 1, *, ready: bool = True, requests: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a pod of the target, with address 127.9.9.<number>."""
    return {
        "metadata": {"name": f"d-{number}", "namespace": "n", "uid": f"uid-{number}", "labels": {"app": "d"}},
        "spec": {"containers": [{"resources": {"requests": requests or {}}}]},
        "status": {
            "phase": "Running",
            "podIP": f"127.9.9.{number}",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def _merged(stored: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as RFC 7396 says."""
    result = dict(stored)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = result.get(key)
            result[key] = _merged(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = value
    return result
