"""The fleet: takes changes from its source and keeps one runner for each pod."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.fleet.addresses import AddressPool
from proving_ground.fleet.factories import ServerFactory, default_factories
from proving_ground.fleet.factories.mocks import MockServer
from proving_ground.fleet.mocking import MockDesk
from proving_ground.fleet.pods import Ground, PodRunner
from proving_ground.fleet.services import ServiceDesk
from proving_ground.fleet.source import Change, NamespaceChange, PodChange, PodSource, ServiceChange
from proving_ground.mocks import MOCKS, mock_app

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from proving_ground.fleet.views import Key, PodView

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a fleet is set up."""

    pod_network: str
    """Where pod addresses come from, in CIDR notation."""
    host_address: str = "127.0.0.1"
    """``status.hostIP`` of its pods."""
    log_directory: Path | None = None
    crash_backoff: float = 1.0


class Fleet:
    """All pods and Services of a cluster.

    Args:
        source: Where pods come from.
        settings: How the fleet is set up.
        factories: Server factories by name; the default ones if None.
    """

    def __init__(
        self, source: PodSource, settings: Settings, factories: Mapping[str, ServerFactory] | None = None
    ) -> None:
        self._source = source
        self._runners: dict[Key, PodRunner] = {}
        self._by_namespace: dict[str, dict[str, PodRunner]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._faults: dict[str, frozenset[str] | None] = {}
        self._terminating: set[str] = set()
        self.services = ServiceDesk(self.in_namespace)
        self.mocks = MockDesk(MOCKS)
        self.addresses = AddressPool(settings.pod_network)
        self._ground = Ground(
            source=source,
            factories=default_factories() if factories is None else factories,
            addresses=self.addresses,
            host_address=settings.host_address,
            log_directory=settings.log_directory,
            crash_backoff=settings.crash_backoff,
            serving_changed=self.services.look_at,
            namespace_faults=self._faults.get,
            mocks=self.mocks,
            mock_server=MockServer(mock_app()),
        )

    @property
    def pods(self) -> Iterable[PodRunner]:
        """The runners of all pods."""
        return self._runners.values()

    def pod(self, namespace: str, name: str) -> PodRunner | None:
        """Return the runner of a pod, or None."""
        return self._runners.get((namespace, name))

    def in_namespace(self, namespace: str) -> Iterable[PodRunner]:
        """Return the runners of a namespace's pods."""
        return self._by_namespace.get(namespace, {}).values()

    async def run(self) -> None:
        """Serve until cancelled."""
        if self._ground.log_directory is not None:
            self._ground.log_directory.mkdir(parents=True, exist_ok=True)
        services = asyncio.get_running_loop().create_task(self.services.run(), name="services")
        try:
            async for change in self._source.changes():
                await self.apply(change)
        finally:
            services.cancel()
            self.close()

    def close(self) -> None:
        """Stop serving everything."""
        for task in list(self._tasks.values()):
            task.cancel()
        for runner in list(self._runners.values()):
            runner.leave()
        self.services.close()
        self._runners.clear()
        self._by_namespace.clear()
        self._tasks.clear()

    async def apply(self, change: Change) -> None:
        """Act on one change."""
        match change:
            case PodChange(pod=pod, gone=True):
                self._forget(pod)
            case PodChange(pod=pod):
                self._see(pod)
            case ServiceChange(service=service, gone=True):
                self.services.forget(service.key)
            case ServiceChange(service=service):
                self.services.update(service)
            case NamespaceChange():
                self._see_namespace(change)

    def _see_namespace(self, change: NamespaceChange) -> None:
        name = change.name
        if change.gone:
            self._faults.pop(name, None)
            self._terminating.discard(name)
            self.mocks.forget(name)
            return
        known, self._faults[name] = self._faults.get(name), change.faults
        if change.terminating:
            # The namespace controller looks every 5 s, and again 5 s later if it had to delete pods itself: pods
            # that are gone before its first look halve the time that a namespace takes to go.
            self._terminating.add(name)
            for runner in self.in_namespace(name):
                runner.terminate()
        elif change.faults != known:
            for runner in self.in_namespace(name):
                runner.reconsider()

    def _see(self, pod: PodView) -> None:
        runner = self._runners.get(pod.key)
        if runner is not None and runner.pod.uid != pod.uid:
            self._forget(runner.pod)
            runner = None
        if runner is not None:
            runner.update(pod)
            return
        runner = PodRunner(pod, self._ground)
        self._runners[pod.key] = runner
        self._by_namespace.setdefault(pod.namespace, {})[pod.uid] = runner
        if pod.finished and not pod.deleting:
            return
        if pod.namespace in self._terminating:
            runner.terminate()
        task = asyncio.get_running_loop().create_task(self._live(runner), name=f"pod {pod.namespace}/{pod.name}")
        self._tasks[pod.uid] = task

    async def _live(self, runner: PodRunner) -> None:
        pod = runner.pod
        try:
            if pod.namespace not in self._faults:
                # The pod was seen before its namespace: its faults hold from the first instant, so ask.
                faults = await self._source.namespace_faults(pod.namespace)
                self._faults.setdefault(pod.namespace, faults)
            await runner.run()
        except Exception:
            LOG.exception("pod %s/%s is given up", pod.namespace, pod.name)
        finally:
            self._tasks.pop(pod.uid, None)

    def _forget(self, pod: PodView) -> None:
        runner = self._runners.get(pod.key)
        if runner is None or runner.pod.uid != pod.uid:
            return
        del self._runners[pod.key]
        pods = self._by_namespace.get(pod.namespace, {})
        pods.pop(pod.uid, None)
        if not pods:
            self._by_namespace.pop(pod.namespace, None)
        runner.leave()
