from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.gpu import cdi, collectives, judging, kernel_log
from proving_ground.gpu.document import Clocks, Ecc, Link, Pcie, Power, Repair, Thermal
from proving_ground.gpu.host_files import DeviceNodes
from proving_ground.gpu.infiniband import Port

from .samples import declared, document, gpu, gpus

if TYPE_CHECKING:
    from collections.abc import Iterable

NODES = DeviceNodes(
    dict.fromkeys(("/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"), "character special file")
)
PEERS = {(0, 1): "OK", (1, 0): "OK"}
UP = [Port("mlx5_0", 1, "ACTIVE", "LinkUp", 400), Port("mlx5_1", 1, "ACTIVE", "LinkUp", 400)]
CDI = [cdi.parse(document("nvidia-cdi.yaml"), "nvidia.yaml")]
TWO = declared(count=8)


def said(found: Iterable[judging.Finding]) -> str:
    return "\n".join(str(finding) for finding in found)


def test_a_host_in_order_has_no_findings() -> None:
    seen, wanted = gpus(), declared()
    loaded = frozenset({"nvidia", "nvidia_uvm"})
    verdicts = [
        judging.inventory(seen, wanted),
        judging.driver_range(seen, wanted),
        judging.drivers_equal({"a": (seen, wanted), "b": (seen, wanted)}),
        judging.loaded_driver(seen, "570.124.06"),
        judging.modules(wanted, loaded, frozenset({"nouveau"})),
        judging.device_nodes(seen, wanted, NODES),
        judging.persistence(seen, wanted),
        judging.partition(seen, wanted),
        judging.ecc(seen, wanted),
        judging.ecc_errors(seen, wanted),
        judging.repairs(seen),
        judging.retired_pages(seen, wanted),
        judging.pcie(seen, wanted),
        judging.links(seen, wanted),
        judging.link_errors(seen),
        judging.peers(seen, wanted, PEERS),
        judging.fabric(seen, wanted, "active", "570.124.06"),
        judging.infiniband(wanted, UP),
        judging.throttling(seen),
        judging.clocks(seen, wanted),
        judging.temperature(seen, wanted),
        judging.power(seen, wanted),
        judging.kernel_events(wanted, ()),
        judging.toolkit(wanted, {"nvidia-ctk": "1.17"}),
        judging.cdi(seen, wanted, CDI, NODES),
        judging.collective(TWO, collectives.parse(document("all-reduce.txt"))),
    ]
    assert [said(verdict) for verdict in verdicts if verdict] == []


