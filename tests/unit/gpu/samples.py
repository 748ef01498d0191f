"""Documents that tools printed, by file name, and GPUs in order to be judged."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from proving_ground.gpu.declared import DeclaredGpu
from proving_ground.gpu.document import Clocks, Ecc, Gpu, GpuDocument, Link, Pcie, Power, Repair, Thermal

FOLDER = Path(__file__).with_name("documents")


def document(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def gpu(index: int = 0, **changes: Any) -> Gpu:
    """Return an H100 in order, with changes."""
    healthy = Gpu(
        index=index,
        name="NVIDIA H100 80GB HBM3",
        uuid=f"GPU-{index}",
        bus=f"0000:1{index}:00.0",
        minor=index,
        memory_mib=81559,
        driver="570.124.06",
        persistence=True,
        partition="disabled",
        pcie=Pcie(generation=1, generation_max=5, generation_device=5, width=16, width_max=16),
        ecc=Ecc(enabled=True, pending=True, uncorrectable=0),
        repair=Repair(rows=0, pending=(), failed=False, exhausted_banks=0),
        thermal=Thermal(gpu=40, memory=45, margin=40),
        power=Power(drawn=70, cap=700, cap_max=700),
        clocks=Clocks(now=345, highest=1980, reasons=frozenset({"gpu_idle"})),
        links=(Link(0, active=True), Link(1, active=True)),
        fabric="completed",
    )
    return dataclasses.replace(healthy, **changes)


def gpus(*chosen: Gpu, vendor: Any = "nvidia") -> GpuDocument:
    found = chosen or (gpu(0), gpu(1))
    return GpuDocument(vendor, "test", found[0].driver, found)


def declared(**changes: Any) -> DeclaredGpu:
    """Return what is declared of two such H100, with changes."""
    values = {
        "vendor": "nvidia",
        "count": 2,
        "products": ["NVIDIA H100 80GB HBM3"],
        "memory_mib": 81559,
        "driver_min": "550.54",
        "driver_max": "570",
        "pcie_generation": 5,
        "pcie_width": 16,
        "links": 2,
        "nvswitch": True,
        "partition": "disabled",
        "power_cap_watts": 700,
        "clock_mhz": 1980,
        "temperature_limit": 85,
        "memory_temperature_limit": 95,
        "bus_bandwidth": 460,
        "infiniband": {"ports": 2, "gbit": 400},
    }
    return DeclaredGpu.model_validate({**values, **changes})
