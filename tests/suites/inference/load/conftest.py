"""Loads on the servers under test; each is made once, and judged by several checks.

Real servers cannot be told to misbehave. So under a fault each load goes to a server of its own: one of ours whose
times are known, and which shows the fault. These loads are made at once; those on servers of the platform one at a
time.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.errors import ProvingGroundError
from proving_ground.load.measured.asking import FOLDER, trusted
from proving_ground.load.measured.handover import metrics
from proving_ground.load.measured.settings import LoadSettings
from proving_ground.load.measured.timed import timed_server
from proving_ground.load.measured.timed_server import FAULTS
from proving_ground.load.pods.running import sender
from proving_ground.load.targets import hosts_of
from proving_ground.openai_api.server import SYSTEM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from proving_ground.contracts.platform import Platform
    from proving_ground.load.measured.result import LevelResult, Measured
    from proving_ground.openai_api.server import Server, Target
    from proving_ground.plugin.check_run import CheckRun, Settings


class Loads:
    """The loads on one server.

    Args:
        target: The server.
        model: Model that is asked.
        platform: The platform that it is of.
        settings: What the command line set.
        turn: Held while a server of the platform is loaded: two loads at once would measure each other.
    """

    def __init__(self, target: Target, model: str, platform: Platform, settings: Settings, turn: asyncio.Lock) -> None:
        told = LoadSettings.of(target.parameters, system=target.name)
        # A server that shows a fault is of this machine, and so is the load on it.
        self.told = told.model_copy(update={"worker_pods": 0}) if settings.fault else told
        self.target = target
        self._model = model
        self._platform = platform
        self._turn = turn
        self._fault = settings.fault
        self._folder: Path = settings.artifacts_dir / FOLDER
        self._locks: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self._made: dict[str, Measured | ProvingGroundError] = {}

    @property
    def further(self) -> bool:
        """Whether it is another server than the one that is system `inference`."""
        return self.target.name != SYSTEM

    @property
    def configuration(self) -> dict[str, Any]:
        """What decides what is measured: runs are compared where it is equal."""
        return {"server": self.target.server or self.target.url, "model": self._model, "load": self.told.compared}

    def scenario(self, name: str) -> str:
        """Return what the history calls a load: that of a further server has its name in it."""
        return f"{name}/{self.target.name}" if self.further else name

    def drawn(self, name: str) -> str:
        """Return what the report calls a plot."""
        return f"{name} of {self.target.server or self.target.name}"

    async def made(self, name: str, **more: Any) -> Measured:
        """Make a load, or return what one of this name measured."""
        async with self._locks[name]:
            if name not in self._made:
                self._made[name] = await self._make(name, more)
            found = self._made[name]
        if isinstance(found, ProvingGroundError):
            raise found
        return found

    async def _make(self, name: str, more: dict[str, Any]) -> Measured | ProvingGroundError:
        """Make a load; one that cannot be made is told to every check, and not tried by each of them."""
        folder = self._folder / self.target.name if self.further else self._folder
        async with self._place() as url:
            endpoint = self._platform.endpoints[self.target.name]
            place = {"ca": endpoint.ca, "auth": self.target.token_file}
            try:
                plan = self.told.plan(url, self._model, hosts=hosts_of(self._platform), **{**place, **more})
                send = sender(self.told, self._platform)
                return await trusted(plan, keep=folder / f"{name}.json", send=send)
            except ProvingGroundError as error:
                return error

    async def steady(self) -> Measured:
        """The load that most checks judge."""
        return await self.made("steady")

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[str]:
        """Give the URL that a load goes to."""
        if self._fault:
            async with timed_server(faults=FAULTS.keys() & self._fault.split(",")) as url:
                yield url
        else:
            async with self._turn:
                yield self.target.url


@pytest.fixture(scope="session")
def turn() -> asyncio.Lock:
    """Held while a server of the platform is loaded."""
    return asyncio.Lock()


@pytest.fixture(scope="session")
def loads_by_server() -> dict[str, Loads]:
    """The loads of this run, by the name of the server."""
    return {}


@pytest.fixture
async def loads(
    server: Server, platform: Platform, settings: Settings, turn: asyncio.Lock, loads_by_server: dict[str, Loads]
) -> Loads:
    """The loads on the server under test, which all checks of it share."""
    name = server.target.name
    if name not in loads_by_server:
        made = Loads(server.target, await server.model(), platform, settings, turn)
        return loads_by_server.setdefault(name, made)
    return loads_by_server[name]


@pytest.fixture
def judged(check: CheckRun, loads: Loads) -> Callable[..., LevelResult]:
    """Take what a load measured into the report, and return its last level."""

    def judge(measured: Measured, **more: float) -> LevelResult:
        client, level = measured.client, measured.last
        for name, value in {**metrics(level), **more}.items():
            check.metric(name, value)
        lag = f", read {client.read_lag_p99_ms:.2f} ms late at p99" if client.read_lag_p99_ms is not None else ""
        parts = f"{client.parts} {'pods' if loads.told.worker_pods else 'processes'}, " if client.parts > 1 else ""
        check.property("client", f"{parts}{100 * client.cpu:.0f} % of a core{lag}")
        if level.problems:
            check.attach("problems", "\n".join(f"{count} x {what}" for what, count in level.problems.items()))
        answers = [(second, count) for second, count, _ in measured.per_second]
        tokens = [(second, count) for second, _, count in measured.per_second]
        check.plot(loads.drawn("answers"), {"answers": answers}, y="answers per second")
        check.plot(loads.drawn("tokens"), {"tokens": tokens}, y="tokens per second")
        return level

    return judge
