"""Which platform the command line works on: the one that was named, else the newest that was kept."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

from proving_ground import kube
from proving_ground.errors import ConfigurationError, ProvingGroundError
from proving_ground.ownership.state import RunState, all_runs
from proving_ground.plugin.activation import read_platform

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proving_ground.contracts.platform import Platform
    from proving_ground.kube import Cluster

KEEP = "keep one: ./nox -s nightly -- --keep"
CLUSTER = "default"


def platform_file(file: Path | None = None, run_id: str | None = None) -> Path:
    """Return the platform.json to work on.

    Args:
        file: It was named.
        run_id: Its run was named.

    Raises:
        ConfigurationError: There is none.
    """
    if file is not None:
        return file.resolve()
    if run_id is not None:
        found = RunState.of(run_id).platform_file
        if not found.is_file():
            known = ", ".join(state.run_id for state in _kept()) or "none"
            raise ConfigurationError(f"run {run_id} has no platform", where="--run-id", hint=f"kept: {known}; {KEEP}")
        return found
    kept = _kept()
    if not kept:
        raise ConfigurationError("no run was kept, so there is no platform to work on", hint=KEEP)
    return kept[-1].platform_file


def _kept() -> list[RunState]:
    """Return the runs that were kept and have a platform, oldest first."""
    now = dt.datetime.now(dt.UTC)
    found = []
    for state in all_runs():
        owner = state.owner()
        if owner is not None and owner.kept and owner.expires > now and state.platform_file.is_file():
            found.append(state)
    return found


def read(path: Path) -> Platform:
    """Return a platform.

    Raises:
        ConfigurationError: It cannot be read, or has no cluster.
    """
    platform = read_platform(path)
    if CLUSTER not in platform.clusters:
        raise ConfigurationError(f"the platform has no cluster {CLUSTER!r}", where=str(path))
    return platform


def of_load(file: Path | None, run_id: str | None) -> Platform | None:
    """Return the platform whose hosts load may be sent to; None where none was named and none is kept."""
    if file is not None or run_id is not None:
        return read_platform(platform_file(file, run_id))
    with contextlib.suppress(ProvingGroundError):
        return read_platform(platform_file())
    return None


@contextlib.asynccontextmanager
async def connected(platform: Platform) -> AsyncIterator[Cluster]:
    """Give the platform's cluster while the context lasts."""
    declared = platform.clusters[CLUSTER]
    async with kube.Cluster.connect(declared.kubeconfig, declared.context) as cluster:
        yield cluster
