"""The fleet's control API: whether it lives, what it serves, and what its mocks are to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from proving_ground.fleet.mock_control import mock_routes

if TYPE_CHECKING:
    from starlette.requests import Request

    from proving_ground.fleet.fleet import Fleet
    from proving_ground.fleet.pods import PodRunner


def pod_entry(runner: PodRunner) -> dict[str, Any]:
    """Describe a pod for diagnostics."""
    behaviour = runner.behaviour
    return {
        "namespace": runner.pod.namespace,
        "name": runner.pod.name,
        "node": runner.pod.node,
        "address": runner.address,
        "ports": [number for _, number in behaviour.ports] if runner.replica is not None else [],
        "state": runner.stage.value if runner.stage else "Pending",
        "ready": runner.ready,
        "server": behaviour.server,
        "workload": runner.pod.workload,
        "mocks": {plan.container: plan.mock for plan in behaviour.mocks},
        "model": runner.replica.served_model if runner.replica else behaviour.model,
        "restarts": runner.restarts,
        "requests": runner.requests,
        "problem": runner.problem,
    }


def control_app(fleet: Fleet) -> Starlette:
    """Return the application of the control API."""

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def pods(_: Request) -> Response:
        entries = [pod_entry(runner) for runner in fleet.pods]
        return JSONResponse({"pods": sorted(entries, key=lambda entry: (entry["namespace"], entry["name"]))})

    async def services(_: Request) -> Response:
        desk = fleet.services
        entries = [
            {
                "namespace": service.namespace,
                "name": service.name,
                "address": service.address,
                "listening": [port for _, port in desk.listening(service)],
                "problems": [text for place, text in desk.problems.items() if place[0] == service.address],
            }
            for service in desk.services
        ]
        return JSONResponse({"services": sorted(entries, key=lambda entry: (entry["namespace"], entry["name"]))})

    own = [Route("/healthz", health), Route("/pods", pods), Route("/services", services)]
    return Starlette(routes=[*own, *mock_routes(fleet)])
