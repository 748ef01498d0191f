from __future__ import annotations

import pytest

from proving_ground.gpu import nvidia_smi
from proving_ground.gpu.document import LARGEST, DocumentError, Ecc, Pcie, Power, Repair

from .samples import document

H100 = document("nvidia-smi-550.xml")


def test_a_document_of_hopper_gpus_is_read_whole() -> None:
    found = nvidia_smi.parse(H100)
    assert (found.vendor, found.driver, len(found.gpus)) == ("nvidia", "550.127.08", 2)
    first = found.gpus[0]
    assert (first.name, first.memory_mib, first.minor, first.bus) == (
        "NVIDIA H100 80GB HBM3",
        81559,
        0,
        "00000000:1b:00.0",
    )
    assert (first.persistence, first.partition, first.fabric, first.recovery) == (True, "disabled", "completed", "")
    assert first.pcie == Pcie(1, 5, 5, 16, 16, 0)
    assert first.ecc == Ecc(True, True, 0, 3, 1, threshold_exceeded=False)
    assert first.repair == Repair(rows=1, pending=(), failed=False, exhausted_banks=0)
    assert (first.thermal.gpu, first.thermal.memory, first.thermal.margin, first.thermal.slowdown) == (29, 41, 56, None)
    assert first.power == Power(71.92, 700, 700)
    assert (first.clocks.highest, first.clocks.chosen, first.clocks.reasons) == (1980, 1980, {"gpu_idle"})


def test_a_document_of_an_old_driver_is_read_by_its_own_names() -> None:
    (found,) = nvidia_smi.parse(document("nvidia-smi-470.xml")).gpus
    assert (found.persistence, found.partition, found.fabric) == (False, None, None)
    assert (found.ecc.uncorrectable, found.ecc.correctable, found.ecc.aggregate_uncorrectable) == (1, 4, 7)
    assert (found.ecc.enabled, found.ecc.pending) == (True, False)
    assert (found.repair.pages, found.repair.pages_pending, found.repair.pending) == (7, True, None)
    assert (found.pcie.width, found.pcie.width_max, found.pcie.generation_device) == (8, 16, None)
    assert found.clocks.reasons == {"hw_slowdown", "sw_thermal_slowdown"}
    assert (found.thermal.slowdown, found.thermal.memory_slowdown) == (87, 85)
    assert (found.power.drawn, found.power.cap) == (38.5, 250)


def test_a_document_of_a_new_driver_is_read_by_its_own_names() -> None:
    (found,) = nvidia_smi.parse(document("nvidia-smi-590.xml")).gpus
    assert found.repair == Repair(3, ("row remapping", "channel repair"), failed=True, exhausted_banks=2)
    assert (found.ecc.enabled, found.ecc.uncorrectable, found.ecc.threshold_exceeded) == (False, None, True)
    assert (found.recovery, found.partition) == ("Drain and Reset", "enabled")
    assert (found.power.drawn, found.clocks.chosen) == (141.2, None)
    assert found.clocks.reasons == {"hw_power_brake_slowdown"}
    assert found.fabric == "completed: Insufficient Resources"
    assert found.thermal.margin == -1


def test_a_reset_that_the_driver_asks_for_is_told() -> None:
    wanted = H100.replace("<reset_required>No", "<reset_required>Yes", 1)
    assert [gpu.recovery for gpu in nvidia_smi.parse(wanted).gpus] == ["Reset", ""]


def test_bytes_with_a_byte_order_mark_are_read() -> None:
    assert len(nvidia_smi.parse(b"\xef\xbb\xbf" + H100.encode()).gpus) == 2


