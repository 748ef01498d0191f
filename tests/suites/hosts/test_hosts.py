"""Whether hosts are as declared, and equal where nothing is declared."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from proving_ground.hosts import judging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.hosts.judging import Judged

pytestmark = [pytest.mark.pre_merge, pytest.mark.smoke]


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        pytest.fail("\n".join([f"{wrong[0]}{more}", *wrong[1:]]), pytrace=False)


async def test_kernels_are_as_declared_and_equal(hosts: Sequence[Judged]) -> None:
    """Hosts run the kernel that is declared; those of which the same is declared run the same."""
    _refuse(judging.kernel(hosts))


async def test_operating_systems_are_as_declared_and_equal(hosts: Sequence[Judged]) -> None:
    """Hosts have the operating system that is declared; those of which the same is declared have the same."""
    _refuse(judging.operating_system(hosts))


async def test_kernel_modules_are_loaded(hosts: Sequence[Judged]) -> None:
    """Each kernel module that is declared is loaded or built in."""
    _refuse(judging.modules(hosts))


async def test_kernel_settings_are_as_declared(hosts: Sequence[Judged]) -> None:
    """Each kernel setting (sysctl) that is declared has its value."""
    _refuse(judging.sysctls(hosts))


async def test_swap_is_off(hosts: Sequence[Judged]) -> None:
    """No host swaps, unless it is declared that it may."""
    _refuse(judging.swap(hosts))


async def test_clocks_agree(hosts: Sequence[Judged]) -> None:
    """Clocks are synchronised, and agree with the controller's but for a bound and the round trip."""
    _refuse(judging.clock(hosts))


async def test_services_have_their_limits(hosts: Sequence[Judged]) -> None:
    """The main process of each service has the limits that are declared, or higher ones."""
    _refuse(judging.limits(hosts))


async def test_control_groups_are_as_declared_and_equal(hosts: Sequence[Judged]) -> None:
    """Control groups have the version that is declared, and the same on all hosts."""
    _refuse(judging.cgroup(hosts))


async def test_mounts_are_as_declared(hosts: Sequence[Judged]) -> None:
    """What is declared to be mounted is, with its type and options."""
    _refuse(judging.mounts(hosts))


async def test_space_is_free(hosts: Sequence[Judged]) -> None:
    """File systems have the free space and the free inodes that are declared, or more."""
    _refuse(judging.free_space(hosts))


async def test_mtus_are_as_declared_and_equal(hosts: Sequence[Judged]) -> None:
    """The network interfaces of all hosts have the MTU that is declared, and the same one."""
    _refuse(judging.mtu(hosts))


async def test_names_resolve(hosts: Sequence[Judged]) -> None:
    """Each host resolves its own name, and the names that are declared."""
    _refuse(judging.dns(hosts))


async def test_services_are_active_and_enabled(hosts: Sequence[Judged]) -> None:
    """The services that are declared (containerd and kubelet) are active, and start with the host."""
    _refuse(judging.services(hosts))


async def test_versions_are_as_declared_and_equal(hosts: Sequence[Judged]) -> None:
    """Programs have the versions that are declared; where none is, the same on all hosts."""
    _refuse(judging.versions(hosts))


async def test_certificates_are_not_near_expiry(hosts: Sequence[Judged]) -> None:
    """Every certificate of a host is valid for as many days still as is declared."""
    _refuse(judging.certificates(hosts, dt.datetime.now(dt.UTC)))


async def test_no_unit_has_failed(hosts: Sequence[Judged]) -> None:
    """No unit of systemd has failed."""
    _refuse(judging.failed_units(hosts))


async def test_memory_did_not_run_out(hosts: Sequence[Judged]) -> None:
    """Within the window the journal tells of no process that was ended because memory ran out."""
    _refuse(judging.out_of_memory(hosts))


async def test_no_disk_failed(hosts: Sequence[Judged]) -> None:
    """Within the window the journal tells of no error of a disk or of a file system."""
    _refuse(judging.disk_errors(hosts))
