"""What the checks of the autoscaler ask for by name; shared by the suites of this folder."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from proving_ground.autoscaling import namespaces
from proving_ground.autoscaling.accuracy import Thresholds, read_thresholds
from proving_ground.autoscaling.cadence import Cadence, at
from proving_ground.autoscaling.learning import Learning
from proving_ground.autoscaling.manifests import CASES
from proving_ground.autoscaling.mocks import mock_control

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proving_ground.contracts.platform import Platform
    from proving_ground.kube import Cluster
    from proving_ground.plugin.check_run import CheckRun, Settings

HERE = Path(__file__).parent


class Configured(Protocol):
    """Sets one of the nine configurations up, and returns the autoscaler in its namespace."""

    async def __call__(self, config: str, *, clock: str = "", speed: float | None = None) -> Learning:
        """Set it up.

        Args:
            config: Its name.
            clock: What the scaler's clock shows then, in ISO 8601; that of the autoscaler if absent.
            speed: How fast that runs, where scalers can have a clock of their own; as the autoscaler's if absent.
        """


@pytest.fixture(scope="session")
def cadence(platform: Platform) -> Cadence:
    """How fast the autoscaler goes."""
    return Cadence.of(platform)


@pytest.fixture(scope="session")
def thresholds() -> Thresholds:
    """What predictions have to keep to."""
    return read_thresholds(HERE / "thresholds.yml")


@pytest.fixture
def cluster(cluster: Cluster) -> Cluster:
    """The cluster; a check looks at one or two namespaces, while others may keep all the others busy."""
    cluster.watch_by_namespace()
    return cluster


@pytest.fixture(scope="session")
async def shared_namespace(platform: Platform, settings: Settings) -> AsyncIterator[str]:
    """One namespace for all checks of the process that need none of their own: it takes longest to go."""
    async with namespaces.shared_namespace(platform, settings) as name:
        yield name


@pytest.fixture
async def autoscaling(
    check: CheckRun, cluster: Cluster, shared_namespace: str, platform: Platform, cadence: Cadence
) -> AsyncIterator[Learning]:
    """The autoscaler, and what this check scales in the namespace that it shares with others."""
    async with mock_control(platform, cluster, check, shared_namespace, cadence) as mocks:
        made = Learning(cluster, check, shared_namespace, cadence, mocks)
        yield made
        await made.leave()


@pytest.fixture
async def own_namespace(
    check: CheckRun, cluster: Cluster, platform: Platform, cadence: Cadence
) -> AsyncIterator[Learning]:
    """The autoscaler in a namespace that only this check uses."""
    async with (
        namespaces.suite_namespace(check, cluster, check.check_id.rpartition("/")[2]) as name,
        mock_control(platform, cluster, check, name, cadence) as mocks,
    ):
        made = Learning(cluster, check, name, cadence, mocks)
        yield made
        await made.leave()


@pytest.fixture
async def configured(
    check: CheckRun, cluster: Cluster, platform: Platform, cadence: Cadence
) -> AsyncIterator[Configured]:
    """Sets one of the nine configurations up, in a namespace of its own."""
    async with contextlib.AsyncExitStack() as stack:

        async def set_up(config: str, *, clock: str = "", speed: float | None = None) -> Learning:
            name = await stack.enter_async_context(namespaces.suite_namespace(check, cluster, config))
            mocks = await stack.enter_async_context(mock_control(platform, cluster, check, name, cadence))
            made = Learning(cluster, check, name, cadence, mocks)
            stack.push_async_callback(made.leave)
            shown = None
            if made.has_clock and (clock or speed):
                moment = dt.datetime.fromisoformat(clock) if clock else dt.datetime.now(dt.UTC)
                shown = at(moment, speed or cadence.speed)
            await made.scalers.setup(config, clock=shown)
            if shown is not None:
                made.clocks[CASES[config].scaler] = [shown]
            return made

        yield set_up
