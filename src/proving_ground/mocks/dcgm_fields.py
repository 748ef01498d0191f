"""The counters of dcgm-exporter's default set, each as it follows from what a GPU does.

Names, types and units are the exporter's; the numbers are plausible for a data-centre GPU of 400 W.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_WATTS = 55.0
FULL_WATTS = 400.0
IDLE_MEGAHERTZ = 210.0
FULL_MEGAHERTZ = 1410.0
MEMORY_MEGAHERTZ = 1215.0
PCIE_BYTES_PER_SECOND = 12e9

ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
ENERGY_DESCRIPTION = "Energy used since the start, in mJ."
TOTAL = "DCGM_FI_DEV_FB_TOTAL"


@dataclass(frozen=True, slots=True)
class Gpu:
    """What a GPU does, from which its counters follow."""

    util: float
    """Percent of the time in which it computes."""
    fb_used: float
    """Mebibytes."""
    fb_total: float
    fb_reserved: float

    @property
    def power(self) -> float:
        """Watts."""
        return IDLE_WATTS + (FULL_WATTS - IDLE_WATTS) * self.util / 100


@dataclass(frozen=True, slots=True)
class Field:
    """One counter."""

    kind: str
    """``gauge`` or ``counter``."""
    description: str
    of: Callable[[Gpu], float]


def _none(_: Gpu) -> float:
    return 0.0


def _share(part: float) -> Callable[[Gpu], float]:
    return lambda gpu: part * gpu.util / 100


FIELDS: dict[str, Field] = {
    "DCGM_FI_DEV_SM_CLOCK": Field(
        "gauge",
        "Clock of the SMs, in MHz.",
        lambda gpu: float(round(IDLE_MEGAHERTZ + (FULL_MEGAHERTZ - IDLE_MEGAHERTZ) * gpu.util / 100)),
    ),
    "DCGM_FI_DEV_MEM_CLOCK": Field("gauge", "Clock of the memory, in MHz.", lambda _: MEMORY_MEGAHERTZ),
    "DCGM_FI_DEV_MEMORY_TEMP": Field(
        "gauge", "Temperature of the memory, in degrees C.", lambda gpu: float(round(34 + 0.4 * gpu.util))
    ),
    "DCGM_FI_DEV_GPU_TEMP": Field(
        "gauge", "Temperature of the GPU, in degrees C.", lambda gpu: float(round(30 + 0.45 * gpu.util))
    ),
    "DCGM_FI_DEV_POWER_USAGE": Field("gauge", "Power, in W.", lambda gpu: gpu.power),
    ENERGY: Field("counter", ENERGY_DESCRIPTION, _none),
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": Field("counter", "Repeated transfers over PCIe.", _none),
    "DCGM_FI_DEV_GPU_UTIL": Field("gauge", "Time in which the GPU computes, in percent.", lambda gpu: gpu.util),
    "DCGM_FI_DEV_MEM_COPY_UTIL": Field(
        "gauge", "Time in which the memory is read or written, in percent.", lambda gpu: float(round(0.6 * gpu.util))
    ),
    "DCGM_FI_DEV_ENC_UTIL": Field("gauge", "Time in which the video encoder works, in percent.", _none),
    "DCGM_FI_DEV_DEC_UTIL": Field("gauge", "Time in which the video decoder works, in percent.", _none),
    "DCGM_FI_DEV_XID_ERRORS": Field("gauge", "The last XID error; 0 for none.", _none),
    "DCGM_FI_DEV_FB_FREE": Field(
        "gauge", "Free memory, in MiB.", lambda gpu: gpu.fb_total - gpu.fb_used - gpu.fb_reserved
    ),
    "DCGM_FI_DEV_FB_USED": Field("gauge", "Memory in use, in MiB.", lambda gpu: gpu.fb_used),
    "DCGM_FI_DEV_FB_RESERVED": Field("gauge", "Memory that the driver reserves, in MiB.", lambda gpu: gpu.fb_reserved),
    TOTAL: Field("gauge", "All memory, in MiB.", lambda gpu: gpu.fb_total),
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL": Field("counter", "Transfers over all NVLinks.", _none),
    "DCGM_FI_DEV_VGPU_LICENSE_STATUS": Field("gauge", "Whether the vGPU is licensed.", _none),
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": Field("counter", "Rows remapped for uncorrectable errors.", _none),
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": Field("counter", "Rows remapped for correctable errors.", _none),
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": Field("gauge", "Whether remapping a row has failed.", _none),
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": Field("gauge", "Time in which the graphics engine works, 0 to 1.", _share(1.0)),
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": Field("gauge", "Time in which the tensor cores work, 0 to 1.", _share(0.7)),
    "DCGM_FI_PROF_DRAM_ACTIVE": Field("gauge", "Time in which the memory transfers, 0 to 1.", _share(0.5)),
    "DCGM_FI_PROF_PCIE_TX_BYTES": Field(
        "gauge", "Sent over PCIe, in bytes per second.", _share(0.1 * PCIE_BYTES_PER_SECOND)
    ),
    "DCGM_FI_PROF_PCIE_RX_BYTES": Field(
        "gauge", "Received over PCIe, in bytes per second.", _share(0.2 * PCIE_BYTES_PER_SECOND)
    ),
}
