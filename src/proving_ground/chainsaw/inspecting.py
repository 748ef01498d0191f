"""Operations that only show something: describe, get, events, podLogs. What was named and is not there fails them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.chainsaw.failfast import describe_event, diagnose
from proving_ground.chainsaw.failures import OperationError
from proving_ground.chainsaw.model import Describe, Events, Get, ObjectQuery, PodLogs
from proving_ground.chainsaw.queries import query, text
from proving_ground.kube import ApiError

if TYPE_CHECKING:
    from proving_ground.chainsaw.queries import Query
    from proving_ground.chainsaw.scope import Scope

_SELECTED_TAIL = 10  # lines of each container where pods are selected; all where one is named, as kubectl has it
_FORMATS = ("json", "yaml")


async def inspect(scope: Scope, operation: Describe | Get | Events | PodLogs) -> None:
    """Attach what the operation asks to see.

    Raises:
        OperationError: What it names is not there, or the cluster refuses to show it.
    """
    try:
        match operation:
            case PodLogs():
                await _pod_logs(scope, operation)
            case Events():
                await _events(scope, operation)
            case Describe():
                await _describe(scope, operation)
            case Get():
                wanted = await query(scope, operation.ref)
                found = await wanted.find(scope)
                show(scope, f"get {wanted}", found, await scope.string(operation.format) or "yaml")
    except ApiError as error:
        raise OperationError(str(error)) from error


def show(scope: Scope, title: str, objects: list[dict[str, Any]], form: str) -> None:
    """Attach objects as ``json`` or ``yaml``; what a Secret holds is left out.

    Raises:
        OperationError: The format is another one.
    """
    if form not in _FORMATS:
        raise OperationError(f"format has to be one of {', '.join(_FORMATS)}, is {form!r}")
    shown = []
    for obj in objects:
        metadata = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
        one = {**obj, "metadata": metadata}
        if obj.get("kind") == "Secret":
            one = {k: v for k, v in one.items() if k not in {"data", "stringData"}}
        shown.append(one)
    if not shown:
        told = "(none)"
    elif form == "yaml":
        told = yaml.safe_dump_all(shown, sort_keys=False)
    else:
        told = json.dumps(
            shown[0] if len(shown) == 1 else {"apiVersion": "v1", "kind": "List", "items": shown}, indent=2
        )
    _attach(scope, title, told)


def _attach(scope: Scope, name: str, told: str) -> None:
    scope.report.attach(scope.secrecy.hide(name), scope.secrecy.hide(told))


async def _describe(scope: Scope, operation: Describe) -> None:
    wanted = await query(scope, operation.ref)
    objects = await _named_like(scope, wanted) if wanted.name else await wanted.find(scope)
    if not objects:
        _attach(scope, f"describe {wanted}", "(none)")
    for obj in objects:
        for name, told in await diagnose(scope.cluster, obj, whole_namespace=False):
            if operation.show_events or not name.endswith(": events"):
                _attach(scope, name, told)


async def _named_like(scope: Scope, wanted: Query) -> list[dict[str, Any]]:
    """Return the object of a name, else those whose names begin with it, as ``kubectl describe`` finds them."""
    try:
        return await wanted.find(scope)
    except OperationError:
        others = await replace(wanted, name="").find(scope)
        found = [obj for obj in others if obj["metadata"]["name"].startswith(wanted.name)]
        if not found:
            raise
        return found


async def _events(scope: Scope, operation: Events) -> None:
    wanted = await query(scope, _query_of(operation, "Event"))
    found = await wanted.find(scope)
    form = await scope.string(operation.format)
    if form:
        show(scope, "events", found, form)
    else:
        _attach(scope, "events", "\n".join(describe_event(event) for event in found) or "(none)")


def _query_of(operation: Events | PodLogs, kind: str) -> ObjectQuery:
    return ObjectQuery(
        api_version="v1",
        kind=kind,
        name=operation.name,
        namespace=operation.namespace,
        selector=operation.selector,
        where=operation.where,
    )


async def _pod_logs(scope: Scope, operation: PodLogs) -> None:
    wanted = await query(scope, _query_of(operation, "Pod"))
    container = await text(scope, operation.container)
    tail = operation.tail or (None if wanted.name else _SELECTED_TAIL)
    problems: list[str] = []
    pods = await wanted.find(scope)
    for pod in pods:
        chosen = [name for name in _containers(pod) if not container or name == container]
        if not chosen:
            problems.append(f"Pod {pod['metadata']['name']} has no container {container!r}")
        for name in chosen:
            problems += await _log(scope, pod, name, None if tail is not None and tail < 0 else tail)
    if not pods:
        _attach(scope, f"logs of {wanted}", "(no pods)")
    if problems:
        raise OperationError(problems[0], "\n".join(problems[1:]))


def _containers(pod: dict[str, Any]) -> list[str]:
    spec = pod["spec"]
    kinds = ("initContainers", "containers", "ephemeralContainers")
    return [container["name"] for kind in kinds for container in spec.get(kind) or []]


async def _log(scope: Scope, pod: dict[str, Any], container: str, tail: int | None) -> list[str]:
    """Attach the log of a container, and that of its life before a restart; return what went wrong."""
    metadata, problems = pod["metadata"], []
    title = f"Pod {metadata['name']}: log of {container}"
    try:
        told = await scope.cluster.logs(metadata["name"], metadata["namespace"], container=container, tail=tail)
    except ApiError as error:
        told = f"no log: {error}"
        problems.append(f"{title}: {error}")
    _attach(scope, title, told or "(empty)")
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    if any(status["name"] == container and status.get("restartCount", 0) > 0 for status in statuses):
        try:
            told = await scope.cluster.logs(
                metadata["name"], metadata["namespace"], container=container, tail=tail, previous=True
            )
        except ApiError as error:  # it is extra: kubectl would not show it
            told = f"no log: {error}"
        _attach(scope, f"{title}, before its restart", told or "(empty)")
    return problems
