"""GPUs in containers: the toolkit, and what it offers to container runtimes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.gpu import judging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import Hosts

    from proving_ground.gpu.judging import Finding
    from proving_ground.gpu.reading import HostGpus

pytestmark = [pytest.mark.pre_merge, pytest.mark.smoke]


async def test_the_container_toolkit_is_installed(hosts: Hosts) -> None:
    """The vendor's container toolkit is there."""

    def rule(host: HostGpus) -> Iterable[Finding]:
        hosts.check.property(f"toolkit_{host.host}", ", ".join(host.toolkit.values()))
        return judging.toolkit(host.declared, host.toolkit)

    hosts.judge(rule)


async def test_containers_are_offered_every_gpu(hosts: Hosts) -> None:
    """A CDI specification offers each GPU and all of them, by device nodes that are there."""
    hosts.judge(lambda host: judging.cdi(host.document, host.declared, host.cdi_specs, host.device_nodes))
