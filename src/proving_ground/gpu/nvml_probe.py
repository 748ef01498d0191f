"""Prints what NVML tells of a machine's GPUs, as JSON; a program by itself, sent to hosts that have ``nvidia-ml-py``.

It needs Python 3.9 and pynvml, nothing of this project. Exit status 3: there is no pynvml; 4: NVML does not work here.
Source of the calls: NVML API reference, https://docs.nvidia.com/deploy/nvml-api/.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import sys
from typing import Any

NO_LIBRARY, NO_NVML = 3, 4
REASONS = {
    0x1: "gpu_idle",
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clocks_setting",
}
COUNTERS = {0: "Replay Errors", 1: "Recovery Errors", 2: "CRC Errors"}
FABRIC = {1: "not started", 2: "in progress", 3: "completed"}


class Asked:
    """Calls NVML; what a GPU does not support is None."""

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Return what a function of pynvml answers, None where it cannot."""
        function = getattr(self.nvml, name, None)
        if function is None:
            return None
        try:
            answer = function(*arguments)
        except self.nvml.NVMLError:
            return None
        return answer.decode() if isinstance(answer, bytes) else answer


def scaled(value: Any, divisor: float) -> Any:
    """Return a number in a larger unit; None stays None."""
    return None if value is None else value / divisor


def flag(value: Any) -> Any:
    """Return a number as a truth; None stays None."""
    return None if value is None else bool(value)


def links(ask: Asked, gpu: Any) -> Any:
    """Return the NVLinks of a GPU; an empty list where it has none."""
    found = []
    for number in range(getattr(ask.nvml, "NVML_NVLINK_MAX_LINKS", 18)):
        state = ask("nvmlDeviceGetNvLinkState", gpu, number)
        if state is not None:
            counts = {
                name: ask("nvmlDeviceGetNvLinkErrorCounter", gpu, number, code) for code, name in COUNTERS.items()
            }
            errors = {name: count for name, count in counts.items() if count is not None}
            found.append({"number": number, "active": bool(state), "errors": errors})
    return found


def memory_temperature(ask: Asked, gpu: Any) -> Any:
    """Return the temperature of the memory in degrees Celsius, None where it has no sensor."""
    values = ask("nvmlDeviceGetFieldValues", gpu, [getattr(ask.nvml, "NVML_FI_DEV_MEMORY_TEMP", 82)])
    if not values or values[0].nvmlReturn != 0:
        return None
    return values[0].value.uiVal or None


def fabric(ask: Asked, gpu: Any) -> Any:
    """Return the state in which a GPU is known to the fabric manager; None: it has no fabric."""
    made = getattr(ask.nvml, "c_nvmlGpuFabricInfo_v2_t", None)
    if made is None:
        return None
    info = made()
    if ask("nvmlDeviceGetGpuFabricInfoV", gpu, ctypes.byref(info)) is None:
        return None
    state = FABRIC.get(info.state)
    return f"{state}: status {info.status}" if state and info.status else state


def retired(ask: Asked, gpu: Any) -> Any:
    """Return how many pages are retired; None where rows are replaced instead."""
    lists = [ask("nvmlDeviceGetRetiredPages", gpu, cause) for cause in (0, 1)]
    counts = [len(pages) for pages in lists if pages is not None]
    return sum(counts) if counts else None


