"""The stand-in as a kopf operator: watches on one side, the reconciler on the other."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import kopf

from proving_ground.aim import objects
from proving_ground.aim.reconciler import Reconciler, Settings
from proving_ground.aim.status import VERSION
from proving_ground.kube import operator_pages
from proving_ground.kube.operator_api import Api, for_kopf, keep_lean

if TYPE_CHECKING:
    from proving_ground.aim.catalogue import Catalogue
    from proving_ground.kube.kubeconfig import Access

log = logging.getLogger(__name__)

GONE = "DELETED"


def registry_for(reconciler: Reconciler, access: Access, group: str) -> kopf.OperatorRegistry:
    """Return the handlers; each hands the object on to the reconciler and is done."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return for_kopf(access)

    @kopf.on.startup(registry=registry)
    async def startup(settings: kopf.OperatorSettings, **_: Any) -> None:
        keep_lean(settings)
        ours = f"{objects.MANAGED_BY}={objects.MANAGER},{objects.service_label(group)}"
        settings.watching.label_selectors["pods"] = ours
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
    health: operator_pages.Address | None = None,
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
        runner = await operator_pages.listen(health, operator_pages.health(ready)) if health else None
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
