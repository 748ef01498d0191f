from __future__ import annotations

import pytest

from proving_ground.gpu import cdi, collectives, host_files, infiniband
from proving_ground.gpu.document import DocumentError

from .samples import document

PORT = "mlx5_0/1/state=4: ACTIVE\nmlx5_0/1/phys_state=5: LinkUp\nmlx5_0/1/rate=400 Gb/sec (4X NDR)\n"
REDUCE = document("all-reduce.txt")


def test_ports_are_read_with_state_and_rate() -> None:
    down = "mlx5_1/1/state=1: DOWN\nmlx5_1/1/rate=10 Gb/sec (4X SDR)\nmlx5_1/1/link_layer=Ethernet\n"
    one, other = infiniband.parse(PORT + down)
    assert (one.label, one.state, one.physical, one.rate, one.layer) == (
        "mlx5_0 port 1",
        "ACTIVE",
        "LinkUp",
        400,
        "InfiniBand",
    )
    assert (other.state, other.layer) == ("DOWN", "Ethernet")


def test_a_host_without_adapters_has_no_ports() -> None:
    assert infiniband.parse("\n") == ()


@pytest.mark.parametrize("content", ["mlx5_0: active", "mlx5_0/1/state=4: ACTIVE", PORT.replace("400 Gb/sec", "fast")])
def test_what_tells_of_no_port_is_one_clear_error(content: str) -> None:
    with pytest.raises(DocumentError, match="/sys/class/infiniband"):
        infiniband.parse(content)


def test_the_bandwidth_of_the_largest_message_is_read() -> None:
    found = collectives.parse(REDUCE)
    assert (found.ranks, found.largest, found.bus, found.average, found.wrong) == (8, 17179869184, 475.63, 366.33, 0)


def test_values_that_came_out_wrong_are_counted() -> None:
    wrong = REDUCE.replace("475.63      0", "475.63      7").replace("values : 0 OK", "values : 7 FAILED")
    assert collectives.parse(wrong).wrong == 14


def test_a_table_without_in_place_results_is_read() -> None:
    rows = " 1048576 262144 float sum -1 20.0 52.4 91.7 N/A\n# Avg bus bandwidth : 91.7\n"
    assert collectives.parse(rows).bus == 91.7


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "found nothing"),
        ("NCCL failure common.cu:1005 'unhandled system error'", "a table of bandwidths"),
        (REDUCE[: REDUCE.index("# Avg")], "it did not finish"),
    ],
)
def test_a_run_that_did_not_finish_is_one_clear_error(content: str, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        collectives.parse(content)


def test_devices_of_a_cdi_specification_are_read() -> None:
    found = cdi.parse(document("nvidia-cdi.yaml"), "/etc/cdi/nvidia.yaml")
    assert found.kind == "nvidia.com/gpu"
    assert found.devices == {
        "0": ("/dev/nvidia0",),
        "1": ("/dev/nvidia1",),
        "all": ("/dev/nvidia0", "/dev/nvidia1"),
    }
    assert found.shared == ("/dev/nvidiactl", "/dev/nvidia-uvm")


def test_a_cdi_specification_in_json_is_read() -> None:
    text = '{"cdiVersion": "0.6.0", "kind": "amd.com/gpu", "devices": [{"name": "0"}]}'
    assert cdi.parse(text, "amd.json").devices == {"0": ()}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- a list",
        "kind: nvidia.com/gpu",
        "{",
        "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices: 8",
        "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices: [{name: a}, {name: a}]",
        b"\xff",
    ],
)
def test_what_is_no_cdi_specification_is_one_clear_error(content: bytes | str) -> None:
    with pytest.raises(DocumentError, match=r"/etc/cdi/x\.yaml") as caught:
        cdi.parse(content, "/etc/cdi/x.yaml")
    assert "\n" not in str(caught.value)


def test_device_nodes_lose_the_directory_that_stands_for_the_root() -> None:
    told = "character special file\t/r/dev/nvidia0\ndirectory\t/r/dev/nvidia-uvm\nnoise\n"
    nodes = host_files.device_nodes(told, "/r")
    assert nodes.present == {"/dev/nvidia0"}


def test_modules_are_compared_with_underscores() -> None:
    assert host_files.modules("nvidia-uvm 1 0\nnvidia 2 0 - Live\n\n") == {"nvidia_uvm", "nvidia"}


@pytest.mark.parametrize(
    ("modprobe", "command_line"),
    [
        ("# blacklist other\nblacklist nouveau\n", ""),
        ("install nouveau /bin/false\n", ""),
        ("", "quiet modprobe.blacklist=nouveau,nova ro"),
        ("", "module_blacklist=nouveau"),
    ],
)
def test_each_way_to_keep_a_module_out_is_known(modprobe: str, command_line: str) -> None:
    assert "nouveau" in host_files.blacklisted(modprobe, command_line)


def test_a_comment_keeps_no_module_out() -> None:
    assert host_files.blacklisted("#blacklist nouveau\noptions nouveau modeset=0\n", "nouveau.modeset=0") == frozenset()


@pytest.mark.parametrize(
    ("content", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\nGCC", "535.129.03"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (x)\n", "570.124.06"),
        ("6.12.12\n", "6.12.12"),
        ("", ""),
        ("cat: no such file\n", ""),
    ],
)
def test_the_version_of_the_loaded_module_is_read(content: str, version: str) -> None:
    assert host_files.loaded_version(content) == version


def test_the_version_of_the_fabric_manager_is_read() -> None:
    assert host_files.fabric_manager_version("Fabric Manager version is : 570.124.06\n") == "570.124.06"
    assert host_files.fabric_manager_version("command not found") == ""
