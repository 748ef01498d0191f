"""Loads on the server under test; each is made once, and judged by several checks.

Real servers cannot be told to misbehave. So under a fault the load goes to a server of ours whose times are known, and
which shows the fault.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.load.measured.asking import FOLDER, trusted
from proving_ground.load.measured.handover import metrics
from proving_ground.load.measured.settings import LoadSettings
from proving_ground.load.measured.timed import timed_server
from proving_ground.load.measured.timed_server import FAULTS, MODEL
from proving_ground.load.targets import hosts_of
from proving_ground.openai_api.server import SYSTEM, Target, require_listening, target_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from proving_ground.contracts.platform import Platform
    from proving_ground.load.measured.result import LevelResult, Measured
    from proving_ground.plugin.check_run import CheckRun, Settings


class Loads:
    """The loads of this run, one at a time."""

    def __init__(self, target: Target, model: str, told: LoadSettings, platform: Platform, settings: Settings) -> None:
        self.told = told
        self.target = target
        self._model = model
        self._platform = platform
        self._settings = settings
        self._turn = asyncio.Lock()
        self._made: dict[str, Measured] = {}

    @property
    def configuration(self) -> dict[str, Any]:
        """What decides what is measured: runs are compared where it is equal."""
        server = self._platform.systems[SYSTEM].parameters.get("server") or self.target.url
        told = self.told.model_dump(mode="json", exclude={"hosts", "slos"})
        return {"server": server, "model": self._model, "load": told}

    async def made(self, name: str, **more: Any) -> Measured:
        """Make a load, or return what one of this name measured."""
        async with self._turn:
            if name not in self._made:
                endpoint = self._platform.endpoints[SYSTEM]
                place = {"ca": endpoint.ca, "auth": self.target.token_file}
                plan = self.told.plan(self.target.url, self._model, hosts=hosts_of(self._platform), **{**place, **more})
                keep = self._settings.artifacts_dir / FOLDER / f"{name}.json"
                self._made[name] = await trusted(plan, keep=keep)
            return self._made[name]

    async def steady(self) -> Measured:
        """The load that most checks judge."""
        return await self.made("steady")


async def _model(target: Target) -> str:
    if target.model:
        return target.model
    headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}
    try:
        async with aiohttp.ClientSession(headers=headers) as client, client.get(f"{target.url}/v1/models") as answer:
            return str((await answer.json())["data"][0]["id"])
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError) as error:
        raise InfrastructureError("lists no model at /v1/models", where=target.url, hint="name one") from error


@pytest.fixture(scope="session")
async def loads(
    platform: Platform, settings: Settings, parameters: Callable[[str], Mapping[str, Any]]
) -> AsyncIterator[Loads]:
    """What loads the server under test, or under a fault one that shows it."""
    told = LoadSettings.of(parameters(SYSTEM))
    faults = [fault for fault in (settings.fault or "").split(",") if fault in FAULTS]
    if not faults:
        target = target_of(platform)
        await require_listening(target.url)
        yield Loads(target, await _model(target), told, platform, settings)
        return
    async with timed_server(faults=faults) as url:
        yield Loads(Target(url), MODEL, told, platform, settings)


@pytest.fixture
def judged(check: CheckRun) -> Callable[..., LevelResult]:
    """Take what a load measured into the report, and return its last level."""

    def judge(measured: Measured, **more: float) -> LevelResult:
        client, level = measured.client, measured.last
        for name, value in {**metrics(level), **more}.items():
            check.metric(name, value)
        lag = f", read {client.read_lag_p99_ms:.2f} ms late at p99" if client.read_lag_p99_ms is not None else ""
        check.property("client", f"{100 * client.cpu:.0f} % of a core{lag}")
        if level.problems:
            check.attach("problems", "\n".join(f"{count} x {what}" for what, count in level.problems.items()))
        answers = [(second, count) for second, count, _ in measured.per_second]
        tokens = [(second, count) for second, _, count in measured.per_second]
        check.plot("answers", {"answers": answers}, y="answers per second")
        check.plot("tokens", {"tokens": tokens}, y="tokens per second")
        return level

    return judge
