"""A fleet without Kubernetes: a source that the test itself feeds, and real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proving_ground.fleet.control import control_app
from proving_ground.fleet.fleet import Fleet, Settings
from proving_ground.fleet.source import Change, NamespaceChange, PodChange, ServiceChange
from proving_ground.fleet.views import ContainerView, PodView, ServicePort, ServiceView

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NETWORK = f"127.253.{os.getpid() % 256}"
SERVICE_ADDRESS = f"127.254.{os.getpid() % 256}.1"
PREFIX = "sim.proving.ground/"
DEADLINE = 10.0


@dataclass
class FakeSource:
    """Says what the test says, and remembers what it was told."""

    queue: asyncio.Queue[Change] = field(default_factory=asyncio.Queue)
    faults: dict[str, frozenset[str]] = field(default_factory=dict)
    statuses: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)

    async def changes(self) -> AsyncIterator[Change]:
        while True:
            yield await self.queue.get()

    async def namespace_faults(self, name: str) -> frozenset[str] | None:
        return self.faults.get(name)

    async def write_status(self, pod: PodView, status: Mapping[str, Any]) -> bool:
        self.statuses.append((pod.name, dict(status)))
        return True

    async def remove(self, pod: PodView) -> None:
        self.removed.append(pod.name)

    async def tell(self, pod: PodView, reason: str, message: str) -> None:
        self.told.append((pod.name, reason, message))


@dataclass
class Stage:
    """A running fleet, and what a test does with it."""

    source: FakeSource
    fleet: Fleet
    client: httpx.AsyncClient
    network: str = NETWORK
    service_address: str = SERVICE_ADDRESS

    def pod(
        self,
        name: str,
        *,
        image: str = "vllm/vllm-openai:v1",
        containers: tuple[ContainerView, ...] = (),
        owner: str = "",
        args: tuple[str, ...] = (),
        **annotations: str,
    ) -> PodView:
        named = {PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
        fault = annotations.get("fault")
        if fault is not None:
            named = {key: value for key, value in named.items() if not key.endswith("/fault")}
            named["proving.ground/fault"] = fault
        containers = containers or (ContainerView("main", image, (("http", 8000),), args=args),)
        view = PodView("ns", name, f"uid-{name}", "node", {"app": "x"}, named, containers, owner=owner)
        self.source.queue.put_nowait(PodChange(view))
        return view

    def change(self, change: Change) -> None:
        self.source.queue.put_nowait(change)

    def namespace(self, *faults: str) -> None:
        self.change(NamespaceChange("ns", frozenset(faults)))

    def service(self, *, target: int | str = "http", **selector: str) -> str:
        view = ServiceView("ns", "svc", SERVICE_ADDRESS, selector or {"app": "x"}, (ServicePort(8080, target),))
        self.change(ServiceChange(view))
        return f"http://{SERVICE_ADDRESS}:8080"

    def address(self, name: str, port: int = 8000) -> str:
        runner = self.fleet.pod("ns", name)
        assert runner is not None
        return f"http://{runner.address}:{port}"

    @contextlib.asynccontextmanager
    async def control(self) -> AsyncIterator[httpx.AsyncClient]:
        """Give a client of the control API."""
        transport = httpx.ASGITransport(app=control_app(self.fleet))
        async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
            yield client

    def phases(self, name: str) -> list[str]:
        return [status["phase"] for pod, status in self.source.statuses if pod == name]

    def waiting(self, name: str) -> list[str]:
        states = [s["containerStatuses"][0]["state"] for pod, s in self.source.statuses if pod == name]
        return [state["waiting"]["reason"] for state in states if "waiting" in state]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds; the failure shows what was told last."""
        try:
            async with asyncio.timeout(DEADLINE):
                while not condition():  # noqa: ASYNC110 -- the fleet has no event for what a test waits for
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pytest.fail(f"not within {DEADLINE} s; last told: {self.source.statuses[-3:]} {self.source.told[-3:]}")

    async def ready(self, *names: str) -> None:
        def all_ready() -> bool:
            runners = [self.fleet.pod("ns", name) for name in names]
            return all(runner is not None and runner.ready for runner in runners)

        await self.until(all_ready)

    async def refuses(self, url: str) -> None:
        """Wait until nobody listens on an address."""
        try:
            async with asyncio.timeout(DEADLINE):
                while True:
                    try:
                        await self.client.get(f"{url}/health")
                    except httpx.ConnectError:
                        return
                    except httpx.HTTPError:
                        pass
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pytest.fail(f"{url} still answers after {DEADLINE} s")


@contextlib.asynccontextmanager
async def _stage(log_directory: Path | None = None) -> AsyncIterator[Stage]:
    """Run a fleet for one test."""
    source = FakeSource()
    settings = Settings(f"{NETWORK}.0/24", log_directory=log_directory, crash_backoff=0.05)
    fleet = Fleet(source, settings)
    task = asyncio.create_task(fleet.run())
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=DEADLINE) as client:
            yield Stage(source, fleet, client)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


Play = Callable[..., None]


@pytest.fixture
def play() -> Play:
    """Run a scenario on a fleet of its own."""

    def run(scenario: Callable[[Stage], Awaitable[None]], log_directory: Path | None = None) -> None:
        async def whole() -> None:
            async with _stage(log_directory) as stage:
                await scenario(stage)

        asyncio.run(whole())

    return run