@pytest.mark.parametrize(
    ("version", "lowest", "highest", "inside"),
    [
        ("570.124.06", "550.54", "570", True),
        ("570.124.06", "570.124.06", "570.124.06", True),
        ("570.124.06", "", "", True),
        ("575.1", "550", "570", False),
        ("535.9.9", "535.104", "", False),
        ("6.12.12", "6.7", "", True),
        ("", "", "", False),
        ("unknown", "550", "", False),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, lowest: str, highest: str, inside: bool) -> None:
    assert judging.within_versions(version, lowest, highest) is inside


def test_a_finding_says_what_was_expected_what_was_found_and_what_to_do() -> None:
    (finding,) = judging.inventory(gpus(gpu(0)), declared())
    assert str(finding) == (
        "GPUs: expected 2, found 1 (look at lspci and the kernel log: one may have fallen off the bus)"
    )


def test_another_vendor_product_and_memory_are_found() -> None:
    wrong = gpus(gpu(0, name="NVIDIA T4"), gpu(1, memory_mib=None), vendor="amd")
    text = said(judging.inventory(wrong, declared()))
    assert "vendor: expected nvidia, found amd" in text
    assert "GPU 0 (0000:10:00.0): expected NVIDIA H100 80GB HBM3, found NVIDIA T4" in text
    assert "expected 81559 MiB of memory, found nothing told" in text


def test_a_driver_out_of_its_range_is_found() -> None:
    text = said(judging.driver_range(gpus(gpu(0, driver="535.1")), declared()))
    assert "expected a driver from 550.54 to 570, found 535.1" in text


def test_different_drivers_on_hosts_of_one_vendor_are_found() -> None:
    old, new = gpus(gpu(0, driver="550.90")), gpus(gpu(0))
    amd = gpus(gpu(0, driver="6.12"), vendor="amd")
    text = said(judging.drivers_equal({"a": (old, declared()), "b": (new, declared()), "c": (amd, declared())}))
    assert text.startswith("nvidia drivers: expected the same on every host, found 550.90 on a; 570.124.06 on b")
    assert judging.drivers_equal({"b": (new, declared()), "c": (amd, declared())}) == []


@pytest.mark.parametrize("loaded", ["", "550.90.07"])
def test_a_module_of_another_driver_is_found(loaded: str) -> None:
    assert "expected version 570.124.06" in said(judging.loaded_driver(gpus(), loaded))


def test_missing_modules_and_nouveau_are_found() -> None:
    text = said(judging.modules(declared(), frozenset({"nvidia", "nouveau"}), frozenset()))
    assert "nvidia_uvm loaded" in text
    assert "nouveau loaded" in text
    assert "expected nouveau blacklisted" in text


def test_amds_module_is_found_missing_and_nouveau_does_not_matter() -> None:
    amd = declared(vendor="amd")
    assert said(judging.modules(amd, frozenset(), frozenset())).startswith("modules: expected amdgpu loaded")
    assert judging.modules(amd, frozenset({"amdgpu"}), frozenset()) == []


def test_missing_device_nodes_are_found_also_nvidia_uvm() -> None:
    few = DeviceNodes({"/dev/nvidia0": "character special file", "/dev/nvidia-uvm": "directory"})
    text = said(judging.device_nodes(gpus(), declared(), few))
    assert [path in text for path in ("/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm")] == [True] * 3


def test_missing_device_nodes_of_amd_are_found() -> None:
    one = DeviceNodes({"/dev/dri/renderD128": "character special file"})
    text = said(judging.device_nodes(gpus(vendor="amd"), declared(vendor="amd"), one))
    assert "expected /dev/kfd" in text
    assert "expected 2 of /dev/dri/renderD*" in text


@pytest.mark.parametrize("state", [False, None])
def test_persistence_that_is_not_on_is_found(state: bool | None) -> None:
    assert len(judging.persistence(gpus(gpu(0, persistence=state), gpu(1)), declared())) == 1
    assert judging.persistence(gpus(gpu(0, persistence=state)), declared(persistence=False)) == []


def test_another_partition_is_found() -> None:
    mixed = gpus(gpu(0, partition="enabled"), gpu(1))
    assert "expected partition disabled, found enabled" in said(judging.partition(mixed, declared()))
    assert "expected all divided alike" in said(judging.partition(mixed, declared(partition="")))
    assert judging.partition(gpus(gpu(0, partition="SPX")), declared(partition="spx")) == []


@pytest.mark.parametrize(
    ("ecc", "words"),
    [
        (Ecc(enabled=False, uncorrectable=0), "expected ECC on, found off"),
        (Ecc(enabled=None, uncorrectable=0), "expected ECC on, found nothing told"),
        (Ecc(enabled=True, pending=False, uncorrectable=0), "after the next reset"),
    ],
)
def test_error_correction_that_is_not_as_declared_is_found(ecc: Ecc, words: str) -> None:
    assert words in said(judging.ecc(gpus(gpu(0, ecc=ecc)), declared()))


@pytest.mark.parametrize(
    ("ecc", "words"),
    [
        (Ecc(enabled=True, uncorrectable=2), "expected no uncorrectable errors of memory, found 2"),
        (Ecc(enabled=True), "a count of uncorrectable errors, found nothing told"),
        (Ecc(enabled=True, uncorrectable=0, threshold_exceeded=True), "have the GPU replaced"),
    ],
)
def test_errors_of_memory_are_found(ecc: Ecc, words: str) -> None:
    assert words in said(judging.ecc_errors(gpus(gpu(0, ecc=ecc)), declared()))


@pytest.mark.parametrize(
    ("repair", "words"),
    [
        (Repair(pending=("row remapping", "channel repair")), "found row remapping, channel repair"),
        (Repair(failed=True), "found one failed"),
        (Repair(exhausted_banks=2), "found 2 banks without any"),
    ],
)
def test_repairs_that_wait_or_failed_are_found(repair: Repair, words: str) -> None:
    assert words in said(judging.repairs(gpus(gpu(0, repair=repair))))


def test_a_reset_that_the_driver_asks_for_is_found() -> None:
    assert "found Drain and Reset" in said(judging.repairs(gpus(gpu(0, recovery="Drain and Reset"))))


def test_retired_pages_are_found_above_the_vendors_limit() -> None:
    assert judging.retired_pages(gpus(gpu(0, repair=Repair(pages=59))), declared()) == []
    assert "found 60" in said(judging.retired_pages(gpus(gpu(0, repair=Repair(pages=60))), declared()))
    waits = gpu(0, repair=Repair(pages=1, pages_pending=True))
    assert "found one waits" in said(judging.retired_pages(gpus(waits), declared()))


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Pcie(generation_max=5, width=8, width_max=16), "expected PCIe x16, found x8"),
        (Pcie(generation_max=5, width=8, width_max=8), "expected PCIe x16, found x8"),
        (Pcie(generation_max=4, generation_device=5, width=16, width_max=16), "generation 5, found 4"),
        (Pcie(), "found nothing told"),
    ],
)
def test_a_slot_that_is_too_narrow_or_slow_is_found(link: Pcie, words: str) -> None:
    assert words in said(judging.pcie(gpus(gpu(0, pcie=link)), declared()))


