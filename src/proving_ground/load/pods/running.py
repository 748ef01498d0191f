"""Running a load in a cluster: its pods are made, waited for, and removed with their namespace."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube import ApiError, Cluster, Reference, Target, WaitTimeoutError, namespace
from proving_ground.load.measured.engine import measure
from proving_ground.load.measured.result import summarise
from proving_ground.load.pods import manifests, states
from proving_ground.load.pods.telling import read_log, silent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from proving_ground.contracts.platform import Platform
    from proving_ground.kube.following import Following
    from proving_ground.kube.references import Object
    from proving_ground.load.measured.asking import Sender
    from proving_ground.load.measured.plan import Plan
    from proving_ground.load.measured.result import Measured
    from proving_ground.load.measured.settings import LoadSettings

_PREFIX = "load"
_FAREWELL_SECONDS = 25.0
"""How long the master may take to add up what workers told that had to go."""
_LINES = 20


@dataclass(frozen=True)
class Place:
    """Where a load is made.

    Attributes:
        kubeconfig: The cluster.
        context: Context in it; absent: its current one.
        image: Image of the pods.
        run_id: The run that it belongs to.
        start: Seconds in which all pods have to run.
    """

    kubeconfig: str
    context: str | None = None
    image: str = manifests.IMAGE
    run_id: str = ""
    start: float = 180.0


def sender(told: LoadSettings, platform: Platform) -> Sender:
    """Return what makes the loads of a suite: processes here, or pods of the platform's cluster.

    Raises:
        ConfigurationError: Pods are asked for, and the platform has no cluster with pods that do anything.
    """
    if not told.worker_pods:
        return measure
    cluster = platform.clusters.get("default")
    if cluster is None:
        raise ConfigurationError(
            "worker pods need a cluster, and the platform has none",
            where="load_worker_pods",
            hint="name one with --kubeconfig, or let processes make the load (load_processes)",
        )
    present = platform.capabilities.present
    if "fleet" in present and "real_pods" not in present:
        raise ConfigurationError(
            "the pods of this platform are simulated and make no load",
            where="load_worker_pods",
            hint="let processes make it (load_processes)",
        )
    place = Place(cluster.kubeconfig, cluster.context, told.worker_image, platform.run_id, told.worker_start)
    return functools.partial(measure_from_pods, place=place)


def reach(kubeconfig: Path) -> None:
    """See that a cluster answers, before anything is asked of it.

    Raises:
        ConfigurationError: The kubeconfig cannot be used.
        InfrastructureError: Nobody answers, or it refuses to.
    """

    async def ask() -> None:
        async with Cluster.connect(kubeconfig) as cluster:
            try:
                await cluster.version()
            except ApiError as error:
                raise InfrastructureError(f"the cluster refuses to answer: {error}", where=cluster.server) from error

    asyncio.run(ask())


async def measure_from_pods(plan: Plan, place: Place, *, partial: Callable[[Measured], None] | None = None) -> Measured:
    """Send a load from pods of a cluster, and return what it measured.

    Args:
        plan: What to send, from how many pods.
        place: Where.
        partial: Takes what was seen, marked as interrupted, where this call is cancelled.

    Raises:
        ConfigurationError: The plan is out of its bounds, or the kubeconfig cannot be used.
        InfrastructureError: The cluster refuses it, or a pod did not start, or died.
    """
    plan.check()
    async with Cluster.connect(place.kubeconfig, place.context) as cluster:
        return await measure_in(cluster, plan, place, partial=partial)


async def measure_in(
    cluster: Cluster, plan: Plan, place: Place, *, partial: Callable[[Measured], None] | None = None
) -> Measured:
    """Do the same in a cluster that is connected."""
    # Others may keep the cluster busy, and nothing but this load's own pods is looked at.
    cluster.watch_by_namespace()
    try:
        await _remove_expired(cluster)
        labels, annotations = manifests.marks(plan, place.start, dt.datetime.now(dt.UTC))
        async with (
            namespace(cluster, _PREFIX, run_id=place.run_id, labels=labels, annotations=annotations) as name,
            _Load(cluster, name, plan, place).made() as load,
        ):
            try:
                return await load.measured()
            except asyncio.CancelledError:
                if partial is not None:
                    partial(await load.left())
                raise
    except ApiError as error:
        raise InfrastructureError(f"the cluster refuses a load from pods: {error}", where=cluster.server) from error
    except WaitTimeoutError as error:
        raise InfrastructureError(str(error), where=cluster.server) from error


async def _remove_expired(cluster: Cluster) -> None:
    """Remove what loads left whose maker died; nobody waits for it, and who may not look leaves it to others."""
    now = dt.datetime.now(dt.UTC)
    with contextlib.suppress(ApiError):
        for left in await cluster.list("v1", "Namespace", labels={manifests.PART_LABEL: "namespace"}):
            if manifests.expired(left, now):
                await cluster.delete(Reference("v1", "Namespace", left["metadata"]["name"]))


class _Load:
    """A load in its namespace."""

    def __init__(self, cluster: Cluster, name: str, plan: Plan, place: Place) -> None:
        self._cluster = cluster
        self._namespace = name
        self._plan = plan
        self._place = place
        self._seconds = manifests.pod_seconds(plan, place.start)
        self._following: Following
        self._led = False
        self._master = Reference("v1", "Pod", manifests.MASTER, name)

    @contextlib.asynccontextmanager
    async def made(self) -> AsyncIterator[_Load]:
        """Make what pods need, and follow them while the context lasts."""
        await self._cluster.create(manifests.secret(self._plan), namespace=self._namespace)
        await self._cluster.create(manifests.policy(), namespace=self._namespace)
        async with self._cluster.follow(Target("v1", "Pod", self._namespace)) as self._following:
            yield self

    async def measured(self) -> Measured:
        """Make the load, and return what it measured."""
        image, count = self._place.image, self._plan.worker_pods
        await self._cluster.create(manifests.master(image, self._seconds), namespace=self._namespace)
        # Workers join the master's address and not a name: no name server has to learn it first.
        await self._reached(lambda: bool(self._address()) or self._over(), self._place.start)
        if self._over():
            return await self._told()
        self._led = True
        for number in range(1, count + 1):
            pod = manifests.worker(number, image, self._seconds, self._address())
            await self._cluster.create(pod, namespace=self._namespace)
        await self._reached(lambda: len(self._started()) >= count or self._over(), self._place.start)
        await self._reached(self._over, self._plan.total_seconds + 2 * self._plan.drain + self._place.start)
        return await self._told()

    async def left(self) -> Measured:
        """End the load before its time, and return what was measured until then.

        Workers that have to go tell the master what they saw, and it ends by itself: so its log is still there.
        """
        nothing = summarise(self._plan, {"interrupted": True, "seconds": 0.0, "parts": []})
        try:
            # Asked for, as what is followed may not tell yet of those that were made last.
            pods = await self._cluster.list("v1", "Pod", self._namespace)
            workers = states.part_of(pods, manifests.WORKER, manifests.PART_LABEL)
            if not self._address() or all(states.phase(pod) == "Pending" for pod in workers):
                return nothing
            for pod in workers:
                await self._cluster.delete(Reference("v1", "Pod", pod["metadata"]["name"], self._namespace))
            until = time.monotonic() + _FAREWELL_SECONDS
            while not self._over():
                if not await self._following.change(until - time.monotonic()):
                    return nothing
            return await self._told()
        except (InfrastructureError, ApiError):
            return nothing

    async def _reached(self, reached: Callable[[], bool], seconds: float) -> None:
        """Wait until pods have come so far.

        Raises:
            InfrastructureError: One of them does not get there, or not in time.
        """
        until = time.monotonic() + seconds
        while not reached():
            broken = [pod for pod in self._following.objects if states.waits_in_vain(pod) or _died(pod)]
            if broken:
                await self._fail(broken[0])
            if self._led and not self._of(manifests.MASTER):
                raise InfrastructureError("somebody removed the pod that leads the load", where=self._namespace)
            if not await self._following.change(until - time.monotonic()):
                late = [pod for pod in self._following.objects if states.phase(pod) == "Pending"]
                if late:
                    await self._fail(late[0], f"{len(late)} of {self._plan.worker_pods + 1}", f" within {seconds:g} s")
                raise InfrastructureError(
                    f"the load did not end within {seconds:g} s",
                    where=str(self._master),
                    hint="do pods of this cluster reach each other?",
                )

    async def _fail(self, pod: Object, count: str = "one", when: str = "") -> None:
        """Say why a pod did not start, or ended.

        Args:
            pod: The pod.
            count: How many did not start.
            when: In which time.

        Raises:
            InfrastructureError: Always.
        """
        name = str(pod["metadata"]["name"])
        reference = Reference("v1", "Pod", name, self._namespace)
        said = states.why(pod, await self._events(reference))
        if states.over(pod):
            last = await self._last_line(name)
            raise InfrastructureError(
                f"one of the load's pods ended before its time: {said}{f'; it said: {last}' if last else ''}",
                where=name,
            )
        hint = ""
        if states.lacks_image(pod):
            hint = f"have {self._place.image} on the nodes (role project_images), or name another: --worker-image"
        raise InfrastructureError(f"{count} of the load's pods did not start{when}: {said}", where=name, hint=hint)

    async def _events(self, reference: Reference) -> Sequence[Object]:
        try:
            return await self._cluster.events(reference)
        except ApiError:
            return ()

    async def _last_line(self, name: str) -> str:
        try:
            log = await self._cluster.logs(name, self._namespace, tail=_LINES)
        except ApiError:
            return ""
        return next((line.strip()[:300] for line in reversed(log.splitlines()) if line.strip()), "")

    async def _told(self) -> Measured:
        log = await self._cluster.logs(self._master.name, self._namespace)
        failed = [pod for pod in self._of(manifests.MASTER) if states.phase(pod) == "Failed"]
        if failed and silent(log):
            await self._fail(failed[0])
        return read_log(log, self._master.name)

    def _of(self, part: str) -> list[Object]:
        return states.part_of(self._following.objects, part, manifests.PART_LABEL)

    def _started(self) -> list[Object]:
        return [pod for pod in self._of(manifests.WORKER) if states.phase(pod) != "Pending"]

    def _address(self) -> str:
        return next((states.address(pod) for pod in self._of(manifests.MASTER)), "")

    def _over(self) -> bool:
        return any(states.over(pod) for pod in self._of(manifests.MASTER))


def _died(pod: Object) -> bool:
    """Tell whether a worker ended badly; what the master has to say is in its log."""
    of = (pod["metadata"].get("labels") or {}).get(manifests.PART_LABEL)
    return of == manifests.WORKER and states.phase(pod) == "Failed"
