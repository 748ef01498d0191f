"""Scaling by the GPUs: ``spec.gpuConfig``."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proving_ground.budaiscaler.fields import Fields


@dataclasses.dataclass(frozen=True, slots=True)
class Gpu:
    """Thresholds in percent; zero leaves that side out."""

    enabled: bool = False
    memory_threshold: int = 0
    compute_threshold: int = 0
    preferred_type: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class GpuReading:
    """What the DCGM exporter tells of the GPUs of a namespace."""

    memory: float
    """Percent in use, mean over the GPUs."""
    compute: float
    """Percent busy, mean over the GPUs."""
    count: int
    model: str = ""


def read_gpu(fields: Fields) -> Gpu:
    """Read ``spec.gpuConfig``.

    Raises:
        SpecError: A field cannot be followed.
    """
    return Gpu(
        enabled=fields.flag("enabled", default=False),
        memory_threshold=fields.whole("gpuMemoryThreshold", 0, 0, 100),
        compute_threshold=fields.whole("gpuComputeThreshold", 0, 0, 100),
        preferred_type=fields.text("preferredGPUType", ""),
    )


def is_preferred(gpu: Gpu, reading: GpuReading) -> bool:
    """Tell whether a reading is of the preferred model: its name contains the preferred one in any letter case."""
    return gpu.preferred_type.casefold() in reading.model.casefold()


def gpu_ratio(gpu: Gpu, reading: GpuReading) -> float:
    """Return the larger ratio of use to threshold; zero when nothing usable was read."""
    sides = ((reading.memory, gpu.memory_threshold), (reading.compute, gpu.compute_threshold))
    ratios = [use / threshold for use, threshold in sides if threshold and math.isfinite(use) and use >= 0]
    return max(ratios, default=0.0)
