"""Links of GPUs: to the host, to each other, to other hosts."""

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


async def test_pcie_links_are_as_wide_and_fast_as_they_can_be(hosts: Hosts) -> None:
    """Each GPU uses all lanes of its slot, and slot and GPU agree on the declared generation."""
    hosts.judge(lambda host: judging.pcie(host.document, host.declared))


async def test_links_between_gpus_are_active(hosts: Hosts) -> None:
    """Each GPU has as many active NVLink or xGMI links as declared."""
    hosts.judge(lambda host: judging.links(host.with_links, host.declared))


async def test_links_between_gpus_have_no_errors(hosts: Hosts) -> None:
    """No counter of errors of a link between GPUs is above zero."""
    hosts.judge(lambda host: judging.link_errors(host.with_links))


async def test_gpus_reach_each_other(hosts: Hosts) -> None:
    """Each GPU can read the memory of every other one of its host."""
    hosts.judge(lambda host: judging.peers(host.document, host.declared, host.peers))


async def test_the_fabric_manager_knows_the_gpus(hosts: Hosts) -> None:
    """Where NVSwitches join the GPUs, the fabric manager runs in the driver's version and has registered each GPU."""

    def rule(host: HostGpus) -> Iterable[Finding]:
        if not host.declared.nvswitch:
            return []
        return judging.fabric(host.document, host.declared, host.fabric_service, host.fabric_version)

    hosts.judge(rule)


async def test_ports_to_other_hosts_are_active(hosts: Hosts) -> None:
    """As many InfiniBand ports are active at the declared rate as declared; undeclared, none with a cable is down."""
    hosts.judge(lambda host: judging.infiniband(host.declared, host.ports))
