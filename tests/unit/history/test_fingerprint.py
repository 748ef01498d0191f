from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from proving_ground.contracts.platform import Clock, Host, Platform
from proving_ground.history.fingerprint import of_platform, of_this_machine, rounded_memory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Brand  CPU\nprocessor\t: 1\nmodel name\t: Other\n")
    (tmp_path / "meminfo").write_text("MemTotal:       131072000 kB\nMemFree: 5 kB\n")
    for slot in ("0000:01:00.0", "0000:02:00.0"):
        folder = tmp_path / "driver/nvidia/gpus" / slot
        folder.mkdir(parents=True)
        (folder / "information").write_text("Model: \t NVIDIA H200\nIRQ: 5\n")
    return tmp_path


def platform(*hosts: Host) -> Platform:
    return Platform(run_id="x", inventory="sim", hosts=list(hosts), clock=Clock(started=dt.datetime.now(dt.UTC)))


def test_this_machine_is_told_by_proc(proc: Path) -> None:
    found = of_this_machine(proc)
    assert (found.cpu, found.memory_gib, found.gpus, found.hosts) == ("Brand CPU", 128, ("NVIDIA H200",) * 2, 1)


def test_what_proc_does_not_tell_is_unknown(tmp_path: Path) -> None:
    found = of_this_machine(tmp_path)
    assert (found.cpu, found.memory_gib, found.gpus) == ("", 0, ())


@pytest.mark.parametrize(("gib", "sold"), [(0.4, 1), (7.7, 8), (23.5, 24), (125.6, 128), (126.1, 128), (2015.0, 2048)])
def test_memory_is_rounded_to_what_is_sold(gib: float, sold: int) -> None:
    assert rounded_memory(gib) == sold


def test_a_platform_without_hosts_is_this_machine(proc: Path) -> None:
    assert of_platform(platform(), proc) == of_this_machine(proc)


def test_hosts_are_counted_and_what_is_declared_of_them_counts(proc: Path) -> None:
    declared = {"hardware": {"cpu": "EPYC", "cores": 192, "memory_gib": 1536, "gpus": ["MI300X"] * 8}}
    found = of_platform(platform(Host(name="a", declared=declared), Host(name="b")), proc)
    assert (found.cpu, found.cores, found.hosts, len(found.gpus)) == ("EPYC", 192, 2, 8)


def test_hosts_without_declared_hardware_are_taken_for_this_machine(proc: Path) -> None:
    found = of_platform(platform(Host(name="a"), Host(name="b")), proc)
    assert (found.cpu, found.hosts) == ("Brand CPU", 2)
