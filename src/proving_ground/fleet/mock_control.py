"""The part of the control API that tells mocks what to show, and says how often they were read."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.fleet.remembered import TIMED, Setting
from proving_ground.mocks import MockError, read_query

if TYPE_CHECKING:
    from starlette.requests import Request

    from proving_ground.fleet.fleet import Fleet
    from proving_ground.fleet.replica import Replica

BODY_LIMIT = 64 * 1024


def _refusal(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)


async def _setting(request: Request) -> Setting:
    """Read what to tell the mocks, from the query and the form that a POST may bring.

    Raises:
        MockError: It cannot be read.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            raise MockError(f"expected at most {BODY_LIMIT} bytes", where="body", status=413)
        parts.append(part)
    form = b"".join(parts).decode("utf-8", "replace")
    query = read_query("&".join(filter(None, (request.url.query, form))))
    container, path = query.pop("container", ""), str(request.path_params["path"])
    if path in TIMED:
        query.setdefault("since", f"{time.time():.6f}")
    return Setting(container, path, query)


def _moment(text: str | None) -> float | None:
    """Read a unix time.

    Raises:
        ValueError: It is none.
    """
    if text is None:
        return None
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def replicas_of(fleet: Fleet, namespace: str, workload: str) -> list[Replica]:
    """Return the live replicas of a workload."""
    return [
        runner.replica
        for runner in fleet.in_namespace(namespace)
        if runner.pod.workload == workload and runner.replica is not None
    ]


class _MockApi:
    """The endpoints, over one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def workload_mock(self, request: Request) -> Response:
        namespace, name = _key(request)
        try:
            setting = await _setting(request)
            replicas = replicas_of(self._fleet, namespace, name)
            told = self._fleet.mocks.change(replicas, setting)
        except MockError as error:
            return _refusal(error.status, str(error))
        if replicas and not told:
            place = f" in container {setting.container}" if setting.container else ""
            return _refusal(404, f"no pod of {namespace}/{name} has a mock{place}")
        self._fleet.mocks.remember(namespace, name, setting)
        return JSONResponse({"pods": told})

    async def pod_mock(self, request: Request) -> Response:
        namespace, name = _key(request)
        runner = self._fleet.pod(namespace, name)
        if runner is None:
            return _refusal(404, f"pod {namespace}/{name} is not known to the fleet")
        if runner.replica is None:
            return _refusal(409, f"pod {namespace}/{name} does not run")
        try:
            told = self._fleet.mocks.change([runner.replica], await _setting(request))
        except MockError as error:
            return _refusal(error.status, str(error))
        if not told:
            return _refusal(404, f"pod {namespace}/{name} has no such mock")
        return JSONResponse({"pods": told})

    async def scrapes(self, request: Request) -> Response:
        key = _key(request)
        total, pods = self._fleet.mocks.ledger.scrapes(key, replicas_of(self._fleet, *key))
        return JSONResponse({"scrapes": total, "pods": pods})

    async def history(self, request: Request) -> Response:
        key = _key(request)
        try:
            since = _moment(request.query_params.get("since"))
        except ValueError as error:
            return _refusal(400, f"since: expected a unix time: {str(error)[:80]}")
        return JSONResponse({"pods": self._fleet.mocks.ledger.history(key, replicas_of(self._fleet, *key), since)})


def _key(request: Request) -> tuple[str, str]:
    return request.path_params["namespace"], request.path_params["name"]


def mock_routes(fleet: Fleet) -> list[Route]:
    """Return the routes of this part."""
    api, workload, both = _MockApi(fleet), "/namespaces/{namespace}/workloads/{name}", ["GET", "POST"]
    return [
        Route(workload + "/mock/{path}", api.workload_mock, methods=both),
        Route("/namespaces/{namespace}/pods/{name}/mock/{path}", api.pod_mock, methods=both),
        Route(workload + "/scrapes", api.scrapes),
        Route(workload + "/history", api.history),
    ]
