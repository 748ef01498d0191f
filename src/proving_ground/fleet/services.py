"""Services: each listens on its own address for as long as there is a pod to answer."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING

from proving_ground.errors import ProvingGroundError
from proving_ground.fleet.listen import Listener, Refusal, listen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proving_ground.fleet.pods import PodRunner
    from proving_ground.fleet.views import Key, ServicePort, ServiceView

LOG = logging.getLogger(__name__)
RETRY_SECONDS = 1.0

Place = tuple[str, int]


def selects(service: ServiceView, runner: PodRunner) -> bool:
    """Say whether a Service's selector chooses a pod."""
    labels = runner.pod.labels
    return all(labels.get(key) == value for key, value in service.selector.items())


class ServiceDesk:
    """Keeps the listeners of all Services in step with the pods.

    Args:
        pods: Gives the pods of a namespace.
    """

    def __init__(self, pods: Callable[[str], Iterable[PodRunner]]) -> None:
        self._pods = pods
        self._services: dict[Key, ServiceView] = {}
        self._listeners: dict[Key, dict[Place, Listener]] = {}
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._turns: dict[tuple[Key, int], itertools.count[int]] = {}
        self.problems: dict[Place, str] = {}

    @property
    def services(self) -> Iterable[ServiceView]:
        """All Services that the fleet answers for."""
        return self._services.values()

    def knows(self, key: Key) -> bool:
        """Say whether the fleet answers for a Service."""
        return key in self._services

    def listening(self, service: ServiceView) -> list[Place]:
        """Return the addresses and ports on which a Service answers now."""
        return sorted(self._listeners.get(service.key, {}))

    def update(self, service: ServiceView) -> None:
        """Take note of a Service that came or changed."""
        self._services[service.key] = service
        self.look_at(service.namespace)

    def forget(self, key: Key) -> None:
        """Take note of a Service that went."""
        if self._services.pop(key, None) is None:
            return
        for listener in self._listeners.pop(key, {}).values():
            listener.close()
        self._turns = {k: turn for k, turn in self._turns.items() if k[0] != key}

    def look_at(self, namespace: str) -> None:
        """Have the Services of a namespace checked soon."""
        self._dirty.add(namespace)
        self._wake.set()

    async def run(self) -> None:
        """Keep the listeners in step, for ever."""
        while True:
            try:
                async with asyncio.timeout(RETRY_SECONDS if self.problems else None):
                    await self._wake.wait()
            except TimeoutError:
                self._dirty.update(service.namespace for service in self._services.values())
            self._wake.clear()
            dirty, self._dirty = self._dirty, set()
            for service in [s for s in self._services.values() if s.namespace in dirty]:
                await self._settle(service)

    def close(self) -> None:
        """Stop listening."""
        for key in list(self._services):
            self.forget(key)

    async def _settle(self, service: ServiceView) -> None:
        wanted = {
            (service.address, port.number): port for port in service.ports if any(self._candidates(service, port))
        }
        have = self._listeners.setdefault(service.key, {})
        for place in [p for p in have if p not in wanted]:
            have.pop(place).close()
        for place in [p for p in self.problems if p[0] == service.address and p not in wanted]:
            del self.problems[place]
        for place, port in wanted.items():
            if place not in have and self._services.get(service.key) is service:
                await self._open(service, port, place, have)

    async def _open(self, service: ServiceView, port: ServicePort, place: Place, have: dict[Place, Listener]) -> None:
        try:
            listener = await listen(*place, lambda: self.connect(service.key, port.number))
        except ProvingGroundError as error:
            if self.problems.get(place) != str(error):
                LOG.warning("service %s/%s does not answer: %s", service.namespace, service.name, error)
            self.problems[place] = str(error)
            return
        self.problems.pop(place, None)
        if self._services.get(service.key) is None:
            listener.close()
        else:
            have[place] = listener

    def _candidates(self, service: ServiceView, port: ServicePort) -> Iterable[PodRunner]:
        for runner in self._pods(service.namespace):
            fit = runner.ready or (service.unready_too and runner.replica is not None)
            if fit and selects(service, runner) and runner.port(port.target) is not None:
                yield runner

    def pick(self, key: Key, number: int) -> tuple[PodRunner, int] | None:
        """Choose the pod, and its port, that answers the next connection to a Service's port, in turn."""
        service = self._services.get(key)
        port = next((p for p in service.ports if p.number == number), None) if service else None
        if service is None or port is None:
            return None
        pods = list(self._candidates(service, port))
        turn = next(self._turns.setdefault((key, number), itertools.count()))
        runner = pods[turn % len(pods)] if pods else None
        target = runner.port(port.target) if runner is not None else None
        return None if runner is None or target is None else (runner, target)

    def connect(self, key: Key, number: int) -> asyncio.BaseProtocol:
        """Return the protocol of a new connection to a Service's port."""
        picked = self.pick(key, number)
        if picked is None:
            return Refusal()
        runner, port = picked
        return runner.connect(port)
