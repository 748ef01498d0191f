"""The simulated tools speak as our parsers read, and show every fault that the suite names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from proving_ground.gpu import amd_smi, judging, kernel_log, nvidia_smi
from proving_ground.gpu.declared import DeclaredGpu, declared_gpu
from proving_ground.gpu.document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "roles/simulated_gpus/files/simulated_gpus.py"
PROFILES = yaml.safe_load((ROOT / "roles/simulated_gpus/defaults/main.yml").read_text())["simulated_gpus_profiles"]
SKUS = yaml.safe_load((ROOT / "inventories/bare_metal/group_vars/all/gpu_skus.yml").read_text())["gpu_skus"]
SUITE = yaml.safe_load((ROOT / "tests/suites/gpus/suite.yml").read_text())
NVIDIA = [name for name, profile in PROFILES.items() if profile["vendor"] == "nvidia"]


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call a simulated tool, as a machine with GPUs of a product, under a fault."""

    def run(sku: str, *words: str, fault: str = "") -> subprocess.CompletedProcess[str]:
        state = tmp_path / "state.json"
        state.write_text(json.dumps({"sku": sku, "count": 8, "fault": "", "profile": PROFILES[sku]}))
        tool = tmp_path / words[0]
        if not tool.exists():
            tool.symlink_to(PROGRAM)
        environment = {**os.environ, "SIMULATED_GPU_STATE": str(state), "SIMULATED_GPU_FAULT": fault}
        command = [sys.executable, str(tool), *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=30)

    return run


def declared_of(sku: str) -> DeclaredGpu:
    found = declared_gpu({"gpu": {**SKUS[sku], "count": 8}}, sku)
    assert found is not None
    return found


def test_thresholds_and_profiles_know_the_same_products() -> None:
    assert SKUS.keys() == PROFILES.keys()
    assert {declared_of(sku).sku for sku in SKUS} == SKUS.keys()


@pytest.mark.parametrize("sku", NVIDIA)
def test_every_nvidia_profile_meets_the_thresholds_of_its_product(call: Any, sku: str) -> None:
    wanted = declared_of(sku)
    seen = nvidia_smi.parse(call(sku, "nvidia-smi", "-q", "-x").stdout)
    links = nvidia_smi.parse_links(
        call(sku, "nvidia-smi", "nvlink", "-s").stdout, call(sku, "nvidia-smi", "nvlink", "-e").stdout
    )
    peers = nvidia_smi.parse_peers(call(sku, "nvidia-smi", "topo", "-p2p", "r").stdout)
    seen = nvidia_smi.with_links(seen, links)
    assert judging.inventory(seen, wanted) == []
    assert judging.driver_range(seen, wanted) == []
    assert judging.pcie(seen, wanted) + judging.power(seen, wanted) + judging.clocks(seen, wanted) == []
    assert judging.links(seen, wanted) + judging.peers(seen, wanted, peers) == []


def test_amds_profile_meets_the_thresholds_of_its_product(call: Any) -> None:
    wanted = declared_of("MI300X")
    told = {name: call("MI300X", "amd-smi", name, "--json").stdout for name in ("static", "metric", "bad-pages")}
    seen = amd_smi.parse(told["static"], told["metric"])
    seen = amd_smi.with_links(seen, call("MI300X", "amd-smi", "xgmi", "-l", "--json").stdout)
    assert judging.inventory(seen, wanted) + judging.driver_range(seen, wanted) == []
    assert judging.pcie(seen, wanted) + judging.power(seen, wanted) + judging.clocks(seen, wanted) == []
    assert judging.links(seen, wanted) == []
    assert judging.retired_pages(amd_smi.with_bad_pages(seen, told["bad-pages"]), wanted) == []


def test_the_suite_names_every_fault_of_the_tools_and_no_other(call: Any) -> None:
    assert set(call(NVIDIA[0], "simulated-gpus", "--faults").stdout.split()) == SUITE["faults"].keys()


def test_what_is_printed_says_that_it_is_simulated(call: Any) -> None:
    words = (["nvidia-smi"], ["nvidia-smi", "-q", "-x"], ["simulated-dmesg"])
    assert ["imulated by Proving Ground" in call(NVIDIA[0], *one).stdout for one in words] == [True] * 3
    assert "imulated" in call("MI300X", "amd-smi", "version", "--json").stdout


def test_an_option_that_is_not_simulated_is_refused(call: Any) -> None:
    for words in (["nvidia-smi", "-pm", "1"], ["nvidia-smi", "--query-gpu=nothing", "--format=csv"]):
        ran = call(NVIDIA[0], *words)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert "not simulated" in ran.stderr


def test_a_table_of_fields_is_printed_with_and_without_units(call: Any) -> None:
    query = "--query-gpu=index,memory.total"
    ran = call("H100-SXM5-80GB", "nvidia-smi", query, "--format=csv")
    assert ran.stdout.splitlines()[:2] == ["index, memory.total [MiB]", "0, 81559 MiB"]
    ran = call("H100-SXM5-80GB", "nvidia-smi", query, "--format=csv,noheader,nounits")
    assert ran.stdout.splitlines()[0] == "0, 81559"


def test_a_gpu_that_fell_off_the_bus_makes_the_tool_fail(call: Any) -> None:
    ran = call(NVIDIA[0], "nvidia-smi", "-q", "-x", fault="fallen-off-the-bus")
    assert ran.returncode == 15
    with pytest.raises(DocumentError):
        nvidia_smi.parse(ran.stdout)


def test_the_kernel_log_tells_of_the_fault_now_and_of_an_old_one_before(call: Any) -> None:
    events = kernel_log.parse(call(NVIDIA[0], "simulated-dmesg", fault="xid").stdout)
    assert [event.code for event in events] == [79, 31, 48]
    times = [event.time for event in events]
    assert times[0] is not None
    assert times[2] is not None
    assert (times[2] - times[0]).days >= 39


@pytest.mark.parametrize("sku", [NVIDIA[0], "MI300X"])
def test_files_are_written_once_for_each_fault_and_stay_as_they_are(call: Any, sku: str, tmp_path: Path) -> None:
    written = tmp_path / "files"
    assert call(sku, "simulated-gpus", "files", str(written)).stdout == "changed\n"
    assert call(sku, "simulated-gpus", "files", str(written)).stdout == "unchanged\n"
    assert {path.name for path in written.iterdir()} == {"none", *SUITE["faults"]}
    (written / "none" / "proc" / "modules").write_text("something else")
    (written / "none" / "left-over").write_text("")
    assert call(sku, "simulated-gpus", "files", str(written)).stdout == "changed\n"
    assert not (written / "none" / "left-over").exists()


def test_a_machine_without_a_state_file_says_what_to_do(tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.symlink_to(PROGRAM)
    environment = {**os.environ, "SIMULATED_GPU_STATE": str(tmp_path / "missing.json")}
    command = [sys.executable, str(tool)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=30)
    assert ran.returncode == 2
    assert "run the role simulated_gpus" in ran.stderr


def test_the_other_vendors_tool_tells_of_no_gpus(call: Any) -> None:
    assert call("MI300X", "nvidia-smi").returncode == 2
