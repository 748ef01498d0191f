"""Pods, Services, and what is left of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from proving_ground.kube import Reference, remove_namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Seen

pytestmark = [pytest.mark.pre_merge, pytest.mark.integration]
REPLICAS = 6
PORT = 8000
BUSYBOX = "docker.io/library/busybox:1.37"


async def test_a_pod_lands_and_its_log_is_readable(seen: Seen, namespace: str, random_word: Callable[[], str]) -> None:
    """A pod is placed, becomes ready, and what it prints can be read."""
    word = random_word()
    one = seen.pod("talker", namespace, image=BUSYBOX, command=["sh", "-c", f"echo {word}; exec sleep 3600"], ports=[])
    one["metadata"]["annotations"] = {"sim.proving.ground/log-lines": word}
    await seen.cluster.create(one)
    (landed,) = await seen.until_ready(namespace, 1, "talker")
    assert landed["spec"]["nodeName"]
    assert word in await seen.log("talker", namespace)


@pytest.mark.needs_fleet
async def test_every_pod_of_a_deployment_answers_on_its_own_address(seen: Seen, namespace: str) -> None:
    """Every pod of a deployment has an address of its own and answers there."""
    await seen.cluster.create(seen.deployment("many", namespace, REPLICAS))
    pods = await seen.until_ready(namespace, REPLICAS, "many")
    addresses = {one["status"]["podIP"] for one in pods}
    assert len(addresses) == REPLICAS
    await asyncio.gather(*(seen.until_health(f"http://{address}:{PORT}", 200, 10) for address in addresses))


async def _served(seen: Seen, namespace: str) -> str:
    """Make a deployment with a Service, and return the Service's URL when it answers."""
    await seen.cluster.create(seen.deployment("web", namespace, 2))
    made = await seen.cluster.create(seen.service("web", namespace))
    url = f"http://{made['spec']['clusterIP']}:{PORT}"
    await seen.until_ready(namespace, 2, "web")
    await seen.until_health(url, 200, 10)
    return url


@pytest.mark.needs_fleet
async def test_a_service_answers_while_it_has_pods(seen: Seen, namespace: str) -> None:
    """A Service answers as soon as a pod behind it is ready."""
    await _served(seen, namespace)


@pytest.mark.needs_fleet
async def test_a_service_refuses_when_its_pods_are_gone(seen: Seen, namespace: str) -> None:
    """A Service whose pods were removed answers no more."""
    url = await _served(seen, namespace)
    await seen.cluster.patch(Reference("apps/v1", "Deployment", "web", namespace), {"spec": {"replicas": 0}})
    await seen.until_health(url, None, 20)


async def test_a_removed_namespace_leaves_nothing(seen: Seen, namespace: str) -> None:
    """When a namespace with objects in it is removed, it and they are gone."""
    stuck = seen.check.settings.fault == "left-behind"
    metadata = {"name": "leaf", "namespace": namespace, "finalizers": ["proving.ground/left-behind"] if stuck else []}
    await seen.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    await seen.cluster.create(seen.pod("leaf", namespace))
    try:
        # Never cut: a namespace takes five seconds to go by itself, whatever is wrong with it.
        await remove_namespace(seen.cluster, namespace, timeout=25)
        for kind in ("Pod", "ConfigMap"):
            assert await seen.cluster.list("v1", kind, namespace) == []
    finally:
        if stuck:
            leaf = Reference("v1", "ConfigMap", "leaf", namespace)
            await seen.cluster.patch(leaf, {"metadata": {"finalizers": None}})
