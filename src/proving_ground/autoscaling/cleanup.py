"""Removing what the autoscaling suites made, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from proving_ground.autoscaling.manifests import SCALER, SUITE_LABEL
from proving_ground.kube import NotFoundError, Reference, UnknownKindError, remove_namespace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.kube import Cluster, Object

MANAGED, OWNER = "app.kubernetes.io/managed-by", "proving-ground"
"""Label of namespaces that suites made themselves."""
# The scalers first: nothing scales any more what is removed after them.
KINDS: tuple[tuple[str, str], ...] = (
    SCALER,
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "ResourceQuota"),
)
SECONDS = 60.0


def is_ours(namespace: Object) -> bool:
    """Tell whether suites made a namespace: then all that is in it is theirs, too."""
    labels = namespace["metadata"].get("labels") or {}
    return SUITE_LABEL in labels and labels.get(MANAGED) == OWNER


async def clean(cluster: Cluster, namespace: str, *, seconds: float = SECONDS) -> list[str]:
    """Remove what suites left in a namespace, and in those whose names begin with its name and a dash.

    Args:
        cluster: The cluster.
        namespace: Name of the namespace.
        seconds: How long the removal of one may take.

    Returns:
        What was removed, in lines for people.

    Raises:
        WaitTimeoutError: Something does not go; the message tells what keeps it.
    """
    found = await cluster.list("v1", "Namespace")
    chosen = [
        obj["metadata"]["name"]
        for obj in found
        if obj["metadata"]["name"] == namespace
        or (obj["metadata"]["name"].startswith(f"{namespace}-") and is_ours(obj))
    ]
    removed = await asyncio.gather(*(empty(cluster, name, seconds=seconds) for name in sorted(chosen)))
    return [line for lines in removed for line in lines]


async def empty(cluster: Cluster, namespace: str, *, seconds: float = SECONDS, namespace_too: bool = True) -> list[str]:
    """Remove what suites made in one namespace, and itself if they made it.

    Args:
        cluster: The cluster.
        namespace: Its name.
        seconds: How long that may take.
        namespace_too: Whether the namespace goes if suites made it.

    Returns:
        What was removed, in lines for people.
    """
    found = await cluster.get("v1", "Namespace", namespace)
    if found is None:
        return []
    if namespace_too and is_ours(found):
        await remove_namespace(cluster, namespace, timeout=seconds)
        return [f"namespace {namespace}"]
    removed = []
    for api_version, kind in KINDS:
        references = [Reference.of(obj) for obj in await _labelled(cluster, api_version, kind, namespace)]
        await asyncio.gather(*(cluster.remove(reference, timeout=seconds) for reference in references))
        removed += [str(reference) for reference in references]
    return removed


async def _labelled(cluster: Cluster, api_version: str, kind: str, namespace: str) -> Sequence[Object]:
    """Return the objects that suites labelled; none where the cluster does not know the kind.

    What a controller made for them carries the label of their pod template at most, and goes with its owner.
    """
    try:
        found = await cluster.list(api_version, kind, namespace)
    except (UnknownKindError, NotFoundError):
        return []
    return [
        obj
        for obj in found
        if SUITE_LABEL in (obj["metadata"].get("labels") or {}) and not obj["metadata"].get("ownerReferences")
    ]
