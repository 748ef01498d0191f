"""The hardware fingerprint of this machine, or of the hosts of a platform."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.history.records import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.contracts.platform import Platform

_PROC = Path("/proc")
_KIB_IN_GIB = 1024 * 1024
_STEPS = 16
"""Memory is rounded to a sixteenth of the next power of two: firmware and kernel take a different part each boot."""


def of_this_machine(proc: Path = _PROC) -> Fingerprint:
    """Return the fingerprint of this machine; what it does not tell is left unknown.

    Args:
        proc: Where proc(5) is mounted.
    """
    return Fingerprint(
        cpu=_cpu(_text(proc / "cpuinfo")),
        cores=os.cpu_count() or 0,
        memory_gib=_memory(_text(proc / "meminfo")),
        gpus=_nvidia(proc / "driver/nvidia/gpus"),
        hosts=1,
    )


def of_platform(platform: Platform, proc: Path = _PROC) -> Fingerprint:
    """Return the fingerprint of a platform: of its hosts as they are declared, of this machine where it has none.

    Of what is declared of a host, ``hardware`` (cpu, cores, memory_gib, gpus) is used; the hosts are taken for alike.
    """
    here = of_this_machine(proc)
    if not platform.hosts:
        return here
    declared = next((_hardware(host.declared) for host in platform.hosts if _hardware(host.declared)), {})
    if not declared:
        return Fingerprint(here.cpu, here.cores, here.memory_gib, here.gpus, len(platform.hosts))
    return Fingerprint.of_plain({**declared, "hosts": len(platform.hosts)})


def _hardware(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    hardware = declared.get("hardware")
    return hardware if isinstance(hardware, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _cpu(text: str) -> str:
    found = re.search(r"^(?:model name|Model|cpu model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return " ".join(found.group(1).split()) if found else ""


def _memory(text: str) -> int:
    found = re.search(r"^MemTotal:\s*([0-9]+) kB$", text, re.MULTILINE)
    return rounded_memory(int(found.group(1)) / _KIB_IN_GIB) if found else 0


def rounded_memory(gib: float) -> int:
    """Return memory in GiB as it is sold, more or less: 125.6 and 126.1 are both 128."""
    whole = max(1, round(gib))
    step: int = max(1, (1 << (whole - 1).bit_length()) // _STEPS)
    return -(-whole // step) * step


def _nvidia(folder: Path) -> tuple[str, ...]:
    """Return the SKUs that NVIDIA's kernel driver tells in proc."""
    found = []
    for path in sorted(folder.glob("*/information")):
        model = re.search(r"^Model:\s*(.+)$", _text(path), re.MULTILINE)
        if model:
            found.append(model.group(1).strip())
    return tuple(found)
