"""Workloads that are scaled: their pods, and waiting for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.kube import Reference, Target, conditions, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proving_ground.kube import Cluster, Object
    from proving_ground.plugin.check_run import CheckRun

APPS = "apps/v1"
SECONDS = 120.0
"""For which pods and Deployments are waited for by default, as the shell utilities of upstream do."""
_KINDS = ("Deployment", "StatefulSet", "ReplicaSet")


class Workloads:
    """The workloads of one namespace, as a check waits for them; waits are cut to the check's limit.

    Args:
        cluster: The cluster.
        check: The check.
        namespace: Where they are.
    """

    def __init__(self, cluster: Cluster, check: CheckRun, namespace: str) -> None:
        self.cluster = cluster
        self.check = check
        self.namespace = namespace

    async def wait_for_pod(self, label: str, *, seconds: float = SECONDS) -> Object:
        """Wait until a pod with a label (``app=x``, several with commas) is ready, and return it."""
        found = await self._wait(label, lambda pods: any(is_ready(pod) for pod in pods), "a ready pod", seconds)
        return next(pod for pod in found if is_ready(pod))

    async def wait_for_pods(self, label: str, count: int, *, seconds: float = SECONDS) -> list[Object]:
        """Wait until exactly so many pods with a label are there and ready, and return them."""

        def exactly(pods: Sequence[Object]) -> bool:
            alive = [pod for pod in pods if is_alive(pod)]
            return len(alive) == count and all(is_ready(pod) for pod in alive)

        found = await self._wait(label, exactly, f"{count} ready pods", seconds)
        return [pod for pod in found if is_alive(pod)]

    async def wait_for_deployment(self, name: str, *, seconds: float = SECONDS) -> Object:
        """Wait until a Deployment is available with all its replicas, and return it."""
        reference = Reference(APPS, "Deployment", name, self.namespace)
        limit = self.check.settings.cut(seconds)
        found = await self.cluster.wait_for(reference, is_available, timeout=limit, what="all replicas available")
        return found or {}

    async def replicas(self, name: str, kind: str = "Deployment") -> int:
        """Return how many replicas a workload is told to have."""
        return int((await self.get(name, kind))["spec"].get("replicas", 1))

    async def ready(self, name: str, kind: str = "Deployment") -> int:
        """Return how many replicas of a workload are ready."""
        return int(((await self.get(name, kind)).get("status") or {}).get("readyReplicas", 0))

    async def get(self, name: str, kind: str = "Deployment") -> Object:
        """Return a workload as it is now.

        Raises:
            AssertionError: There is none of that name.
        """
        found = await self.cluster.get(APPS, kind, name, self.namespace)
        if found is None:
            raise AssertionError(f"there is no {kind} {self.namespace}/{name}")
        return found

    async def scale(self, name: str, replicas: int, kind: str = "Deployment") -> None:
        """Tell a workload how many replicas to have, as somebody else than the autoscaler would."""
        reference = Reference(APPS, kind, name, self.namespace)
        await self.cluster.patch(reference, {"spec": {"replicas": replicas}})

    async def _wait(
        self, label: str, predicate: Callable[[Sequence[Object]], bool], what: str, seconds: float
    ) -> Sequence[Object]:
        labels = dict(part.split("=", 1) for part in label.split(","))
        target = Target("v1", "Pod", self.namespace, labels=labels)
        limit = self.check.settings.cut(seconds)
        return await self.cluster.wait_for_objects(target, predicate, timeout=limit, what=what)


def is_alive(pod: Object) -> bool:
    """Tell whether a pod is neither being deleted nor at its end."""
    phase = (pod.get("status") or {}).get("phase")
    return not pod["metadata"].get("deletionTimestamp") and phase not in {"Succeeded", "Failed"}


def is_ready(pod: Object) -> bool:
    """Tell whether a pod is alive and ready."""
    return is_alive(pod) and any(kind == "Ready" and status == "True" for kind, status, _, _ in conditions(pod))


def is_available(deployment: Object | None) -> bool:
    """Tell whether a Deployment has all its replicas available, of its present template."""
    if deployment is None:
        return False
    status: dict[str, Any] = deployment.get("status") or {}
    wanted = int(deployment["spec"].get("replicas", 1))
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    counts = [int(status.get(name, 0)) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return bool(current) and counts == [wanted] * 3


async def find(cluster: Cluster, name: str, namespace: str) -> Object | None:
    """Return the Deployment, StatefulSet or ReplicaSet of a name, whichever there is."""
    for kind in _KINDS:
        if found := await cluster.get(APPS, kind, name, namespace):
            return found
    return None


async def pods_of(cluster: Cluster, workload: str, namespace: str) -> list[Object]:
    """Return the living pods of a workload, by its selector; a name that is no workload's is a pod's.

    Raises:
        AssertionError: There is neither.
    """
    found = await find(cluster, workload, namespace)
    if found is not None:
        pods = await cluster.list("v1", "Pod", namespace, labels=selector(found))
        return [pod for pod in pods if is_alive(pod)]
    pod = await cluster.get("v1", "Pod", workload, namespace)
    if pod is None:
        raise AssertionError(f"there is no workload or pod {namespace}/{workload}")
    return [pod] if is_alive(pod) else []


def selector(workload: Object) -> dict[str, str]:
    """Return the labels by which a workload selects its pods.

    Raises:
        AssertionError: It selects by expressions, which no manifest of the suites does.
    """
    found = workload["spec"].get("selector") or {}
    if found.get("matchExpressions") or not found.get("matchLabels"):
        raise AssertionError(f"expected a selector of labels: {summarise(workload)}")
    return dict(found["matchLabels"])
