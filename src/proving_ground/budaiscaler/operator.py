"""The stand-in as a kopf operator: watches on one side, the reconciler on the other."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import aiohttp.web
import kopf

from proving_ground.budaiscaler.counters import Counters
from proving_ground.budaiscaler.reconciler import Reconciler
from proving_ground.budaiscaler.scraping import Scraper
from proving_ground.budaiscaler.settings import GROUP, PLURAL, VERSION, Settings
from proving_ground.kube import operator_pages
from proving_ground.kube.operator_api import Api, for_kopf, keep_lean

if TYPE_CHECKING:
    from proving_ground.kube.kubeconfig import Access

log = logging.getLogger(__name__)

GONE = "DELETED"
WATCHED = {"deployments": "Deployment", "statefulsets": "StatefulSet"}


def registry_for(reconciler: Reconciler, access: Access) -> kopf.OperatorRegistry:
    """Return the handlers; each hands the object on to the reconciler and is done."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return for_kopf(access)

    @kopf.on.startup(registry=registry)
    async def startup(settings: kopf.OperatorSettings, **_: Any) -> None:
        keep_lean(settings)
        await reconciler.preload()

    @kopf.on.cleanup(registry=registry)
    async def cleanup(**_: Any) -> None:
        # Before kopf looks for tasks that are left, which it cancels, and whose errors it takes for its own.
        await reconciler.close()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def scalers(event: Any, **_: Any) -> None:
        act = reconciler.scaler_gone if event["type"] == GONE else reconciler.scaler_seen
        act(event["object"])

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def pods(event: Any, **_: Any) -> None:
        act = reconciler.pod_gone if event["type"] == GONE else reconciler.pod_seen
        act(event["object"])

    @kopf.on.event("", "v1", "namespaces", registry=registry)
    async def namespaces(event: Any, **_: Any) -> None:
        if event["type"] == GONE:
            reconciler.world.namespace_gone(event["object"]["metadata"]["name"])
        else:
            reconciler.namespace_seen(event["object"])

    for plural, kind in WATCHED.items():
        kopf.on.event("apps", "v1", plural, registry=registry)(_workloads(reconciler, kind))
    return registry


def _workloads(reconciler: Reconciler, kind: str) -> Any:
    async def workloads(event: Any, **_: Any) -> None:
        body, world = event["object"], reconciler.world
        if event["type"] == GONE:
            world.workload_gone(kind, body["metadata"]["namespace"], body["metadata"]["name"])
        else:
            world.workload_seen({**body, "kind": kind})

    return workloads


async def serve(
    access: Access,
    settings: Settings,
    *,
    metrics_seconds: float,
    proxy: str = "",
    health: operator_pages.Address | None = None,
    metrics: operator_pages.Address | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the stand-in until it is stopped.

    Args:
        access: The cluster.
        settings: Clock and cadence.
        metrics_seconds: Within which an endpoint of metrics must answer.
        proxy: URL of the HTTP proxy that resolves the names of Services, or empty.
        health: Address and port for ``/healthz`` (alive) and ``/readyz`` (200 once it watches), or None.
        metrics: Address and port for ``/metrics``, or None.
        stop: Ends the run when set; signals do too.
    """
    ready, counters = asyncio.Event(), Counters()
    runners = []
    async with Api(access) as api, Scraper(seconds=metrics_seconds, proxy=proxy, counters=counters) as scraper:
        reconciler = Reconciler(api, scraper, counters, settings)
        try:
            if health is not None:
                runners.append(await operator_pages.listen(health, operator_pages.health(ready)))
            if metrics is not None:
                runners.append(await operator_pages.listen(metrics, _metrics(reconciler, counters)))
            await kopf.operator(
                registry=registry_for(reconciler, access),
                clusterwide=True,
                standalone=True,
                ready_flag=ready,
                stop_flag=stop,
            )
        finally:
            await reconciler.close()
            for runner in runners:
                await runner.cleanup()


def _metrics(reconciler: Reconciler, counters: Counters) -> operator_pages.Pages:
    async def metrics(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(
            body=counters.text(reconciler.scalers).encode(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    return {"/metrics": metrics}
