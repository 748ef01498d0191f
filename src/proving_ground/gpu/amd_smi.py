"""What ``amd-smi`` prints as JSON: ``static``, ``metric``, ``topology``, ``xgmi -l``, ``bad-pages``.

Fields are those of the tool's versions 24 to 26 (ROCm 6 and 7): up to ROCm 6 a list of GPUs, then an object
``gpu_data``; a limit of power is ``max_power`` and ``socket_power``, later ``ppt0.max_power_limit``; values with a
unit are objects ``{"value": 750, "unit": "W"}``.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any

from proving_ground.gpu.document import (
    Clocks,
    DocumentError,
    Ecc,
    Gpu,
    GpuDocument,
    Link,
    Pcie,
    Power,
    Repair,
    Thermal,
    readable,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SOURCE = "amd-smi"
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
#: PCI Express: signalling rate in GT/s of each generation (PCI Express Base Specification 6.0, section 1.2).
_GENERATIONS = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}
_MIB = {"B": 1 / (1 << 20), "KB": 1 / 1024, "MB": 1.0, "GB": 1024.0}
#: What amd-smi calls a violation -> the word for it that both vendors share here.
_VIOLATIONS = {
    "prochot_violation_status": "hw_slowdown",
    "socket_thermal_violation_status": "hw_thermal_slowdown",
    "vr_thermal_violation_status": "hw_thermal_slowdown",
    "hbm_thermal_violation_status": "hw_thermal_slowdown",
    "ppt_violation_status": "sw_power_cap",
}


def _entries(content: bytes | str, source: str) -> list[dict[str, Any]]:
    """Return what is said of each GPU, in the order of their numbers."""
    text = readable(content, source)
    # Warnings (about groups of the user, say) come before the JSON.
    start = min((at for at in (text.find("["), text.find("{")) if at >= 0), default=-1)
    if start < 0:
        raise DocumentError(f"expected JSON, found {shown(text)}", where=source)
    try:
        found, _ = json.JSONDecoder().raw_decode(text[start:])
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"expected whole JSON, found: {error}", where=source) from None
    if isinstance(found, dict):
        found = next((value for value in found.values() if _is_entries(value)), [found])
    if not _is_entries(found):
        raise DocumentError(f"expected a list of objects with a number `gpu`, found {shown(text)}", where=source)
    numbers = [entry["gpu"] for entry in found]
    if len(set(numbers)) != len(numbers):
        raise DocumentError("expected each GPU once, found one twice", where=source)
    return sorted(found, key=lambda entry: int(entry["gpu"]))


def _is_entries(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("gpu"), int) for entry in value
    )


def _get(entry: Any, *path: str) -> Any:
    """Return a value by its path; None where it is absent or ``N/A``; keys are compared without case."""
    for key in path:
        if not isinstance(entry, dict):
            return None
        entry = next((value for name, value in entry.items() if name.lower() == key.lower()), None)
    return None if entry in ("N/A", "", None) else entry


def _text(entry: Any, *path: str) -> str:
    found = _get(entry, *path)
    return str(found).strip() if isinstance(found, str | int | float) else ""


def _number(entry: Any, *paths: Sequence[str]) -> float | None:
    for path in paths:
        found = _get(entry, *path)
        if isinstance(found, dict):
            found = _get(found, "value")
        if isinstance(found, bool):
            continue
        if isinstance(found, int | float):
            return float(found)
        match = _NUMBER.match(found.strip()) if isinstance(found, str) else None
        if match:
            return float(match.group())
    return None


def _count(entry: Any, *paths: Sequence[str]) -> int | None:
    found = _number(entry, *paths)
    return None if found is None else int(found)


def _memory(entry: Any) -> int | None:
    size = _number(entry, ("vram", "size"), ("vram", "vram_size"))
    unit = _text(entry, "vram", "size", "unit") or "MB"
    return None if size is None else round(size * _MIB.get(unit.upper(), 1.0))


def _generation(rate: float | None) -> int | None:
    return None if rate is None else _GENERATIONS.get(rate)


def _pcie(static: Any, metric: Any) -> Pcie:
    version = re.search(r"[0-9]+", _text(static, "bus", "pcie_interface_version"))
    highest = _generation(_number(static, ("bus", "max_pcie_speed")))
    return Pcie(
        generation=_generation(_number(metric, ("pcie", "speed"))),
        generation_max=highest,
        generation_device=int(version.group()) if version else highest,
        width=_count(metric, ("pcie", "width")),
        width_max=_count(static, ("bus", "max_pcie_width")),
        replays=_count(metric, ("pcie", "replay_count")),
    )


def _ecc(static: Any, metric: Any) -> Ecc:
    blocks = _get(static, "ras", "ecc_block_state")
    if isinstance(blocks, list):
        blocks = {str(_get(block, "block")): _get(block, "status") for block in blocks}
    # Memory is behind the unified memory controllers (UMC).
    state = _text(blocks, "UMC")
    return Ecc(
        enabled=state.upper() == "ENABLED" if state else None,
        uncorrectable=_count(metric, ("ecc", "total_uncorrectable_count")),
        correctable=_count(metric, ("ecc", "total_correctable_count")),
    )


def _reasons(metric: Any) -> frozenset[str] | None:
    violations = _get(metric, "throttle")
    states = {name: _text(violations, name) for name in _VIOLATIONS}
    told = {name: state for name, state in states.items() if state}
    if told:
        return frozenset(_VIOLATIONS[name] for name, state in told.items() if state.upper() == "ACTIVE")
    # GPUs before MI300 tell only whether.
    status = _text(metric, "power", "throttle_status")
    if not status:
        return None
    return frozenset() if status.upper() == "UNTHROTTLED" else frozenset({"hw_slowdown"})


def _link_errors(metric: Any) -> int | None:
    found = _get(metric, "xgmi_err")
    if isinstance(found, dict):
        counts = [_count(found, (name,)) for name in found if name.lower().endswith(("error_count", "errors", "count"))]
        return sum(count for count in counts if count is not None)
    text = found.upper() if isinstance(found, str) else ""
    if not text:
        return None
    return 0 if "NO ERROR" in text or "NO_ERROR" in text else 1


def _clock(metric: Any) -> Clocks:
    return Clocks(
        now=_number(metric, ("clock", "gfx_0", "clk")),
        highest=_number(metric, ("clock", "gfx_0", "max_clk")),
        reasons=_reasons(metric),
    )


def _gpu(static: Any, metric: Any) -> Gpu:
    return Gpu(
        index=static["gpu"],
        name=_text(static, "asic", "market_name") or _text(static, "board", "product_name"),
        uuid=_text(static, "asic", "asic_serial"),
        serial=_text(static, "board", "product_serial"),
        bus=_text(static, "bus", "bdf").lower(),
        memory_mib=_memory(static),
        driver=_text(static, "driver", "version") or _text(static, "driver", "driver_version"),
        partition=_text(static, "partition", "compute_partition")
        or _text(static, "partition", "accelerator_partition")
        or None,
        pcie=_pcie(static, metric),
        ecc=_ecc(static, metric),
        thermal=Thermal(
            gpu=_number(metric, ("temperature", "hotspot"), ("temperature", "edge")),
            memory=_number(metric, ("temperature", "mem")),
            slowdown=_number(static, ("limit", "slowdown_hotspot_temperature"), ("limit", "slowdown_edge_temperature")),
            memory_slowdown=_number(static, ("limit", "slowdown_vram_temperature")),
        ),
        power=Power(
            drawn=_number(metric, ("power", "socket_power"), ("power", "average_socket_power")),
            cap=_number(static, ("limit", "ppt0", "socket_power_limit"), ("limit", "socket_power")),
            cap_max=_number(static, ("limit", "ppt0", "max_power_limit"), ("limit", "max_power")),
        ),
        clocks=_clock(metric),
        link_errors=_link_errors(metric),
    )


def parse(static: bytes | str, metric: bytes | str) -> GpuDocument:
    """Return the GPUs of ``amd-smi static --json`` and ``amd-smi metric --json``.

    Raises:
        DocumentError: One of them is not that, is cut off, or they tell of different GPUs.
    """
    fixed = _entries(static, "amd-smi static --json")
    metrics = {entry["gpu"]: entry for entry in _entries(metric, "amd-smi metric --json")}
    numbers = [entry["gpu"] for entry in fixed]
    if set(numbers) != set(metrics):
        raise DocumentError(
            f"expected values of GPUs {numbers}, found of {sorted(metrics)}", where="amd-smi metric --json"
        )
    gpus = tuple(_gpu(entry, metrics[entry["gpu"]]) for entry in fixed)
    return GpuDocument("amd", SOURCE, gpus[0].driver if gpus else "", gpus)


def with_links(document: GpuDocument, content: bytes | str) -> GpuDocument:
    """Return the document with the links of ``amd-smi xgmi -l --json``: U is up, D is down, X is the GPU itself.

    Raises:
        DocumentError: It is not that.
    """
    source = "amd-smi xgmi -l --json"
    states: dict[int, tuple[Link, ...]] = {}
    for entry in _entries(content, source):
        told = _get(entry, "link_status")
        if not isinstance(told, list):
            raise DocumentError(f"expected link_status of GPU {entry['gpu']}, found none", where=source)
        states[entry["gpu"]] = tuple(
            Link(number, str(state).upper() in ("U", "UP")) for number, state in enumerate(told) if _is_link(state)
        )
    gpus = tuple(dataclasses.replace(gpu, links=states.get(gpu.index, ())) for gpu in document.gpus)
    return dataclasses.replace(document, gpus=gpus)


def _is_link(state: Any) -> bool:
    return str(state).upper() not in ("X", "SELF", "N/A", "DISABLED")


def with_bad_pages(document: GpuDocument, content: bytes | str) -> GpuDocument:
    """Return the document with the retired pages of ``amd-smi bad-pages --json``.

    Raises:
        DocumentError: It is not that.
    """
    entries = {entry["gpu"]: entry for entry in _entries(content, "amd-smi bad-pages --json")}
    gpus = tuple(
        dataclasses.replace(
            gpu,
            repair=Repair(
                pages=_pages(entries.get(gpu.index), "retired"),
                pages_pending=_pages(entries.get(gpu.index), "pending") not in (None, 0),
                failed=_pages(entries.get(gpu.index), "un_res") not in (None, 0),
            ),
        )
        for gpu in document.gpus
    )
    return dataclasses.replace(document, gpus=gpus)


def _pages(entry: Any, kind: str) -> int | None:
    found = _get(entry, kind)
    if isinstance(found, list):
        return len(found)
    return 0 if isinstance(found, str) and found.lower().startswith("no ") else None


def parse_peers(content: bytes | str) -> dict[tuple[int, int], str]:
    """Return what ``amd-smi topology --json`` says of each pair of GPUs: ``OK``, or the state and type of their link.

    Raises:
        DocumentError: It is not that.
    """
    source = "amd-smi topology --json"
    found: dict[tuple[int, int], str] = {}
    for entry in _entries(content, source):
        links = _get(entry, "links")
        if not isinstance(links, list):
            raise DocumentError(f"expected links of GPU {entry['gpu']}, found none", where=source)
        found |= dict(_peers(entry["gpu"], links))
    return found


def _peers(gpu: int, links: Iterable[Any]) -> Iterable[tuple[tuple[int, int], str]]:
    for link in links:
        other = link.get("gpu") if isinstance(link, dict) else None
        if isinstance(other, int) and other != gpu:
            yield (gpu, other), _peer_state(link)


def _peer_state(link: Mapping[str, Any]) -> str:
    state = _text(link, "link_status").upper()
    return "OK" if state == "ENABLED" else f"{_text(link, 'link_type') or 'link'} {state.lower() or 'unknown'}"
