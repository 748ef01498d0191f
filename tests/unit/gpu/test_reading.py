from __future__ import annotations

import datetime as dt
import subprocess
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.gpu import reading
from proving_ground.gpu.declared import declared_gpu
from proving_ground.gpu.document import DocumentError
from proving_ground.gpu.nvml_probe import NO_LIBRARY
from proving_ground.gpu.reading import Answer, HostGpus

from .samples import declared, document

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "==mark=="
SINCE = dt.datetime(2025, 6, 2, tzinfo=dt.UTC)


def asked(commands: dict[str, str], **options: str) -> dict[str, Answer]:
    """Run a script in a shell of this machine."""
    text = reading.script(commands, TOKEN, **options)
    ran = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False, timeout=30)
    return reading.answers(ran.stdout, TOKEN)


def host(vendor: str = "nvidia", **answers: str) -> HostGpus:
    """Return a host with answers, all of status 0."""
    return HostGpus("h", declared(vendor=vendor), {name: Answer(0, text, "") for name, text in answers.items()})


def test_each_command_has_its_own_answer() -> None:
    found = asked({"one": "echo first; echo it failed >&2; exit 3", "two": "printf 'no end of line'", "three": "true"})
    assert (found["one"].rc, found["one"].stdout.strip(), found["one"].stderr.strip()) == (3, "first", "it failed")
    assert (found["two"].rc, found["two"].stdout) == (0, "no end of line")
    assert (found["three"].stdout, found["three"].stderr.strip()) == ("", "")


def test_quotes_and_line_ends_of_commands_survive_the_shell() -> None:
    assert asked({"hard": "printf '%s\\n' \"it's\"\nprintf '$HOME'"})["hard"].stdout == "it's\n$HOME"


def test_a_command_that_waits_for_input_gets_none() -> None:
    assert asked({"hungry": "cat"})["hungry"] == Answer(0, "", "")


def test_the_fault_is_told_by_the_environment_and_chooses_the_root() -> None:
    root = f"/simulated/${{{reading.FAULT_VARIABLE}:-none}}"
    assert asked({"root": 'printf %s "$root"'}, root=root, fault="xid")["root"].stdout == "/simulated/xid"
    assert asked({"root": 'printf %s "$root"'}, root=root)["root"].stdout == "/simulated/none"


def test_answers_that_were_cut_off_are_one_clear_error() -> None:
    with pytest.raises(DocumentError, match="some of them only"):
        reading.answers(f"\n{TOKEN} begin one\nfirst", TOKEN)


def test_hosts_are_asked_in_the_window_and_with_their_own_tools() -> None:
    nvidia = reading.commands(declared(), SINCE)
    amd = reading.commands(declared(vendor="amd", kernel_log="dmesg-of {since}"), SINCE)
    assert "--since=@1748822400" in nvidia["kernel_log"]
    assert amd["kernel_log"] == "dmesg-of 1748822400"
    assert {"gpus", "nvml", "link_errors"} <= nvidia.keys()
    assert {"static", "metric", "bad_pages"} <= amd.keys()
    assert "nvml" not in amd


def test_files_of_a_machine_are_read_below_its_root(tmp_path: Path) -> None:
    for path, text in {
        "proc/modules": "nvidia 1\n",
        "proc/cmdline": "quiet modprobe.blacklist=nouveau\n",
        "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.90.07  Fri\n",
        "dev/nvidia0": "",
        "etc/modprobe.d/a.conf": "blacklist nova\n",
        "etc/cdi/nvidia.yaml": document("nvidia-cdi.yaml"),
        "usr/bin/nvidia-ctk": "#!/bin/sh\necho NVIDIA Container Toolkit CLI version 1.17.4\n",
        "sys/class/infiniband/mlx5_0/ports/1/state": "4: ACTIVE\n",
        "sys/class/infiniband/mlx5_0/ports/1/rate": "400 Gb/sec (4X NDR)\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "usr/bin/nvidia-ctk").chmod(0o755)
    wanted = declared(root=str(tmp_path))
    commands = {name: command for name, command in reading.commands(wanted, SINCE).items() if "$root" in command}
    seen = HostGpus("h", wanted, asked(commands, root=wanted.root))
    assert seen.modules == {"nvidia"}
    assert seen.blacklisted == {"nouveau", "nova"}
    assert seen.loaded_driver == "550.90.07"
    assert seen.device_nodes.present == {"/dev/nvidia0"}
    assert [port.label for port in seen.ports] == ["mlx5_0 port 1"]
    assert seen.toolkit == {"nvidia-ctk": "NVIDIA Container Toolkit CLI version 1.17.4"}
    assert [spec.kind for spec in seen.cdi_specs] == ["nvidia.com/gpu"]
    assert seen.fabric_version == ""


def test_nvidia_smi_is_asked_where_nvml_is_not_there() -> None:
    answers = {"nvml": Answer(NO_LIBRARY, "", ""), "gpus": Answer(0, document("nvidia-smi-550.xml"), "")}
    assert HostGpus("h", declared(), answers).document.source == "nvidia-smi -q -x"


def test_links_are_asked_of_nvidia_smi() -> None:
    seen = host(
        gpus=document("nvidia-smi-550.xml"),
        link_status=document("nvlink-status.txt"),
        link_errors=document("nvlink-errors.txt"),
    )
    assert [len(gpu.links or ()) for gpu in seen.with_links.gpus] == [18, 18]
    assert seen.with_pages is seen.document


def test_amds_gpus_are_put_together_from_their_documents() -> None:
    seen = host(
        "amd",
        static=document("amd-smi-6-static.json"),
        metric=document("amd-smi-6-metric.json"),
        link_status=document("amd-smi-7-xgmi.json"),
        bad_pages=document("amd-smi-7-bad-pages.json"),
        peers=document("amd-smi-7-topology.json"),
    )
    assert [len(gpu.links or ()) for gpu in seen.with_links.gpus] == [3, 3]
    assert [gpu.repair.pages for gpu in seen.with_pages.gpus] == [0, 1]
    assert seen.peers[1, 0] == "PCIE disabled"


def test_a_host_with_one_gpu_has_no_pairs() -> None:
    assert HostGpus("h", declared(count=1), {}).peers == {}


def test_a_tool_that_failed_is_named_with_what_it_said() -> None:
    said = "Unable to determine the device handle for GPU3: 0000:5D:00.0: GPU is lost.\nmore"
    seen = HostGpus("h", declared(), {"gpus": Answer(15, said, "")})
    with pytest.raises(DocumentError) as caught:
        _ = seen.document
    assert str(caught.value) == (
        "h: gpus ended with status 15: Unable to determine the device handle for GPU3: 0000:5D:00.0: GPU is lost. "
        "(look at the kernel log: is a GPU broken?)"
    )


def test_an_answer_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(DocumentError, match="an answer of gpus"):
        _ = host().document


def test_a_host_that_declares_no_gpu_has_none() -> None:
    assert declared_gpu({}, "h") is None
    assert declared_gpu({"gpu": {"vendor": "nvidia", "count": 0}}, "h") is None


@pytest.mark.parametrize(
    ("gpu", "problem"),
    [({"vendor": "intel", "count": 1}, "gpu.vendor"), ({"vendor": "amd"}, "gpu.count"), ({"cuont": 1}, "gpu.")],
)
def test_what_is_declared_wrongly_is_one_clear_error(gpu: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        declared_gpu({"gpu": gpu}, "gpu1")
    assert str(caught.value).startswith(f"gpu1: {problem}")
