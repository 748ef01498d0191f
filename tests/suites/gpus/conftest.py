"""What the checks of GPUs see: every host that declares GPUs, read once for all checks.

Faults are shown by simulated tools, which an environment variable of the command tells: real tools do not know it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.gpu import reading
from proving_ground.gpu.declared import declared_gpu
from proving_ground.gpu.document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from proving_ground.contracts.platform import Platform
    from proving_ground.gpu.judging import Finding
    from proving_ground.gpu.reading import HostGpus
    from proving_ground.hosts.machine import Machine
    from proving_ground.plugin.check_run import CheckRun, Settings


class Hosts:
    """The hosts with GPUs, as one check sees them."""

    def __init__(self, seen: Sequence[HostGpus], check: CheckRun, since: dt.datetime) -> None:
        self.seen = seen
        self.check = check
        self.since = since

    def having(self, vendor: str) -> list[HostGpus]:
        return [host for host in self.seen if host.declared.vendor == vendor]

    def judge(self, rule: Callable[[HostGpus], Iterable[Finding]]) -> None:
        """Judge every host; fail with all that is wrong anywhere. A host that cannot be read is wrong, too."""
        wrong = []
        for host in self.seen:
            try:
                wrong += [f"{host.host}: {finding}" for finding in rule(host)]
            except DocumentError as error:
                wrong.append(str(error) if error.where == host.host else f"{host.host}: {error}")
        self.check.metric("gpu_hosts", len(self.seen))
        assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="session")
async def read_hosts(machines: Sequence[Machine], platform: Platform, settings: Settings) -> list[HostGpus]:
    """Every host with GPUs, asked once."""
    chosen = [(machine, declared_gpu(machine.declared, machine.name)) for machine in reading.having_gpus(machines)]
    since = platform.clock.started
    asked = [
        reading.read(machine, declared, since, settings.fault or "")
        for machine, declared in chosen
        if declared is not None
    ]
    if not asked:
        raise InfrastructureError(
            "no host of the platform declares GPUs", hint="the inventory promises gpu_hosts: declare gpu for one"
        )
    return list(await asyncio.gather(*asked))


@pytest.fixture
async def hosts(read_hosts: list[HostGpus], check: CheckRun, platform: Platform) -> Hosts:
    """The hosts with GPUs as this check sees them."""
    return Hosts(read_hosts, check, platform.clock.started)
