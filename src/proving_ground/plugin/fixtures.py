"""Fixtures that checks ask for by name."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from proving_ground.contracts.platform import Endpoint, Platform
    from proving_ground.history.fixture import PerformanceHistory
    from proving_ground.hosts.machine import Machine
    from proving_ground.kube import Cluster
    from proving_ground.plugin.check_run import CheckRun, Settings
    from proving_ground.plugin.verification import Verification


def _verification(config: pytest.Config) -> Verification:
    found: Verification | None = config.pluginmanager.get_plugin("proving-ground-verification")
    if found is None:
        raise InfrastructureError("there is no platform to verify", hint="give --platform FILE")
    return found


@pytest.fixture(scope="session")
def platform(pytestconfig: pytest.Config) -> Platform:
    """The platform, with parameters replaced as the command line says."""
    return _verification(pytestconfig).platform


@pytest.fixture(scope="session")
def settings(pytestconfig: pytest.Config) -> Settings:
    """What the command line set for every check; for fixtures that several checks share."""
    return _verification(pytestconfig).settings


@pytest.fixture
def check(request: pytest.FixtureRequest) -> CheckRun:
    """This check at work: settings, notes, metrics, properties, attachments."""
    return _verification(request.config).runs[request.node.nodeid]


@pytest.fixture(scope="session")
def endpoint(platform: Platform) -> Callable[[str], Endpoint]:
    """Return an endpoint of the platform by name; one that is not there is an infrastructure error."""

    def find(name: str) -> Endpoint:
        if name not in platform.endpoints:
            known = ", ".join(sorted(platform.endpoints)) or "none"
            raise InfrastructureError(f"the platform has no endpoint {name!r}", hint=f"it has {known}")
        return platform.endpoints[name]

    return find


@pytest.fixture(scope="session")
def parameters(platform: Platform) -> Callable[[str], Mapping[str, Any]]:
    """Return the parameters of a system by its name; a system that is not there is an infrastructure error."""

    def find(system: str) -> Mapping[str, Any]:
        if system not in platform.systems:
            known = ", ".join(sorted(platform.systems)) or "none"
            raise InfrastructureError(f"the platform has no system {system!r}", hint=f"it has {known}")
        return platform.systems[system].parameters

    return find


@pytest.fixture(scope="session")
def machines(platform: Platform) -> tuple[Machine, ...]:
    """The hosts of the platform, reached over SSH; shared by all checks. None at all is an infrastructure error."""
    from proving_ground.hosts.machine import machines_of  # noqa: PLC0415  # only where a check uses hosts

    return machines_of(platform)


@pytest.fixture
def disturb(check: CheckRun) -> Callable[..., Awaitable[None]]:
    """What disturbs the platform; a check that asks for it carries the mark ``needs_disturb``.

    ``await disturb("restart_program", program="kube-apiserver")`` returns when that program is ready again.
    """
    from proving_ground import disturbance  # noqa: PLC0415  # only where a check disturbs

    return functools.partial(disturbance.disturb, check)


@pytest.fixture
def performance_history(check: CheckRun) -> Iterator[PerformanceHistory]:
    """The history, for this check: it records what was measured, and asks the stage's gates."""
    from proving_ground.history.fixture import PerformanceHistory  # noqa: PLC0415  # only where a check measures

    history = PerformanceHistory(check)
    yield history
    history.close()


@pytest.fixture
async def cluster(check: CheckRun) -> Cluster:
    """The default cluster; shared by all checks."""
    return await check.cluster()


@pytest.fixture
async def namespace(check: CheckRun, cluster: Cluster) -> AsyncIterator[str]:
    """A fresh namespace of the run, with its fault; it is removed and verified gone, else the check fails."""
    from proving_ground import kube  # noqa: PLC0415  # only where a check uses Kubernetes

    settings = check.settings
    # The removal is clean-up: --wait-limit does not cut it.
    limit = settings.cleanup_limit * 0.9
    async with kube.namespace(cluster, run_id=settings.run_id, fault=settings.fault or "", timeout=limit) as name:
        check.property("namespace", name)
        # Until its controller has made the account that pods run as, the API server refuses pods.
        account = kube.Reference("v1", "ServiceAccount", "default", name)
        await cluster.wait_for(account, lambda found: found is not None, timeout=limit, what="its service account")
        yield name
