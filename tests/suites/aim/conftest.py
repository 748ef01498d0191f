"""What the checks of the AIM engine ask for by name."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground import kube
from proving_ground.aim.verification import Aim
from proving_ground.kube import Reference

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from proving_ground.kube import Cluster, Object
    from proving_ground.plugin.check_run import CheckRun


@pytest.fixture
async def aim(check: CheckRun, cluster: Cluster, namespace: str, parameters: Callable[[str], Mapping[str, Any]]) -> Aim:
    """The AIM engine, as this check uses it."""
    return Aim(cluster, check, namespace, parameters("aim"))


@pytest.fixture
async def single_gpu(cluster: Cluster, namespace: str) -> AsyncIterator[str]:
    """An extended resource of which one node has one, and nobody else asks for it.

    Advertised as Kubernetes documents it: a patch of the node's status.
    """
    resource = f"proving.ground/gpu-{namespace.rpartition('-')[2]}"
    ready = [node for node in await cluster.list("v1", "Node") if is_schedulable(node)]
    assert ready, "the cluster has no node that takes pods"
    node = Reference.of(ready[0])
    await cluster.patch_status(node, {"capacity": {resource: "1"}, "allocatable": {resource: "1"}})
    try:
        yield resource
    finally:
        with contextlib.suppress(kube.NotFoundError):
            await cluster.patch_status(node, {"capacity": {resource: None}, "allocatable": {resource: None}})


def is_schedulable(node: Object) -> bool:
    """Tell whether a node is ready and takes pods that tolerate nothing."""
    hard = [t for t in node["spec"].get("taints") or [] if t.get("effect") != "PreferNoSchedule"]
    ready = any(kind == "Ready" and status == "True" for kind, status, _, _ in kube.conditions(node))
    return ready and not hard and not node["spec"].get("unschedulable")
