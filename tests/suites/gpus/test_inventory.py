"""What GPUs there are, with which driver, and how they are set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.gpu import judging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import Hosts

    from proving_ground.gpu.declared import DeclaredGpu
    from proving_ground.gpu.document import GpuDocument
    from proving_ground.gpu.judging import Finding
    from proving_ground.gpu.reading import HostGpus

pytestmark = [pytest.mark.pre_merge, pytest.mark.smoke]


async def test_every_declared_gpu_is_there(hosts: Hosts) -> None:
    """Each host has as many GPUs as it declares, of the declared product and with its memory."""
    hosts.check.metric("gpus", sum(host.declared.count for host in hosts.seen))
    hosts.judge(lambda host: judging.inventory(host.document, host.declared))


async def test_drivers_are_in_range_and_equal(hosts: Hosts) -> None:
    """The driver of each host lies between the declared versions, and hosts of one vendor have the same."""
    documents: dict[str, tuple[GpuDocument, DeclaredGpu]] = {}

    def rule(host: HostGpus) -> Iterable[Finding]:
        documents[host.host] = (host.document, host.declared)
        hosts.check.property(f"driver_{host.host}", host.document.driver)
        return judging.driver_range(host.document, host.declared)

    hosts.judge(rule)
    wrong = [str(finding) for finding in judging.drivers_equal(documents)]
    assert not wrong, "\n".join(wrong)


async def test_the_loaded_module_belongs_to_the_driver(hosts: Hosts) -> None:
    """The module in the kernel has the version of the driver that the tools belong to: no reboot was forgotten."""
    hosts.judge(lambda host: judging.loaded_driver(host.document, host.loaded_driver))


async def test_modules_are_loaded_and_nouveau_is_kept_out(hosts: Hosts) -> None:
    """The vendor's modules are loaded; on hosts with NVIDIA's GPUs nouveau is not, and it is blacklisted."""
    hosts.judge(lambda host: judging.modules(host.declared, host.modules, host.blacklisted))


async def test_device_nodes_are_there(hosts: Hosts) -> None:
    """Each GPU has its device node, and those that all of them need are there (also nvidia-uvm, kfd)."""
    hosts.judge(lambda host: judging.device_nodes(host.document, host.declared, host.device_nodes))


async def test_the_driver_stays_loaded(hosts: Hosts) -> None:
    """Persistence mode is on, so that no program waits for a GPU to be initialised."""
    hosts.judge(lambda host: judging.persistence(host.document, host.declared))


async def test_gpus_are_divided_as_declared(hosts: Hosts) -> None:
    """MIG, or the compute partition of AMD's GPUs, is as declared on every GPU."""
    hosts.judge(lambda host: judging.partition(host.document, host.declared))
