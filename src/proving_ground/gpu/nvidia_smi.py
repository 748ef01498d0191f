"""What ``nvidia-smi`` prints: ``-q -x``, ``nvlink -s``, ``nvlink -e``, ``topo -p2p r``.

The XML's elements are those of the document types nvsmi_device v11 to v13 (drivers R470 to R590). Elements change
between drivers: what is not there is None, what is new is passed over.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

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
    from collections.abc import Mapping, Sequence

SOURCE = "nvidia-smi -q -x"
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_REASON = re.compile(r"^clocks_(?:event|throttle)_reason_(?P<name>[a-z0-9_]+)$")
_GPU_LINE = re.compile(r"^GPU (?P<index>[0-9]+):")
_LINK_LINE = re.compile(r"^\s*Link (?P<link>[0-9]+):\s*(?P<rest>.*?)\s*$")
_COUNTER = re.compile(r"^(?P<name>.+?)\s*:\s*(?P<count>[0-9]+)(?:\s.*)?$")
_CELL = re.compile(r"^(?:X|OK|CNS|GNS|TNS|NS|DR|U)$")
#: What a counter of ``nvlink -e`` is called when it counts what went wrong and was not simply corrected. From NVLink 5
#: on (R570) the tool also counts traffic, recoveries that succeeded, symbol errors and what FEC corrected: they are not
#: zero on links in order, and are left out. Source: NVML API reference, NVML_FI_DEV_NVLINK_COUNT_*.
HARMFUL = re.compile(
    r"replay|^recovery err|crc|malformed|buffer overrun|rx (?:remote |general )?err|integrity|"
    r"discard|recovery failed|effective err",
    re.IGNORECASE,
)


def _text(parent: ET.Element, path: str) -> str | None:
    """Return the text of an element; None where it is absent or says that there is no such thing."""
    found = (parent.findtext(path) or "").strip()
    unknown = found in ("", "N/A", "[N/A]", "Not Supported", "[Not Supported]", "Unknown Error", "[Unknown Error]")
    return None if unknown or found.startswith("Requested functionality") else found


def _number(parent: ET.Element, *paths: str) -> float | None:
    for path in paths:
        found = _text(parent, path)
        match = _NUMBER.match(found) if found else None
        if match:
            return float(match.group())
    return None


def _count(parent: ET.Element, *paths: str) -> int | None:
    found = _number(parent, *paths)
    return None if found is None else int(found)


def _flag(parent: ET.Element, *paths: str) -> bool | None:
    for path in paths:
        found = _text(parent, path)
        if found is not None:
            return found in ("Yes", "Enabled", "Active")
    return None


def _total(parent: ET.Element, paths: Sequence[str]) -> int | None:
    counts = [count for count in (_count(parent, path) for path in paths) if count is not None]
    return sum(counts) if counts else None


def _uncorrectable(gpu: ET.Element, period: str) -> int | None:
    base = f"ecc_errors/{period}"
    modern = ("sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded", "dram_uncorrectable")
    found = _total(gpu, [f"{base}/{name}" for name in modern])
    # GPUs before Ampere count by the number of bits.
    return _count(gpu, f"{base}/double_bit/total") if found is None else found


def _correctable(gpu: ET.Element) -> int | None:
    base = "ecc_errors/volatile"
    found = _total(gpu, [f"{base}/sram_correctable", f"{base}/dram_correctable"])
    return _count(gpu, f"{base}/single_bit/total") if found is None else found


def _repair(gpu: ET.Element) -> Repair:
    flags = {
        "row remapping": _flag(gpu, "remapped_rows/remapped_row_pending"),
        "channel repair": _flag(gpu, "ecc_errors/channel_repair_pending"),
        "TPC repair": _flag(gpu, "ecc_errors/tpc_repair_pending"),
    }
    known = [name for name, flag in flags.items() if flag is not None]
    failures = [_flag(gpu, "remapped_rows/remapped_row_failure"), _flag(gpu, "ecc_errors/unrepairable_memory")]
    told = [failure for failure in failures if failure is not None]
    retired = "retired_pages"
    return Repair(
        rows=_total(gpu, ["remapped_rows/remapped_row_corr", "remapped_rows/remapped_row_unc"]),
        pending=tuple(name for name in known if flags[name]) if known else None,
        failed=any(told) if told else None,
        exhausted_banks=_count(gpu, "remapped_rows/row_remapper_histogram/row_remapper_histogram_none"),
        pages=_total(
            gpu,
            [
                f"{retired}/multiple_single_bit_retirement/retired_count",
                f"{retired}/double_bit_retirement/retired_count",
            ],
        ),
        pages_pending=_flag(gpu, f"{retired}/pending_retirement", f"{retired}/pending_blacklist"),
    )


def _reasons(gpu: ET.Element) -> frozenset[str] | None:
    parent = gpu.find("clocks_event_reasons")
    parent = gpu.find("clocks_throttle_reasons") if parent is None else parent
    if parent is None:
        return None
    matches = [(child, _REASON.match(child.tag)) for child in parent]
    return frozenset(m["name"] for child, m in matches if m and (child.text or "").strip() == "Active")


def _pcie(gpu: ET.Element) -> Pcie:
    link = "pci/pci_gpu_link_info"
    return Pcie(
        generation=_count(gpu, f"{link}/pcie_gen/current_link_gen"),
        generation_max=_count(gpu, f"{link}/pcie_gen/max_link_gen"),
        generation_device=_count(gpu, f"{link}/pcie_gen/max_device_link_gen"),
        width=_count(gpu, f"{link}/link_widths/current_link_width"),
        width_max=_count(gpu, f"{link}/link_widths/max_link_width"),
        replays=_count(gpu, "pci/replay_counter"),
    )


def _power(gpu: ET.Element) -> Power:
    # Drivers before R535 say power_readings; the draw has three names.
    areas = ("gpu_power_readings", "power_readings")
    draws = ("instant_power_draw", "power_draw", "average_power_draw")
    return Power(
        drawn=_number(gpu, *(f"{area}/{draw}" for area in areas for draw in draws)),
        cap=_number(gpu, "gpu_power_readings/current_power_limit", "power_readings/power_limit"),
        cap_max=_number(gpu, *(f"{area}/max_power_limit" for area in areas)),
    )


def _partition(gpu: ET.Element) -> str | None:
    mode = _text(gpu, "mig_mode/current_mig")
    return mode.lower() if mode else None


def _recovery(gpu: ET.Element) -> str:
    action = _text(gpu, "gpu_recovery_action")
    if action and action != "None":
        return action
    if _flag(gpu, "gpu_reset_status/reset_required"):
        return "Reset"
    return "Drain and Reset" if _flag(gpu, "gpu_reset_status/drain_and_reset_recommended") else ""


def _fabric(gpu: ET.Element) -> str | None:
    state = _text(gpu, "fabric/state")
    status = _text(gpu, "fabric/status")
    if state is None:
        return None
    return state.lower() if status in (None, "Success") else f"{state.lower()}: {status}"


def _gpu(index: int, gpu: ET.Element, driver: str) -> Gpu:
    return Gpu(
        index=index,
        name=_text(gpu, "product_name") or "",
        uuid=_text(gpu, "uuid") or "",
        serial=_text(gpu, "serial") or "",
        bus=(_text(gpu, "pci/pci_bus_id") or gpu.get("id") or "").lower(),
        minor=_count(gpu, "minor_number"),
        memory_mib=_count(gpu, "fb_memory_usage/total"),
        driver=driver,
        persistence=_flag(gpu, "persistence_mode"),
        partition=_partition(gpu),
        pcie=_pcie(gpu),
        ecc=Ecc(
            enabled=_flag(gpu, "ecc_mode/current_ecc"),
            pending=_flag(gpu, "ecc_mode/pending_ecc"),
            uncorrectable=_uncorrectable(gpu, "volatile"),
            correctable=_correctable(gpu),
            aggregate_uncorrectable=_uncorrectable(gpu, "aggregate"),
            threshold_exceeded=_flag(gpu, "ecc_errors/aggregate/sram_threshold_exceeded"),
        ),
        repair=_repair(gpu),
        thermal=Thermal(
            gpu=_number(gpu, "temperature/gpu_temp"),
            memory=_number(gpu, "temperature/memory_temp"),
            margin=_number(gpu, "temperature/gpu_temp_tlimit"),
            slowdown=_number(gpu, "temperature/gpu_temp_slow_threshold"),
            memory_slowdown=_number(gpu, "temperature/gpu_temp_max_mem_threshold"),
        ),
        power=_power(gpu),
        clocks=Clocks(
            now=_number(gpu, "clocks/sm_clock", "clocks/graphics_clock"),
            highest=_number(gpu, "max_clocks/sm_clock", "max_clocks/graphics_clock"),
            chosen=_number(gpu, "applications_clocks/graphics_clock"),
            usual=_number(gpu, "default_applications_clocks/graphics_clock"),
            reasons=_reasons(gpu),
        ),
        fabric=_fabric(gpu),
        recovery=_recovery(gpu),
    )


def parse(content: bytes | str) -> GpuDocument:
    """Return the GPUs of ``nvidia-smi -q -x``.

    Raises:
        DocumentError: It is no such document, is cut off, or tells of another number of GPUs than it says are there.
    """
    text = readable(content, SOURCE)
    start = text.find("<?xml")
    if start < 0 or "<nvidia_smi_log" not in text:
        raise DocumentError(f"expected XML with nvidia_smi_log, found {shown(text)}", where=SOURCE)
    if "<!ENTITY" in text:
        raise DocumentError(
            "expected a document without entities of its own, found one that declares some", where=SOURCE
        )
    try:
        root = ET.fromstring(text[start:].strip())  # noqa: S314  # entities were refused
    except ET.ParseError as error:
        raise DocumentError(f"expected a whole XML document, found: {error}", where=SOURCE) from None
    driver = _text(root, "driver_version") or ""
    if not driver:
        raise DocumentError("expected driver_version, found none", where=SOURCE)
    gpus = tuple(_gpu(index, element, driver) for index, element in enumerate(root.findall("gpu")))
    attached = _count(root, "attached_gpus")
    if attached is not None and attached != len(gpus):
        raise DocumentError(f"expected {attached} GPUs (attached_gpus), found {len(gpus)}", where=SOURCE)
    names = [gpu.uuid for gpu in gpus if gpu.uuid]
    if len(set(names)) != len(names):
        raise DocumentError("expected a UUID of its own for each GPU, found one twice", where=SOURCE)
    return GpuDocument("nvidia", SOURCE, driver, gpus)


def parse_links(status: bytes | str, errors: bytes | str) -> dict[int, tuple[Link, ...]]:
    """Return the links of each GPU, by its index.

    Args:
        status: What ``nvidia-smi nvlink -s`` prints.
        errors: What ``nvidia-smi nvlink -e`` prints; counters that mean no harm are left out.

    Raises:
        DocumentError: One of them is not that; a GPU without links is none.
    """
    states = _by_link(status, "nvidia-smi nvlink -s")
    counters = _by_link(errors, "nvidia-smi nvlink -e") if errors.strip() else {}
    return {
        gpu: tuple(
            Link(number, _is_active(rest), _harmful(counters.get(gpu, {}).get(number, [])))
            for number, rest in sorted(links.items())
        )
        for gpu, links in states.items()
    }


def _is_active(lines: Sequence[str]) -> bool:
    rate = _NUMBER.match(lines[0]) if lines else None
    return rate is not None and float(rate.group()) > 0


def _harmful(lines: Sequence[str]) -> Mapping[str, int]:
    counted = [_COUNTER.match(line) for line in lines]
    return {m["name"]: int(m["count"]) for m in counted if m and HARMFUL.search(m["name"])}


def _by_link(content: bytes | str, source: str) -> dict[int, dict[int, list[str]]]:
    """Return what is said of each link: index of the GPU -> number of the link -> lines."""
    found: dict[int, dict[int, list[str]]] = {}
    gpu: dict[int, list[str]] | None = None
    for line in readable(content, source).splitlines():
        if match := _GPU_LINE.match(line):
            gpu = found.setdefault(int(match["index"]), {})
        elif match := _LINK_LINE.match(line):
            if gpu is None:
                raise DocumentError(f"expected a line of a GPU before {shown(line)}", where=source)
            gpu.setdefault(int(match["link"]), []).append(match["rest"])
    if not found:
        raise DocumentError(f"expected lines of GPUs, found {shown(str(content))}", where=source)
    return found


def with_links(document: GpuDocument, links: Mapping[int, tuple[Link, ...]]) -> GpuDocument:
    """Return the document with the links of its GPUs."""
    gpus = tuple(dataclasses.replace(gpu, links=links.get(gpu.index, ())) for gpu in document.gpus)
    return dataclasses.replace(document, gpus=gpus)


def parse_peers(content: bytes | str) -> dict[tuple[int, int], str]:
    """Return what ``nvidia-smi topo -p2p r`` says of each pair of GPUs: ``OK``, or why one cannot read the other.

    Raises:
        DocumentError: It is no such matrix, or one that is cut off.
    """
    source = "nvidia-smi topo -p2p r"
    found: dict[tuple[int, int], str] = {}
    columns: list[int] | None = None
    for line in readable(content, source).splitlines():
        cells = re.sub(r"\x1b\[[0-9;]*m", "", line).split()
        if not cells or not re.fullmatch(r"GPU[0-9]+", cells[0]):
            continue
        if columns is None:
            columns = [int(cell[3:]) for cell in cells if re.fullmatch(r"GPU[0-9]+", cell)]
            continue
        row, values = int(cells[0][3:]), cells[1:]
        if len(values) != len(columns) or not all(_CELL.match(value) for value in values):
            raise DocumentError(f"expected {len(columns)} states of GPU{row}, found {shown(line)}", where=source)
        found |= {(row, column): value for column, value in zip(columns, values, strict=True) if column != row}
    rows = {row for row, _ in found}
    if columns is None or (len(columns) > 1 and rows != set(columns)):
        raise DocumentError(f"expected a matrix of GPUs, found {shown(str(content))}", where=source)
    return found