def described(ask: Asked, index: int, driver: str) -> dict[str, Any]:
    """Return what there is to say of one GPU."""
    gpu = ask.nvml.nvmlDeviceGetHandleByIndex(index)
    pci = ask("nvmlDeviceGetPciInfo", gpu)
    memory = ask("nvmlDeviceGetMemoryInfo", gpu)
    ecc = ask("nvmlDeviceGetEccMode", gpu) or (None, None)
    rows = ask("nvmlDeviceGetRemappedRows", gpu)
    spare = ask("nvmlDeviceGetRowRemapperHistogram", gpu)
    caps = ask("nvmlDeviceGetPowerManagementLimitConstraints", gpu) or (None, None)
    mig = ask("nvmlDeviceGetMigMode", gpu)
    mask = ask("nvmlDeviceGetCurrentClocksEventReasons", gpu)
    mask = ask("nvmlDeviceGetCurrentClocksThrottleReasons", gpu) if mask is None else mask
    bus = getattr(pci, "busId", b"")
    return {
        "index": index,
        "name": ask("nvmlDeviceGetName", gpu) or "",
        "uuid": ask("nvmlDeviceGetUUID", gpu) or "",
        "serial": ask("nvmlDeviceGetSerial", gpu) or "",
        "bus": (bus.decode() if isinstance(bus, bytes) else bus).lower(),
        "minor": ask("nvmlDeviceGetMinorNumber", gpu),
        "memory_mib": None if memory is None else memory.total >> 20,
        "driver": driver,
        "persistence": flag(ask("nvmlDeviceGetPersistenceMode", gpu)),
        "partition": None if mig is None else ("enabled" if mig[0] else "disabled"),
        "pcie": {
            "generation": ask("nvmlDeviceGetCurrPcieLinkGeneration", gpu),
            "generation_max": ask("nvmlDeviceGetMaxPcieLinkGeneration", gpu),
            "generation_device": ask("nvmlDeviceGetGpuMaxPcieLinkGeneration", gpu),
            "width": ask("nvmlDeviceGetCurrPcieLinkWidth", gpu),
            "width_max": ask("nvmlDeviceGetMaxPcieLinkWidth", gpu),
            "replays": ask("nvmlDeviceGetPcieReplayCounter", gpu),
        },
        "ecc": {
            "enabled": flag(ecc[0]),
            "pending": flag(ecc[1]),
            "uncorrectable": ask("nvmlDeviceGetTotalEccErrors", gpu, 1, 0),
            "correctable": ask("nvmlDeviceGetTotalEccErrors", gpu, 0, 0),
            "aggregate_uncorrectable": ask("nvmlDeviceGetTotalEccErrors", gpu, 1, 1),
        },
        "repair": {
            "rows": None if rows is None else rows[0] + rows[1],
            "pending": None if rows is None else (["row remapping"] if rows[2] else []),
            "failed": None if rows is None else bool(rows[3]),
            "exhausted_banks": getattr(spare, "none", None),
            "pages": retired(ask, gpu),
            "pages_pending": flag(ask("nvmlDeviceGetRetiredPagesPendingStatus", gpu)),
        },
        "thermal": {
            "gpu": ask("nvmlDeviceGetTemperature", gpu, 0),
            "memory": memory_temperature(ask, gpu),
            "margin": ask("nvmlDeviceGetMarginTemperature", gpu),
            "slowdown": ask("nvmlDeviceGetTemperatureThreshold", gpu, 1),
        },
        "power": {
            "drawn": scaled(ask("nvmlDeviceGetPowerUsage", gpu), 1000),
            "cap": scaled(ask("nvmlDeviceGetEnforcedPowerLimit", gpu), 1000),
            "cap_max": scaled(caps[1], 1000),
        },
        "clocks": {
            "now": ask("nvmlDeviceGetClockInfo", gpu, 1),
            "highest": ask("nvmlDeviceGetMaxClockInfo", gpu, 1),
            "reasons": None if mask is None else [name for bit, name in REASONS.items() if mask & bit],
        },
        "links": links(ask, gpu),
        "fabric": fabric(ask, gpu),
    }


def main() -> int:
    """Print the document."""
    try:
        pynvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return NO_LIBRARY
    ask = Asked(pynvml)
    try:
        pynvml.nvmlInit()
        driver = ask("nvmlSystemGetDriverVersion") or ""
        gpus = [described(ask, index, driver) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        print(f"NVML: {error}", file=sys.stderr)  # noqa: T201  # it is a program
        return NO_NVML
    print(json.dumps({"vendor": "nvidia", "source": "NVML", "driver": driver, "gpus": gpus}))  # noqa: T201
    pynvml.nvmlShutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
