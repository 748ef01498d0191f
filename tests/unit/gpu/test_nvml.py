from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proving_ground.gpu import nvml
from proving_ground.gpu.document import DocumentError
from proving_ground.gpu.nvml_probe import NO_LIBRARY, NO_NVML

if TYPE_CHECKING:
    from pathlib import Path

#: What pynvml answers, by the signatures of nvidia-ml-py 13; a function that is not here is not supported.
LIBRARY = """
class NVMLError(Exception):
    pass

class Thing:
    def __init__(self, **values):
        self.__dict__.update(values)

NVML_NVLINK_MAX_LINKS = 3
NVML_FI_DEV_MEMORY_TEMP = 82
def nvmlInit(): BROKEN
def nvmlShutdown(): pass
def nvmlSystemGetDriverVersion(): return "570.124.06"
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetName(gpu): return b"NVIDIA H100 80GB HBM3"
def nvmlDeviceGetUUID(gpu): return "GPU-1"
def nvmlDeviceGetSerial(gpu): raise NVMLError("Not Supported")
def nvmlDeviceGetPciInfo(gpu): return Thing(busId=b"00000000:1B:00.0")
def nvmlDeviceGetMinorNumber(gpu): return 0
def nvmlDeviceGetMemoryInfo(gpu): return Thing(total=81559 << 20)
def nvmlDeviceGetPersistenceMode(gpu): return 1
def nvmlDeviceGetMigMode(gpu): return [0, 0]
def nvmlDeviceGetCurrPcieLinkGeneration(gpu): return 1
def nvmlDeviceGetMaxPcieLinkGeneration(gpu): return 5
def nvmlDeviceGetGpuMaxPcieLinkGeneration(gpu): return 5
def nvmlDeviceGetCurrPcieLinkWidth(gpu): return 16
def nvmlDeviceGetMaxPcieLinkWidth(gpu): return 16
def nvmlDeviceGetEccMode(gpu): return [1, 1]
def nvmlDeviceGetTotalEccErrors(gpu, kind, counter): return {(1, 0): 2, (0, 0): 5, (1, 1): 9}[kind, counter]
def nvmlDeviceGetRemappedRows(gpu): return (1, 2, 1, 0)
def nvmlDeviceGetRowRemapperHistogram(gpu): return Thing(max=640, none=0)
def nvmlDeviceGetTemperature(gpu, sensor): return 41
def nvmlDeviceGetMarginTemperature(gpu): return 46
def nvmlDeviceGetFieldValues(gpu, fields): return [Thing(nvmlReturn=0, value=Thing(uiVal=52))]
def nvmlDeviceGetPowerUsage(gpu): return 71400
def nvmlDeviceGetEnforcedPowerLimit(gpu): return 700000
def nvmlDeviceGetPowerManagementLimitConstraints(gpu): return [200000, 700000]
def nvmlDeviceGetClockInfo(gpu, kind): return 345
def nvmlDeviceGetMaxClockInfo(gpu, kind): return 1980
def nvmlDeviceGetCurrentClocksEventReasons(gpu): return 0x1 | 0x40
def nvmlDeviceGetNvLinkState(gpu, link):
    if link == 2:
        raise NVMLError("Invalid Argument")
    return int(link == 0)
def nvmlDeviceGetNvLinkErrorCounter(gpu, link, counter): return 7 if (link, counter) == (0, 2) else 0
"""


def probed(folder: Path, library: str | None) -> subprocess.CompletedProcess[str]:
    """Run the program with a library of ours, or without any."""
    if library is not None:
        (folder / "pynvml.py").write_text(library, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-S", "-c", nvml.program()]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=30)


def test_what_nvml_tells_becomes_the_same_document(tmp_path: Path) -> None:
    ran = probed(tmp_path, LIBRARY.replace("BROKEN", "pass"))
    found = nvml.parse(ran.stdout)
    (gpu,) = found.gpus
    assert (found.vendor, found.source, found.driver) == ("nvidia", "NVML", "570.124.06")
    assert (gpu.name, gpu.bus, gpu.memory_mib, gpu.serial) == ("NVIDIA H100 80GB HBM3", "00000000:1b:00.0", 81559, "")
    assert (gpu.ecc.uncorrectable, gpu.ecc.correctable, gpu.ecc.aggregate_uncorrectable) == (2, 5, 9)
    assert (gpu.repair.rows, gpu.repair.pending, gpu.repair.failed) == (3, ("row remapping",), False)
    assert (gpu.pcie.generation_max, gpu.pcie.width, gpu.pcie.replays) == (5, 16, None)
    assert (gpu.thermal.gpu, gpu.thermal.memory, gpu.thermal.margin, gpu.thermal.slowdown) == (41, 52, 46, None)
    assert (gpu.power.drawn, gpu.power.cap, gpu.power.cap_max) == (71.4, 700, 700)
    assert (gpu.partition, gpu.persistence, gpu.clocks.highest) == ("disabled", True, 1980)
    assert gpu.clocks.reasons == {"gpu_idle", "hw_thermal_slowdown"}
    assert [(link.active, link.errors["CRC Errors"]) for link in gpu.links or ()] == [(True, 7), (False, 0)]


def test_a_host_without_the_library_says_so(tmp_path: Path) -> None:
    assert probed(tmp_path, None).returncode == NO_LIBRARY


def test_a_host_without_the_driver_says_so(tmp_path: Path) -> None:
    ran = probed(tmp_path, LIBRARY.replace("BROKEN", "raise NVMLError('Driver Not Loaded')"))
    assert (ran.returncode, ran.stderr.strip()) == (NO_NVML, "NVML: Driver Not Loaded")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "found nothing"),
        ("{", "the whole"),
        ('{"vendor": "nvidia", "source": "NVML", "driver": "1", "gpus": [{}]}', "gpus.0.index"),
        ('{"vendor": "nvidia", "source": "NVML", "driver": "", "gpus": []}', "the driver's version"),
    ],
)
def test_what_the_program_did_not_print_is_one_clear_error(content: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        nvml.parse(content)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
