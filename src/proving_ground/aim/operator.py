"""The stand-in as a kopf operator: watches on one side, the reconciler on the other."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import aiohttp.web
import kopf

from proving_ground.aim import objects
from proving_ground.aim.reconciler import Reconciler, Settings
from proving_ground.aim.status import VERSION
from proving_ground.kube.operator_api import Api, for_kopf

if TYPE_CHECKING:
    from proving_ground.aim.catalogue import Catalogue
    from proving_ground.kube.kubeconfig import Access

log = logging.getLogger(__name__)

GONE = "DELETED"


def operator_settings(settings: kopf.OperatorSettings, group: str) -> None:
    """Keep kopf lean: no peering, no Events of its own, and only the pods that belong to services.

    All handlers are ``on.event`` handlers, for which kopf writes neither annotations nor finalizers.
    """
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.queueing.idle_timeout = 1.0
    settings.queueing.exit_timeout = 0.5
    settings.process.ultimate_exiting_timeout = 10.0
    settings.watching.label_selectors["pods"] = f"{objects.MANAGED_BY}={objects.MANAGER},{objects.service_label(group)}"


def registry_for(reconciler: Reconciler, access: Access, group: str) -> kopf.OperatorRegistry:
    """Return the handlers; each hands the object on to the reconciler and is done."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return for_kopf(access)

    @kopf.on.startup(registry=registry)
    async def startup(settings: kopf.OperatorSettings, **_: Any) -> None:
        operator_settings(settings, group)
        await reconciler.preload()

    @kopf.on.event(group, VERSION, "aimservices", registry=registry)
    async def services(event: Any, **_: Any) -> None:
        act = reconciler.service_gone if event["type"] == GONE else reconciler.service_seen
        act(event["object"])

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def pods(event: Any, **_: Any) -> None:
        act = reconciler.pod_gone if event["type"] == GONE else reconciler.pod_seen
        act(event["object"])

    @kopf.on.event("", "v1", "secrets", registry=registry)
    async def secrets(event: Any, **_: Any) -> None:
        metadata = event["object"]["metadata"]
        reconciler.secret_seen(metadata["namespace"], metadata["name"])

    @kopf.on.event("", "v1", "namespaces", registry=registry)
    async def namespaces(event: Any, **_: Any) -> None:
        act = reconciler.namespace_gone if event["type"] == GONE else reconciler.namespace_seen
        act(event["object"])

    return registry


async def serve(
    access: Access,
    catalogue: Catalogue,
    settings: Settings,
    *,
    health: tuple[str, int] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the stand-in until it is stopped.

    Args:
        access: The cluster.
        catalogue: The model images there are.
        settings: API group and GPU resource.
        health: Address and port for ``/healthz`` (alive) and ``/readyz`` (200 once it watches), or None.
        stop: Ends the run when set; signals do too.
    """
    ready = asyncio.Event()
    async with Api(access) as api:
        reconciler = Reconciler(api, catalogue, settings)
        runner = await _health(health, ready) if health else None
        try:
            await kopf.operator(
                registry=registry_for(reconciler, access, settings.group),
                clusterwide=True,
                standalone=True,
                ready_flag=ready,
                stop_flag=stop,
            )
        finally:
            await reconciler.close()
            if runner is not None:
                await runner.cleanup()


async def _health(address: tuple[str, int], ready: asyncio.Event) -> aiohttp.web.AppRunner:
    async def alive(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(text="ok\n")

    async def watching(_: aiohttp.web.Request) -> aiohttp.web.Response:
        if ready.is_set():
            return aiohttp.web.Response(text="ok\n")
        return aiohttp.web.Response(text="starting\n", status=503)

    app = aiohttp.web.Application()
    app.add_routes([aiohttp.web.get("/healthz", alive), aiohttp.web.get("/readyz", watching)])
    runner = aiohttp.web.AppRunner(app, handle_signals=False, shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, *address).start()
    return runner