def test_a_generation_that_fell_while_the_gpu_idles_is_no_finding() -> None:
    idle = Pcie(generation=1, generation_max=5, generation_device=5, width=16, width_max=16)
    assert judging.pcie(gpus(gpu(0, pcie=idle)), declared()) == []


def test_undeclared_slots_are_judged_by_what_the_gpu_can_do() -> None:
    plain = declared(pcie_generation=None, pcie_width=None)
    slow = Pcie(generation_max=3, generation_device=4, width=8, width_max=16)
    text = said(judging.pcie(gpus(gpu(0, pcie=slow)), plain))
    assert "expected PCIe x16, found x8" in text
    assert "expected PCIe generation 4, found 3" in text


def test_links_that_are_down_missing_or_untold_are_found() -> None:
    down = gpu(0, links=(Link(0, active=True), Link(1, active=False)))
    assert "expected 2 active links, found 1 (down: 1)" in said(judging.links(gpus(down), declared()))
    assert "expected 2 active links, found 1 (down: 1)" in said(judging.links(gpus(down), declared(links=None)))
    assert "found 0 (down: others not there)" in said(judging.links(gpus(gpu(0, links=())), declared()))
    assert "found nothing told" in said(judging.links(gpus(gpu(0, links=None)), declared()))
    assert judging.links(gpus(gpu(0, links=None)), declared(links=None)) == []


def test_errors_of_links_are_found() -> None:
    wrong = gpu(0, links=(Link(3, active=True, errors={"CRC Errors": 5, "Replay Errors": 0}),))
    assert "link 3: expected no errors, found 5 CRC Errors" in said(judging.link_errors(gpus(wrong)))
    assert "expected no errors of its links" in said(judging.link_errors(gpus(gpu(0, links=None, link_errors=1))))


def test_pairs_that_do_not_reach_each_other_are_found() -> None:
    text = said(judging.peers(gpus(), declared(), {(0, 1): "CNS"}))
    assert "GPU 0 to GPU 1: expected peer access, found CNS" in text
    assert "GPU 1 to GPU 0: expected peer access, found nothing told" in text
    assert judging.peers(gpus(), declared(peers=False), {}) == []


def test_a_fabric_that_is_not_in_order_is_found() -> None:
    text = said(judging.fabric(gpus(gpu(0, fabric="in progress")), declared(), "failed", "550.1"))
    assert "fabric manager: expected active, found failed" in text
    assert "expected version 570.124.06, found 550.1" in text
    assert "registered with the fabric manager, found in progress" in text
    assert judging.fabric(gpus(gpu(0, fabric="in progress")), declared(nvswitch=False), "", "") == []


def test_gpus_that_tell_of_no_fabric_are_judged_by_the_service() -> None:
    assert judging.fabric(gpus(gpu(0, fabric=None)), declared(), "active", "570.124.06") == []


def test_ports_that_are_down_missing_or_slow_are_found() -> None:
    down = Port("mlx5_1", 1, "DOWN", "Polling", 400)
    assert "expected 2 active ports, found mlx5_1 port 1 DOWN" in said(judging.infiniband(declared(), [UP[0], down]))
    assert "expected 2 active ports, found 0 ports" in said(judging.infiniband(declared(), []))
    slow = Port("mlx5_1", 1, "ACTIVE", "LinkUp", 200)
    assert "expected 400 Gbit/s, found 200" in said(judging.infiniband(declared(), [UP[0], slow]))


