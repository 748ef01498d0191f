"""Operations that only show something: describe, get, events, podLogs; for catch and finally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.chainsaw.failfast import describe_event, diagnose, logs
from proving_ground.chainsaw.failures import OperationError
from proving_ground.chainsaw.model import Describe, Events, Get, PodLogs
from proving_ground.kube import ApiError

if TYPE_CHECKING:
    from proving_ground.chainsaw.model import ObjectQuery
    from proving_ground.chainsaw.scope import Scope

_DEFAULT_TAIL = 200


async def inspect(scope: Scope, operation: Describe | Get | Events | PodLogs) -> None:
    """Attach what the operation asks to see.

    Raises:
        OperationError: The cluster refuses to show it.
    """
    try:
        match operation:
            case PodLogs():
                await _pod_logs(scope, operation)
            case Events():
                await _events(scope, operation)
            case Describe():
                for obj in await _find(scope, operation.ref):
                    for name, text in await diagnose(scope.cluster, obj, whole_namespace=False):
                        _attach(scope, name, text)
            case Get():
                found = await _find(scope, operation.ref)
                _attach(scope, f"get {operation.ref.kind}", _dump(found))
    except ApiError as error:
        raise OperationError(str(error)) from error


def _attach(scope: Scope, name: str, text: str) -> None:
    scope.report.attach(scope.secrecy.hide(name), scope.secrecy.hide(text))


def _dump(objects: list[dict[str, Any]]) -> str:
    shown = []
    for obj in objects:
        metadata = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
        one = {**obj, "metadata": metadata}
        if obj.get("kind") == "Secret":
            one = {k: v for k, v in one.items() if k not in {"data", "stringData"}}
        shown.append(one)
    return yaml.safe_dump_all(shown, sort_keys=False) if shown else "(none)"


async def _find(scope: Scope, query: ObjectQuery) -> list[dict[str, Any]]:
    api_version, kind = await scope.string(query.api_version), await scope.string(query.kind)
    resource = await scope.cluster.resource(api_version, kind)
    namespace = (await scope.string(query.namespace) or scope.namespace) if resource.namespaced else ""
    if query.name:
        found = await scope.cluster.get(api_version, kind, await scope.string(query.name), namespace)
        return [found] if found else []
    selector = await scope.string(query.selector)
    return await scope.cluster.list(api_version, kind, namespace, labels=selector)


async def _events(scope: Scope, operation: Events) -> None:
    namespace = await scope.string(operation.namespace) or scope.namespace
    name = await scope.string(operation.name)
    found = await scope.cluster.list("v1", "Event", namespace, labels=await scope.string(operation.selector))
    shown = [event for event in found if not name or event["metadata"]["name"] == name]
    _attach(scope, "events", "\n".join(describe_event(event) for event in shown) or "(none)")


async def _pod_logs(scope: Scope, operation: PodLogs) -> None:
    namespace = await scope.string(operation.namespace) or scope.namespace
    name = await scope.string(operation.name)
    pods = await scope.cluster.list("v1", "Pod", namespace, labels=await scope.string(operation.selector))
    tail = _DEFAULT_TAIL if operation.tail is None else operation.tail
    for pod in [p for p in pods if not name or p["metadata"]["name"] == name]:
        for title, text in await logs(scope.cluster, pod, tail=tail, container=await scope.string(operation.container)):
            _attach(scope, title, text)