def test_what_a_tool_says_before_the_document_is_passed_over() -> None:
    assert len(nvidia_smi.parse(f"WARNING: infoROM is corrupted at gpu 0000:1B:00.0\n{H100}").gpus) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "found nothing"),
        ("   \n", "found nothing"),
        ("No devices were found", "expected XML with nvidia_smi_log"),
        ("<?xml version='1.0'?><other/>", "expected XML with nvidia_smi_log"),
        (H100[: len(H100) // 2], "expected a whole XML document"),
        (H100.replace("</nvidia_smi_log>", ""), "expected a whole XML document"),
        (H100.replace("<attached_gpus>2", "<attached_gpus>8"), "expected 8 GPUs"),
        (H100.replace("000000000001<", "000000000000<"), "a UUID of its own"),
        (H100.replace("<driver_version>550.127.08<", "<driver_version>N/A<"), "expected driver_version"),
        (H100.replace("<!DOCTYPE", "<!ENTITY a 'b'><!DOCTYPE"), "without entities"),
        (H100.encode().replace(b"NVIDIA", b"\xff\xfe", 1), "expected UTF-8"),
        (H100.encode("utf-16"), "expected UTF-8"),
        ("a\0b", "zero byte"),
    ],
)
def test_what_is_no_such_document_is_one_clear_error(content: bytes | str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        nvidia_smi.parse(content)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_document_of_enormous_size_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(DocumentError, match=r"found 64 MiB"):
        nvidia_smi.parse(b" " * (LARGEST + 1))


def test_links_are_read_with_state_and_errors() -> None:
    links = nvidia_smi.parse_links(document("nvlink-status.txt"), document("nvlink-errors.txt"))
    assert [sum(link.active for link in links[gpu]) for gpu in (0, 1)] == [18, 17]
    assert {link.number: dict(link.errors) for link in links[0] if any(link.errors.values())} == {
        2: {"Replay Errors": 0, "Recovery Errors": 0, "CRC Errors": 5}
    }


def test_traffic_and_corrections_of_nvlink_5_are_no_errors() -> None:
    status = "GPU 0: NVIDIA B200 (UUID: GPU-1)\n\t Link 0: 50 GB/s\n"
    (link,) = nvidia_smi.parse_links(status, document("nvlink-errors-5.txt"))[0]
    assert {name for name, count in link.errors.items() if count} == {"Link recovery failed events"}
    assert {"Malformed packet Errors", "Rx Errors", "Tx discards", "Effective Errors"} <= link.errors.keys()
    assert not {"Symbol Errors", "Tx packets", "FEC Errors - 0", "Total link recovery events"} & link.errors.keys()


def test_a_link_at_no_rate_is_not_active() -> None:
    (link,) = nvidia_smi.parse_links("GPU 0: X\n Link 3: 0 GB/s\n", "")[0]
    assert (link.number, link.active) == (3, False)


def test_a_gpu_without_links_has_none() -> None:
    with_links = nvidia_smi.with_links(nvidia_smi.parse(H100), nvidia_smi.parse_links("GPU 0: X\nGPU 1: Y\n", ""))
    assert [gpu.links for gpu in with_links.gpus] == [(), ()]


@pytest.mark.parametrize("content", ["", "NVML: Driver/library version mismatch", " Link 0: 25 GB/s\n"])
def test_what_tells_of_no_links_is_one_clear_error(content: str) -> None:
    with pytest.raises(DocumentError, match="nvlink -s"):
        nvidia_smi.parse_links(content, "")


def test_pairs_of_gpus_are_read_from_the_matrix() -> None:
    peers = nvidia_smi.parse_peers(document("peers.txt"))
    assert len(peers) == 6
    assert {pair for pair, state in peers.items() if state != "OK"} == {(1, 2), (2, 1)}
    assert peers[1, 2] == "CNS"


def test_a_matrix_in_colours_is_read() -> None:
    assert nvidia_smi.parse_peers("\t\x1b[4mGPU0\tGPU1\x1b[0m\n GPU0\tX\tNS\n GPU1\tOK\tX\n") == {
        (0, 1): "NS",
        (1, 0): "OK",
    }


@pytest.mark.parametrize(
    "content",
    ["", "nothing", "\tGPU0\tGPU1\n GPU0\tX\tOK\n", "\tGPU0\tGPU1\n GPU0\tX\n", "\tGPU0\tGPU1\n GPU0\tX\tperhaps\n"],
)
def test_what_is_no_whole_matrix_is_one_clear_error(content: str) -> None:
    with pytest.raises(DocumentError, match="topo -p2p r"):
        nvidia_smi.parse_peers(content)