def test_undeclared_ports_matter_only_with_a_cable() -> None:
    plugged, empty = Port("a", 1, "INIT", "LinkUp", 400), Port("b", 1, "DOWN", "Polling", 10)
    assert [finding.subject for finding in judging.infiniband(declared(infiniband=None), [plugged, empty])] == [
        "a port 1"
    ]


def test_harmful_reasons_are_found_and_a_cap_of_power_is_none() -> None:
    reasons = frozenset({"hw_thermal_slowdown", "sw_power_cap", "gpu_idle"})
    found = judging.throttling(gpus(gpu(0, clocks=Clocks(reasons=reasons))))
    assert [finding.found for finding in found] == ["hw_thermal_slowdown"]
    assert "found nothing told" in said(judging.throttling(gpus(gpu(0, clocks=Clocks()))))


def test_clocks_that_were_left_low_are_found() -> None:
    low = Clocks(highest=990, chosen=900, usual=1980, reasons=frozenset())
    text = said(judging.clocks(gpus(gpu(0, clocks=low)), declared()))
    assert "a clock up to 1980 MHz, found 990 MHz" in text
    assert "application clock 1980 MHz, found 900 MHz" in text


@pytest.mark.parametrize(
    ("heat", "words"),
    [
        (Thermal(gpu=85), "expected below 85 C, found 85 C"),
        (Thermal(gpu=80, slowdown=79), "expected below 79 C, found 80 C"),
        (Thermal(gpu=60, margin=-1), "a margin to its limit, found -1 C"),
        (Thermal(gpu=60, memory=96), "memory: expected below 95 C, found 96 C"),
        (Thermal(gpu=60, memory=90, memory_slowdown=88), "memory: expected below 88 C"),
        (Thermal(), "expected a temperature, found nothing told"),
    ],
)
def test_heat_is_found(heat: Thermal, words: str) -> None:
    assert words in said(judging.temperature(gpus(gpu(0, thermal=heat)), declared()))


def test_another_cap_of_power_is_found() -> None:
    low = gpus(gpu(0, power=Power(cap=350)), gpu(1))
    assert "expected a cap of 700 W, found 350 W" in said(judging.power(low, declared()))
    assert "one cap of power, found 350 W, 700 W" in said(judging.power(low, declared(power_cap_watts=None)))
    assert "found nothing told" in said(judging.power(gpus(gpu(0, power=Power())), declared()))


def test_events_of_hardware_and_driver_are_found_and_those_of_programs_are_not() -> None:
    events = kernel_log.parse(document("kernel.log"))
    text = said(judging.kernel_events(declared(), events))
    assert "Xid 79: the GPU fell off the bus" in text
    assert "Xid 31" not in text
    assert "Xid 79" not in said(judging.kernel_events(declared(xids_allowed=[79]), events))


def test_a_missing_toolkit_is_found() -> None:
    assert "expected nvidia-ctk, found none" in said(judging.toolkit(declared(), {}))
    assert "expected amd-ctk, found nvidia-ctk" in said(judging.toolkit(declared(vendor="amd"), {"nvidia-ctk": ""}))
    assert judging.toolkit(declared(toolkit=False), {}) == []


def test_a_cdi_specification_that_lacks_a_gpu_or_names_what_is_not_there_is_found() -> None:
    three = gpus(gpu(0), gpu(1), gpu(2))
    assert "expected device 2, found 0, 1, all" in said(judging.cdi(three, declared(), CDI, NODES))
    gone = DeviceNodes({"/dev/nvidia0": "character special file"})
    assert "/dev/nvidia1, which is not" in said(judging.cdi(gpus(), declared(), CDI, gone))
    assert "a specification of amd.com/gpu, found nvidia.com/gpu" in said(
        judging.cdi(gpus(), declared(vendor="amd"), CDI, NODES)
    )
    assert judging.cdi(gpus(), declared(toolkit=False), [], NODES) == []


def test_a_device_may_be_named_by_its_uuid() -> None:
    spec = cdi.CdiSpec("f", "nvidia.com/gpu", {"GPU-0": (), "GPU-1": (), "all": ()}, ())
    assert judging.cdi(gpus(), declared(), [spec], NODES) == []


def test_a_slow_or_wrong_all_reduce_is_found() -> None:
    measured = collectives.Measured(ranks=4, largest=1, bus=300, average=200, wrong=3)
    text = said(judging.collective(TWO, measured))
    assert "expected right values, found 3 wrong ones" in text
    assert "expected 8 GPUs, found 4" in text
    assert "expected 460 GB/s of bus bandwidth, found 300" in text
