"""The metrics APIs of Kubernetes: what the API server is told when it asks about usage and custom metrics of pods."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from proving_ground.chainsaw.label_selectors import parse_selectors, selected
from proving_ground.errors import ConfigurationError
from proving_ground.fleet import usage
from proving_ground.fleet.factories.engine import told_values
from proving_ground.fleet.life import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.requests import Request

    from proving_ground.chainsaw.label_selectors import Requirement
    from proving_ground.fleet.fleet import Fleet
    from proving_ground.fleet.pods import PodRunner
    from proving_ground.fleet.usage import Usage

RESOURCE_VERSION = f"{usage.RESOURCE_GROUP}/v1beta1"
CUSTOM_VERSIONS = ("v1beta2", "v1beta1")


def _now() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


def _told(runner: PodRunner) -> dict[str, Usage]:
    """Return what the mocks of a pod say that it uses, by container."""
    replica = runner.replica
    return {} if replica is None else {name: mock.resources() for name, mock in replica.mocks.items()}


def _used(runner: PodRunner) -> Usage:
    each = usage.shares(runner.pod, _told(runner)).values()
    return sum(cpu for cpu, _ in each), sum(memory for _, memory in each)


def values_of(runner: PodRunner) -> Mapping[str, float]:
    """Return the metrics of a pod by name: those of its mocks, else those of its inference server."""
    replica = runner.replica
    if replica is None:
        return {}
    found = dict(told_values(replica)) if runner.behaviour.server == "openai" else {}
    for mock in replica.mocks.values():
        found |= mock.values()
    return found


def _selector(request: Request) -> tuple[Requirement, ...]:
    text = request.query_params.get("labelSelector")
    try:
        return parse_selectors([text]) if text else ()
    except ConfigurationError as error:
        raise HTTPException(400, f"unable to parse requirement: {error.what}") from error


def _not_found(message: str) -> HTTPException:
    return HTTPException(404, message)


async def _failed(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = error.detail if isinstance(error, HTTPException) else "Internal Server Error"
    reason = {400: "BadRequest", 404: "NotFound", 405: "MethodNotAllowed"}.get(status, "InternalError")
    return JSONResponse(usage.failure(status, reason, message), status)


class _Apis:
    """The endpoints, over one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def _ready(self, namespace: str | None, requirements: Sequence[Requirement] = ()) -> list[PodRunner]:
        runners: Iterable[PodRunner] = self._fleet.pods if namespace is None else self._fleet.in_namespace(namespace)
        found = [r for r in runners if _measured(r) and selected(r.pod.labels, requirements)]
        return sorted(found, key=lambda runner: runner.pod.key)

    async def groups(self, _: Request) -> Response:
        known = [usage.group(usage.RESOURCE_GROUP, ["v1beta1"]), usage.group(usage.CUSTOM_GROUP, CUSTOM_VERSIONS)]
        return JSONResponse({"kind": "APIGroupList", "apiVersion": "v1", "groups": known})

    async def one_group(self, request: Request) -> Response:
        name = request.path_params["group"]
        versions = {usage.RESOURCE_GROUP: ["v1beta1"], usage.CUSTOM_GROUP: CUSTOM_VERSIONS}.get(name)
        if versions is None:
            raise _not_found("the server could not find the requested resource")
        return JSONResponse(usage.group(name, versions))

    async def resource_resources(self, _: Request) -> Response:
        verbs = ("get", "list")
        nodes = usage.resource("nodes", "NodeMetrics", verbs, namespaced=False)
        pods = usage.resource("pods", "PodMetrics", verbs, namespaced=True)
        return JSONResponse(usage.resources(RESOURCE_VERSION, [nodes, pods]))

    async def pods(self, request: Request) -> Response:
        runners = self._ready(request.path_params.get("namespace"), _selector(request))
        now = _now()
        items = [usage.pod_metrics(runner.pod, _told(runner), now) for runner in runners]
        return JSONResponse(usage.listed("PodMetricsList", RESOURCE_VERSION, items))

    async def pod(self, request: Request) -> Response:
        namespace, name = request.path_params["namespace"], request.path_params["name"]
        runner = self._fleet.pod(namespace, name)
        if runner is None or not _measured(runner):
            raise _not_found(f'pods.{usage.RESOURCE_GROUP} "{name}" not found')
        return JSONResponse(usage.pod_metrics(runner.pod, _told(runner), _now()))

    def _nodes(self) -> dict[str, list[Usage]]:
        found: dict[str, list[Usage]] = defaultdict(list)
        for runner in self._fleet.pods:
            found[runner.pod.node].extend([_used(runner)] if _measured(runner) else [])
        return found

    async def nodes(self, request: Request) -> Response:
        # The fleet knows no labels of nodes, so that a selector finds none that has to have some.
        requirements, now = _selector(request), _now()
        nodes = sorted(self._nodes().items()) if selected({}, requirements) else []
        items = [usage.node_metrics(name, used, now) for name, used in nodes]
        return JSONResponse(usage.listed("NodeMetricsList", RESOURCE_VERSION, items))

    async def node(self, request: Request) -> Response:
        name = request.path_params["name"]
        used = self._nodes().get(name)
        if used is None:
            raise _not_found(f'nodes.{usage.RESOURCE_GROUP} "{name}" not found')
        return JSONResponse(usage.node_metrics(name, used, _now()))

    async def custom_resources(self, request: Request) -> Response:
        version = _version(request)
        names = sorted({name for runner in self._ready(None) for name in values_of(runner)})
        found = [usage.resource(f"pods/{name}", "MetricValueList", ["get"], namespaced=True) for name in names]
        return JSONResponse(usage.resources(f"{usage.CUSTOM_GROUP}/{version}", found))

    async def custom(self, request: Request) -> Response:
        version = _version(request)
        place = request.path_params
        namespace, name, metric = place["namespace"], place["name"], place["metric"]
        runners = self._ready(namespace, _selector(request))
        if name != "*":
            runners = [runner for runner in runners if runner.pod.name == name]
        now = _now()
        items: list[dict[str, Any]] = []
        for runner in runners:
            value = values_of(runner).get(metric)
            item = None if value is None else usage.metric_value(runner.pod, metric, value, version, now)
            items += [] if item is None else [item]
        if not items:
            of = "pods" if name == "*" else f"pods {name}"
            raise _not_found(f"the server could not find the metric {metric} for {of}")
        return JSONResponse(usage.listed("MetricValueList", f"{usage.CUSTOM_GROUP}/{version}", items))


