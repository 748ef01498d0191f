"""How GPUs are at this moment: clocks, heat, power, what the kernel says of them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from proving_ground.gpu import judging, kernel_log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import Hosts

    from proving_ground.gpu.judging import Finding
    from proving_ground.gpu.reading import HostGpus

pytestmark = [pytest.mark.pre_merge, pytest.mark.smoke]
CLOCKS_APART = dt.timedelta(minutes=2)


async def test_nothing_holds_clocks_down(hosts: Hosts) -> None:
    """No GPU is slowed down by heat, by its power supply or by its hardware."""
    hosts.judge(lambda host: judging.throttling(host.document))


async def test_gpus_can_reach_their_clock(hosts: Hosts) -> None:
    """Each GPU can reach the declared clock, and nobody left another application clock behind."""
    hosts.judge(lambda host: judging.clocks(host.document, host.declared))


async def test_no_gpu_is_too_hot(hosts: Hosts) -> None:
    """Each GPU and its memory is below the declared limit and below where it slows down."""

    def rule(host: HostGpus) -> Iterable[Finding]:
        hottest = max((gpu.thermal.gpu or 0 for gpu in host.document.gpus), default=0)
        hosts.check.metric(f"hottest_celsius_{host.host}", hottest)
        return judging.temperature(host.document, host.declared)

    hosts.judge(rule)


async def test_the_cap_of_power_is_as_declared(hosts: Hosts) -> None:
    """The cap of power in force is the declared one."""
    hosts.judge(lambda host: judging.power(host.document, host.declared))


async def test_the_kernel_log_tells_of_no_trouble(hosts: Hosts) -> None:
    """Since the run began the kernel logged no Xid, and no error of amdgpu, that hardware or driver is to blame for."""
    until = dt.datetime.now(dt.UTC) + CLOCKS_APART

    def rule(host: HostGpus) -> Iterable[Finding]:
        events = kernel_log.within(host.events, hosts.since - CLOCKS_APART, until)
        for event in events:
            if event.blame in ("application", "information"):
                hosts.check.note("gpu", host.host, f"{event.bus} {event.label}: {event.meaning}")
        return judging.kernel_events(host.declared, events)

    hosts.judge(rule)
