"""BudAIScalers as checks use them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from proving_ground.autoscaling import manifests
from proving_ground.autoscaling.cadence import CLOCK_ANNOTATION
from proving_ground.autoscaling.manifests import CASES, SCALER
from proving_ground.autoscaling.workloads import Workloads
from proving_ground.kube import Reference, conditions, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from proving_ground.autoscaling.cadence import Cadence, Clock
    from proving_ground.autoscaling.manifests import Case
    from proving_ground.kube import Cluster, Object
    from proving_ground.kube.waits import Propagation
    from proving_ground.plugin.check_run import CheckRun

VERSION, KIND = SCALER
READY_SECONDS = 60.0
GONE_SECONDS = 30.0


class Scalers:
    """The scalers of one namespace, as one check uses them; waits are cut to the check's limit.

    Attributes:
        made: Names of the scalers that were made here.

    Args:
        cluster: The cluster.
        check: The check.
        namespace: Where they are.
        cadence: How often the autoscaler looks at them.
        root: Folder with ``configs/`` and ``mocks/``; the project's autoscaling suites if absent.
    """

    def __init__(
        self, cluster: Cluster, check: CheckRun, namespace: str, cadence: Cadence, *, root: Path | None = None
    ) -> None:
        self.cluster = cluster
        self.check = check
        self.namespace = namespace
        self.cadence = cadence
        self.workloads = Workloads(cluster, check, namespace)
        self.made: dict[str, None] = {}
        self._root = root

    # Making them

    async def apply(self, obj: Object) -> Object:
        """Apply an object server-side, into the namespace and with the label by which a clean-up finds it."""
        (made,) = manifests.prepared([obj], self.namespace)
        if made["kind"] == KIND:
            self.made[made["metadata"]["name"]] = None
        return await self.cluster.apply_server_side(made)

    async def setup(
        self,
        config: str,
        *,
        env: Mapping[str, str] | None = None,
        replicas: int | None = None,
        annotations: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        spec: Mapping[str, Any] | None = None,
        ready: bool = True,
    ) -> Case:
        """Set up one of the nine configurations: its mocks and target, then its scaler, and wait for both.

        Args:
            config: A name of :data:`~proving_ground.autoscaling.manifests.CASES`.
            env: Environment variables of its mocks, for example where they begin.
            replicas: Replicas that its target begins with.
            annotations: Annotations of the scaler.
            clock: Clock of the scaler, where the platform has ``autoscaler_clock``.
            spec: Fields that are merged into the scaler's spec.
            ready: Whether to wait until the scaler is ready.

        Returns:
            The case: names of the scaler, its target, and the workload whose mock tells the metric.
        """
        case = CASES[config]
        await asyncio.gather(*(self.setup_mock(mock, env=env, replicas=replicas) for mock in case.mocks))
        given = dict(annotations or {})
        if clock is not None:
            given[CLOCK_ANNOTATION] = clock.text
        for obj in self.load("configs", config, annotations=given, spec=spec):
            await self.apply(obj)
        if ready:
            await self.wait_ready(case.scaler)
        return case

    async def setup_mock(self, name: str, *, env: Mapping[str, str] | None = None, replicas: int | None = None) -> None:
        """Set up the workloads of ``mocks/<name>.yaml`` and wait until they are available.

        Args:
            name: The file's name without ``.yaml``.
            env: Environment variables of its mocks.
            replicas: Replicas of those workloads that are targets; mocks around them keep their own.
        """
        objects = self.load("mocks", name, env=env)
        targets = {case.target for case in CASES.values()}
        for obj in objects:
            if replicas is not None and obj["kind"] == "Deployment" and obj["metadata"]["name"] in targets:
                obj["spec"]["replicas"] = replicas
            await self.cluster.apply_server_side(obj)
        for obj in objects:
            if obj["kind"] == "Deployment":
                await self.workloads.wait_for_deployment(obj["metadata"]["name"])

    def load(self, kind: manifests.Kind, name: str, **changes: Any) -> list[Object]:
        """Return the objects of a file for this namespace; see :func:`proving_ground.autoscaling.manifests.load`."""
        return manifests.load(kind, name, self.namespace, root=self._root, **changes)

    async def change(self, name: str, spec: Mapping[str, Any]) -> Object:
        """Merge fields into a scaler's spec."""
        return await self.cluster.patch(self.reference(name), {"spec": dict(spec)})

    async def annotate(self, name: str, annotations: Mapping[str, str | None]) -> Object:
        """Set annotations of a scaler; None removes one."""
        return await self.cluster.patch(self.reference(name), {"metadata": {"annotations": dict(annotations)}})

    async def delete(self, name: str, *, propagation: Propagation = "Background") -> None:
        """Delete a scaler and wait until it is gone; with ``Orphan`` what it owns stays."""
        limit = self.check.settings.cut(GONE_SECONDS)
        await self.cluster.remove(self.reference(name), timeout=limit, propagation=propagation)

    async def dismiss(self) -> None:
        """Ask for the deletion of every scaler made here, so that none goes on scaling what nobody looks at."""
        for name in self.made:
            await self.cluster.delete(self.reference(name))
        self.made.clear()

    # Looking at them

    def reference(self, name: str) -> Reference:
        """Return the reference of a scaler."""
        return Reference(VERSION, KIND, name, self.namespace)

    async def get(self, name: str) -> Object:
        """Return a scaler as it is now.

        Raises:
            AssertionError: There is none of that name.
        """
        found = await self.cluster.get(VERSION, KIND, name, self.namespace)
        if found is None:
            raise AssertionError(f"there is no {self.reference(name)}")
        return found

    async def status(self, name: str) -> dict[str, Any]:
        """Return the status of a scaler, empty before it has one."""
        return status_of(await self.get(name))

    async def desired(self, name: str) -> int:
        """Return how many replicas a scaler wants; 0 before it has said so."""
        return int((await self.status(name)).get("desiredScale") or 0)

    async def actual(self, name: str) -> int:
        """Return how many replicas a scaler says that there are; 0 before it has said so."""
        return int((await self.status(name)).get("actualScale") or 0)

    async def condition(self, name: str, kind: str) -> Mapping[str, str]:
        """Return a condition: status, reason and message; all empty where there is none of that type."""
        return condition_of(await self.get(name), kind)

    async def learning(self, name: str) -> dict[str, Any]:
        """Return what a scaler says of its learning, empty before it does."""
        return dict((await self.status(name)).get("learningStatus") or {})

    async def learned(self, name: str) -> dict[str, str]:
        """Return the data of the ConfigMap that holds what a scaler has learned, empty where there is none."""
        found = await self.cluster.get("v1", "ConfigMap", learning_data(name), self.namespace)
        return dict((found or {}).get("data") or {})

    # Waiting for them

    async def wait_ready(self, name: str, *, seconds: float = READY_SECONDS) -> Object:
        """Wait until a scaler is ready, and return it."""
        return await self.wait_condition(name, "Ready", "True", seconds=seconds)

    async def wait_condition(
        self, name: str, kind: str, status: str, *, reason: str = "", seconds: float | None = None
    ) -> Object:
        """Wait until a condition has a status, and a reason if one is given; return the scaler."""

        def holds(scaler: Object) -> bool:
            found = condition_of(scaler, kind)
            return found["status"] == status and reason in {"", found["reason"]}

        return await self.wait(name, holds, f"{kind}={status} {reason}".strip(), seconds=seconds)

    async def wait_desired(
        self, name: str, predicate: Callable[[int], bool], what: str, *, seconds: float | None = None
    ) -> int:
        """Wait until a predicate holds for how many replicas a scaler wants, and return the number."""

        def holds(scaler: Object) -> bool:
            desired = status_of(scaler).get("desiredScale")
            return desired is not None and predicate(int(desired))

        found = await self.wait(name, holds, f"desiredScale {what}", seconds=seconds)
        return int(status_of(found)["desiredScale"])

    async def wait_status(
        self, name: str, predicate: Callable[[Mapping[str, Any]], bool], what: str, *, seconds: float | None = None
    ) -> dict[str, Any]:
        """Wait until a predicate holds for the status of a scaler, and return the status."""
        return status_of(await self.wait(name, lambda scaler: predicate(status_of(scaler)), what, seconds=seconds))

    async def wait(
        self, name: str, predicate: Callable[[Object], bool], what: str, *, seconds: float | None = None
    ) -> Object:
        """Wait until a predicate holds for a scaler, and return it.

        Args:
            name: The scaler.
            predicate: Tells whether the wait is over.
            what: What is waited for, for the message.
            seconds: Real seconds; enough for six reconciles if absent.

        Raises:
            WaitTimeoutError: It did not hold in time; the message tells the last state.
        """
        limit = self.check.settings.cut(self.cadence.patience(6) if seconds is None else seconds)
        found = await self.cluster.wait_for(
            self.reference(name), lambda scaler: scaler is not None and predicate(scaler), timeout=limit, what=what
        )
        if found is None:
            raise AssertionError(f"{self.reference(name)} is gone")
        return found


def learning_data(scaler: str) -> str:
    """Return the name of the ConfigMap that holds what a scaler has learned."""
    return f"{scaler}-learning-data"


def status_of(scaler: Object) -> dict[str, Any]:
    """Return the status of a scaler, empty before it has one."""
    return dict(scaler.get("status") or {})


def condition_of(scaler: Object, kind: str) -> Mapping[str, str]:
    """Return a condition of a scaler: status, reason and message; all empty where there is none of that type."""
    for found, status, reason, message in conditions(scaler):
        if found == kind:
            return {"status": status, "reason": reason, "message": message}
    return {"status": "", "reason": "", "message": ""}


def target_of(scaler: Object) -> Reference:
    """Return the workload that a scaler scales.

    Raises:
        AssertionError: Its scaleTargetRef names none.
    """
    found = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
    if not found.get("name") or not found.get("kind"):
        raise AssertionError(f"scaleTargetRef names no workload: {summarise(scaler)}")
    namespace = str(scaler["metadata"].get("namespace", ""))
    return Reference(str(found.get("apiVersion") or "apps/v1"), str(found["kind"]), str(found["name"]), namespace)
