"""Nodes and their GPUs."""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING

import pytest

from proving_ground.kube import Reference

if TYPE_CHECKING:
    from conftest import Seen

    from proving_ground.kube import Object

pytestmark = [pytest.mark.pre_merge, pytest.mark.smoke]
PODS = 5
MORE_THAN_ANY = 1000


async def test_every_node_is_ready(seen: Seen) -> None:
    """There are nodes, and each says that it is ready."""
    nodes = await seen.nodes()
    seen.check.metric("nodes", len(nodes))
    assert nodes, "the cluster has no node"
    assert [node["metadata"]["name"] for node in nodes if not seen.is_ready(node)] == []


@pytest.mark.needs_gpu
async def test_every_gpu_can_be_allocated(seen: Seen) -> None:
    """Every GPU that a node has can be allocated."""
    nodes = [node for node in await seen.nodes() if seen.gpus(node)]
    seen.check.metric("gpus", sum(sum(seen.gpus(node).values()) for node in nodes))
    assert nodes, "no node has a GPU"
    differing = {n["metadata"]["name"]: (seen.gpus(n), seen.gpus(n, "allocatable")) for n in nodes}
    assert {name: pair for name, pair in differing.items() if pair[0] != pair[1]} == {}


async def _resource(seen: Seen, nodes: list[Object]) -> str:
    """Return the GPU resource that the most nodes have; of several the one of which pods hold the fewest now."""
    having = collections.Counter(name for node in nodes for name in seen.gpus(node))
    held: collections.Counter[str] = collections.Counter()
    # One that waits holds none, however many it asks for.
    placed = [pod for pod in await seen.cluster.list("v1", "Pod") if pod["spec"].get("nodeName")]
    for pod in placed:
        for container in pod["spec"]["containers"]:
            limits = (container.get("resources") or {}).get("limits") or {}
            held.update({name: int(limits[name]) for name in having if name in limits})
    return min(having, key=lambda name: (-having[name], held[name]))


@pytest.mark.needs_gpu
async def test_pods_of_two_gpus_fit_their_node(seen: Seen, namespace: str) -> None:
    """Pods that ask for two GPUs each land, and no node hands out more GPUs than it has."""
    nodes = await seen.nodes()
    resource = await _resource(seen, nodes)
    count = min(PODS, sum(seen.gpus(node).get(resource, 0) // 2 for node in nodes) or PODS)
    names = [f"pair-{number}" for number in range(count)]
    made = [seen.pod(name, namespace, gpu={resource: 2}) for name in names]
    for one in made:
        one["metadata"]["labels"]["app"] = "pair"
    await asyncio.gather(*(seen.cluster.create(one) for one in made))
    await seen.until_ready(namespace, count, "pair")
    used: collections.Counter[str] = collections.Counter()
    for running in await seen.cluster.list("v1", "Pod", namespace):
        limits = running["spec"]["containers"][0]["resources"]["limits"]
        used[running["spec"]["nodeName"]] += int(limits[resource])
    assert sum(used.values()) == 2 * count
    capacity = {node["metadata"]["name"]: seen.gpus(node).get(resource, 0) for node in await seen.nodes()}
    assert {name: count for name, count in used.items() if count > capacity[name]} == {}


@pytest.mark.needs_gpu
async def test_a_pod_with_too_many_gpus_waits(seen: Seen, namespace: str) -> None:
    """A pod that asks for more GPUs than any node has is not placed, and the scheduler says why."""
    resource = await _resource(seen, await seen.nodes())
    await seen.cluster.create(seen.pod("greedy", namespace, gpu={resource: MORE_THAN_ANY}))
    message = await seen.until_unschedulable(Reference("v1", "Pod", "greedy", namespace))
    assert resource in message