def _measured(runner: PodRunner) -> bool:
    """Say whether there are metrics of a pod: it runs and is ready."""
    return runner.stage is Stage.READY and (runner.replica is None or runner.ready)


def _version(request: Request) -> str:
    version: str = request.path_params["version"]
    if version not in CUSTOM_VERSIONS:
        raise _not_found("the server could not find the requested resource")
    return version


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok")


def metrics_app(fleet: Fleet) -> Starlette:
    """Return the application of metrics.k8s.io and custom.metrics.k8s.io."""
    apis = _Apis(fleet)
    one, custom = f"/apis/{RESOURCE_VERSION}", f"/apis/{usage.CUSTOM_GROUP}/{{version}}"
    return Starlette(
        routes=[
            *(Route(path, _healthy) for path in ("/healthz", "/readyz", "/livez")),
            Route("/apis", apis.groups),
            Route("/apis/{group}", apis.one_group),
            Route(one, apis.resource_resources),
            Route(one + "/pods", apis.pods),
            Route(one + "/namespaces/{namespace}/pods", apis.pods),
            Route(one + "/namespaces/{namespace}/pods/{name}", apis.pod),
            Route(one + "/nodes", apis.nodes),
            Route(one + "/nodes/{name}", apis.node),
            Route(custom, apis.custom_resources),
            Route(custom + "/namespaces/{namespace}/pods/{name}/{metric}", apis.custom),
        ],
        exception_handlers={HTTPException: _failed},
    )
