#!/usr/bin/env python3
"""Simulated GPUs: answers as nvidia-smi and amd-smi would, on a machine that has no GPU.

Called as ``nvidia-smi``, ``amd-smi`` or ``simulated-dmesg`` it prints what that tool prints of the GPUs that the state
file describes. Called as ``simulated-gpus files DIRECTORY`` it writes what such a machine has below /dev, /proc, /sys,
/etc and /usr, once for each fault that shows there. What it prints says that it is simulated.

A fault is named by the environment variable SIMULATED_GPU_FAULT, for this one call, or by the state file, for all.
It needs Python 3.9 and nothing else.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import stat
import sys
import uuid
from pathlib import Path
from typing import Any

STATE = Path(os.environ.get("SIMULATED_GPU_STATE", "/etc/proving-ground/simulated-gpus.json"))
VARIABLE = "SIMULATED_GPU_FAULT"
SIMULATED = "simulated by Proving Ground; this machine has no such GPU"
VICTIM = 3
LOST, WRONG_CALL = 15, 2
BUSES = ("19", "3b", "4c", "5d", "9b", "bb", "cb", "db", "1b", "43", "52", "61", "9d", "c3", "d1", "df")
#: Faults that show in files; all others show in what the tools print.
IN_FILES = (
    "missing-device-node",
    "nouveau",
    "stale-module",
    "wrong-driver",
    "infiniband-down",
    "no-toolkit",
    "stale-cdi",
)
FAULTS = (
    *IN_FILES,
    "missing-gpu",
    "fallen-off-the-bus",
    "wrong-product",
    "persistence-off",
    "wrong-partition",
    "ecc-off",
    "ecc-error",
    "row-remap-pending",
    "retired-pages",
    "downtrained-pcie",
    "link-down",
    "link-errors",
    "no-peer-access",
    "fabric-not-ready",
    "throttling",
    "overheated",
    "slow-clocks",
    "low-power-cap",
    "xid",
)
TOOLS = ("nvidia-smi", "amd-smi", "simulated-dmesg")


class CallError(Exception):
    """Something that is not simulated was asked for."""


class Machine:
    """The GPUs of the state file, under a fault."""

    def __init__(self, state: dict[str, Any], fault: str) -> None:
        self.profile: dict[str, Any] = state["profile"]
        self.fault = fault or state.get("fault", "")
        self.host = os.uname().nodename
        self.count: int = state["count"] - (1 if self.shows("missing-gpu") else 0)
        self.victim = min(VICTIM, self.count - 1)

    def shows(self, fault: str) -> bool:
        """Return whether a fault is to be seen."""
        return fault in self.fault.split(",")

    def hits(self, fault: str, gpu: int) -> bool:
        """Return whether a fault is to be seen on a GPU: it shows on one of them."""
        return self.shows(fault) and gpu == self.victim

    @property
    def driver(self) -> str:
        """Version of the driver."""
        return "470.42.01" if self.shows("wrong-driver") else str(self.profile["driver"])

    @property
    def module(self) -> str:
        """Version of the module in the kernel."""
        return "470.42.01" if self.shows("stale-module") else self.driver

    def bus(self, gpu: int) -> str:
        """Return the PCI address of a GPU."""
        return f"0000:{BUSES[gpu % len(BUSES)]}:00.0"

    def uuid(self, gpu: int) -> str:
        """Return a UUID that is the GPU's own and stays."""
        return f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{gpu}.{self.host}.simulated')}"

    def product(self, gpu: int) -> str:
        """Return the name of the product."""
        return "NVIDIA T4" if self.hits("wrong-product", gpu) else str(self.profile["product"])

    def celsius(self, gpu: int) -> int:
        """Return the temperature of a GPU."""
        return 97 if self.hits("overheated", gpu) else 34 + gpu % 4

    def watts(self, gpu: int) -> int:
        """Return the cap of power of a GPU."""
        cap = int(self.profile["power_cap_watts"])
        return cap // 2 if self.hits("low-power-cap", gpu) else cap

    def megahertz(self, gpu: int) -> int:
        """Return the clock that a GPU can reach."""
        clock = int(self.profile["clock_mhz"])
        return clock // 2 if self.hits("slow-clocks", gpu) else clock

    def lanes(self, gpu: int) -> int:
        """Return the PCIe lanes in use."""
        lanes = int(self.profile["pcie_width"])
        return lanes // 2 if self.hits("downtrained-pcie", gpu) else lanes


def yes(value: bool) -> str:
    """Return what nvidia-smi says of a truth."""
    return "Yes" if value else "No"


def enabled(value: bool) -> str:
    """Return what nvidia-smi says of a switch."""
    return "Enabled" if value else "Disabled"


def element(name: str, *content: Any) -> str:
    """Return an element with text, or with elements."""
    inner = "".join(str(part) for part in content)
    return f"<{name}>{inner}</{name}>\n" if not inner.startswith("<") else f"<{name}>\n{inner}</{name}>\n"


def ecc_xml(machine: Machine, gpu: int) -> str:
    """Return what is said of error correction."""
    on = not machine.hits("ecc-off", gpu)
    errors = 2 if machine.hits("ecc-error", gpu) else 0

    def counts(wrong: int) -> list[str]:
        zeros = ("sram_correctable", "sram_uncorrectable_parity", "sram_uncorrectable_secded", "dram_correctable")
        return [*(element(name, 0) for name in zeros), element("dram_uncorrectable", wrong)]

    mode = element("ecc_mode", element("current_ecc", enabled(on)), element("pending_ecc", enabled(on)))
    return mode + element(
        "ecc_errors",
        element("volatile", *counts(errors)),
        element("aggregate", *counts(errors), element("sram_threshold_exceeded", "No")),
        element("channel_repair_pending", "No"),
        element("tpc_repair_pending", "No"),
    )


def repair_xml(machine: Machine, gpu: int) -> str:
    """Return what is said of retired pages and replaced rows."""
    pages = machine.hits("retired-pages", gpu)
    pending = machine.hits("row-remap-pending", gpu)
    unknown = "N/A"

    def retirement(name: str, count: int) -> str:
        told = str(count) if pages else unknown
        return element(name, element("retired_count", told), element("retired_pagelist", unknown))

    histogram = [
        element(f"row_remapper_histogram_{name}", f"{count} bank(s)")
        for name, count in (
            ("max", 639 if pending else 640),
            ("high", int(pending)),
            ("partial", 0),
            ("low", 0),
            ("none", 0),
        )
    ]
    return element(
        "retired_pages",
        retirement("multiple_single_bit_retirement", 3),
        retirement("double_bit_retirement", 61),
        element("pending_blacklist", yes(True) if pages else unknown),
        element("pending_retirement", yes(True) if pages else unknown),
    ) + element(
        "remapped_rows",
        element("remapped_row_corr", 0),
        element("remapped_row_unc", int(pending)),
        element("remapped_row_pending", yes(pending)),
        element("remapped_row_failure", "No"),
        element("row_remapper_histogram", *histogram),
    )


def pci_xml(machine: Machine, gpu: int) -> str:
    """Return what is said of the slot."""
    bus = machine.bus(gpu).upper()
    best = machine.profile["pcie_generation"]
    return element(
        "pci",
        element("pci_bus", bus[5:7]),
        element("pci_device", "00"),
        element("pci_domain", "0000"),
        element("pci_bus_id", f"0000{bus}"),
        element(
            "pci_gpu_link_info",
            element(
                "pcie_gen",
                element("max_link_gen", best),
                element("current_link_gen", 1),
                element("device_current_link_gen", 1),
                element("max_device_link_gen", best),
                element("max_host_link_gen", best),
            ),
            element(
                "link_widths",
                element("max_link_width", f"{machine.profile['pcie_width']}x"),
                element("current_link_width", f"{machine.lanes(gpu)}x"),
            ),
        ),
        element("replay_counter", 0),
        element("replay_rollover_counter", 0),
    )


def condition_xml(machine: Machine, gpu: int) -> str:
    """Return what is said of clocks, heat and power."""
    slow = machine.hits("throttling", gpu)
    reasons = {
        "gpu_idle": True,
        "applications_clocks_setting": False,
        "sw_power_cap": False,
        "hw_slowdown": slow,
        "hw_thermal_slowdown": slow,
        "hw_power_brake_slowdown": False,
        "sync_boost": False,
        "sw_thermal_slowdown": False,
        "display_clocks_setting": False,
    }
    heat = machine.celsius(gpu)
    limit = int(machine.profile["temperature_limit"])
    clock = machine.megahertz(gpu)
    caps = ("current_power_limit", "requested_power_limit")
    fixed = ("default_power_limit", "max_power_limit")
    parts = [
        element(
            "clocks_event_reasons",
            *(element(f"clocks_event_reason_{name}", "Active" if on else "Not Active") for name, on in reasons.items()),
        ),
        element(
            "temperature",
            element("gpu_temp", f"{heat} C"),
            element("gpu_temp_tlimit", f"{limit - heat} C"),
            element("gpu_temp_max_tlimit_threshold", "-8 C"),
            element("gpu_temp_slow_tlimit_threshold", "-2 C"),
            element("gpu_temp_max_gpu_tlimit_threshold", "0 C"),
            element("memory_temp", f"{heat + 8} C"),
        ),
        element(
            "gpu_power_readings",
            element("power_state", "P0"),
            element("average_power_draw", "71.40 W"),
            element("instant_power_draw", "71.62 W"),
            *(element(name, f"{machine.watts(gpu)}.00 W") for name in caps),
            *(element(name, f"{machine.profile['power_cap_watts']}.00 W") for name in fixed),
            element("min_power_limit", "200.00 W"),
        ),
        element("clocks", element("graphics_clock", "345 MHz"), element("sm_clock", "345 MHz")),
        element("max_clocks", element("graphics_clock", f"{clock} MHz"), element("sm_clock", f"{clock} MHz")),
    ]
    return "".join(parts)


def gpu_xml(machine: Machine, gpu: int) -> str:
    """Return everything that is said of a GPU."""
    mig = enabled(machine.hits("wrong-partition", gpu))
    memory = machine.profile["memory_mib"]
    fabric = machine.profile["nvswitch"]
    ready = not machine.hits("fabric-not-ready", gpu)
    inner = [
        element("product_name", machine.product(gpu)),
        element("product_brand", "NVIDIA"),
        element("product_architecture", machine.profile["architecture"]),
        element("persistence_mode", enabled(not machine.hits("persistence-off", gpu))),
        element("mig_mode", element("current_mig", mig), element("pending_mig", mig)),
        element("serial", f"simulated-{gpu}"),
        element("uuid", machine.uuid(gpu)),
        element("minor_number", gpu),
        element("gpu_recovery_action", "None"),
        pci_xml(machine, gpu),
        element("performance_state", "P0"),
        element(
            "fb_memory_usage",
            element("total", f"{memory} MiB"),
            element("reserved", "554 MiB"),
            element("used", "1 MiB"),
            element("free", f"{memory - 555} MiB"),
        ),
        element("compute_mode", "Default"),
        element("utilization", element("gpu_util", "0 %"), element("memory_util", "0 %")),
        ecc_xml(machine, gpu),
        repair_xml(machine, gpu),
        condition_xml(machine, gpu),
        element(
            "fabric",
            element("state", ("Completed" if ready else "In Progress") if fabric else "N/A"),
            element("status", ("Success" if ready else "N/A") if fabric else "N/A"),
        ),
        element("processes", ""),
    ]
    return f'<gpu id="0000{machine.bus(gpu).upper()}">\n{"".join(inner)}</gpu>\n'


def query_xml(machine: Machine) -> str:
    """Return what ``nvidia-smi -q -x`` prints."""
    now = dt.datetime.now().strftime("%a %b %d %H:%M:%S %Y")  # noqa: DTZ005  # as the tool does
    head = f'<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n<!-- {SIMULATED} -->\n'
    inner = [
        element("timestamp", now),
        element("driver_version", machine.driver),
        element("cuda_version", machine.profile["cuda"]),
        element("attached_gpus", machine.count),
        *(gpu_xml(machine, gpu) for gpu in range(machine.count)),
    ]
    return f"{head}<nvidia_smi_log>\n{''.join(inner)}</nvidia_smi_log>\n"


def heading(machine: Machine, gpu: int) -> str:
    """Return the line that names a GPU."""
    return f"GPU {gpu}: {machine.product(gpu)} (UUID: {machine.uuid(gpu)})"


def link_status(machine: Machine) -> str:
    """Return what ``nvidia-smi nvlink -s`` prints."""
    lines = []
    for gpu in range(machine.count):
        lines.append(heading(machine, gpu))
        for link in range(machine.profile["links"]):
            down = machine.hits("link-down", gpu) and link == 1
            lines.append(f"\t Link {link}: {'<inactive>' if down else machine.profile['link_rate']}")
    return "\n".join(lines) + "\n"


def link_errors(machine: Machine) -> str:
    """Return what ``nvidia-smi nvlink -e`` prints."""
    lines = []
    for gpu in range(machine.count):
        lines.append(heading(machine, gpu))
        for link in range(machine.profile["links"]):
            wrong = 17 if machine.hits("link-errors", gpu) and link == 1 else 0
            counts = (("Replay", 0), ("Recovery", 0), ("CRC", wrong))
            lines += [f"\t Link {link}: {name} Errors: {count}" for name, count in counts]
    return "\n".join(lines) + "\n"


def matrix(machine: Machine, cell: str, bad: str, legend: str) -> str:
    """Return a matrix of pairs of GPUs."""

    def state(one: int, other: int) -> str:
        if one == other:
            return "X"
        return bad if machine.shows("no-peer-access") and machine.victim in (one, other) else cell

    names = [f"GPU{gpu}" for gpu in range(machine.count)]
    rows = [
        f" {name}\t" + "\t".join(state(one, other) for other in range(len(names))) for one, name in enumerate(names)
    ]
    return "\n".join(["\t" + "\t".join(names), *rows, "", "Legend:", "", legend, ""])


def list_gpus(machine: Machine) -> str:
    """Return what ``nvidia-smi -L`` prints."""
    return "".join(f"{heading(machine, gpu)}\n" for gpu in range(machine.count))


def table(machine: Machine) -> str:
    """Return what ``nvidia-smi`` prints by itself, without its frame."""
    first = f"NVIDIA-SMI {machine.driver}   Driver Version: {machine.driver}   CUDA Version: {machine.profile['cuda']}"
    rows = [
        f"{gpu:>3}  {machine.product(gpu):<26} {machine.bus(gpu).upper()}  {machine.celsius(gpu)}C  "
        f"71W / {machine.watts(gpu)}W  1MiB / {machine.profile['memory_mib']}MiB"
        for gpu in range(machine.count)
    ]
    return "\n".join([f"({SIMULATED})", first, *rows, ""])


def queried(machine: Machine, gpu: int) -> dict[str, tuple[str, str]]:
    """Return the fields of ``--query-gpu``: value and unit."""
    profile = machine.profile
    return {
        "index": (str(gpu), ""),
        "name": (machine.product(gpu), ""),
        "gpu_name": (machine.product(gpu), ""),
        "uuid": (machine.uuid(gpu), ""),
        "gpu_uuid": (machine.uuid(gpu), ""),
        "count": (str(machine.count), ""),
        "driver_version": (machine.driver, ""),
        "pci.bus_id": (f"0000{machine.bus(gpu).upper()}", ""),
        "memory.total": (str(profile["memory_mib"]), "MiB"),
        "memory.used": ("1", "MiB"),
        "memory.free": (str(profile["memory_mib"] - 555), "MiB"),
        "utilization.gpu": ("0", "%"),
        "utilization.memory": ("0", "%"),
        "temperature.gpu": (str(machine.celsius(gpu)), ""),
        "power.draw": ("71.40", "W"),
        "power.limit": (f"{machine.watts(gpu)}.00", "W"),
        "clocks.sm": ("345", "MHz"),
        "clocks.max.sm": (str(machine.megahertz(gpu)), "MHz"),
        "persistence_mode": (enabled(not machine.hits("persistence-off", gpu)), ""),
        "mig.mode.current": (enabled(machine.hits("wrong-partition", gpu)), ""),
        "ecc.mode.current": (enabled(not machine.hits("ecc-off", gpu)), ""),
        "ecc.errors.uncorrected.volatile.total": ("2" if machine.hits("ecc-error", gpu) else "0", ""),
        "pcie.link.gen.max": (str(profile["pcie_generation"]), ""),
        "pcie.link.width.current": (str(machine.lanes(gpu)), ""),
        "pcie.link.width.max": (str(profile["pcie_width"]), ""),
    }


def query_csv(machine: Machine, arguments: list[str]) -> str:
    """Return what ``nvidia-smi --query-gpu=... --format=csv`` prints."""
    options = dict(argument.partition("=")[::2] for argument in arguments)
    form = options.get("--format", "").split(",")
    if form[0] != "csv":
        raise CallError('"--format=" has to be csv, csv,noheader or csv,noheader,nounits')
    fields = [field.strip() for field in options["--query-gpu"].split(",")]
    units = "nounits" not in form
    lines = []
    for gpu in range(machine.count):
        known = queried(machine, gpu)
        wrong = [field for field in fields if field not in known]
        if wrong:
            raise CallError(f'Field "{wrong[0]}" is not a valid field to query.')
        lines.append(", ".join(" ".join(part for part in (known[f][0], known[f][1] * units) if part) for f in fields))
    if "noheader" not in form:
        known = queried(machine, 0)
        lines.insert(
            0, ", ".join(f"{field} [{known[field][1]}]" if known[field][1] and units else field for field in fields)
        )
    return "\n".join(lines) + "\n"


def nvidia_smi(machine: Machine, arguments: list[str]) -> str:
    """Return what nvidia-smi prints."""
    if machine.shows("fallen-off-the-bus"):
        lost = machine.bus(machine.victim).upper()
        print(f"Unable to determine the device handle for GPU{machine.victim}: 0000{lost}: GPU is lost.")  # noqa: T201
        raise SystemExit(LOST)
    legend = (
        "  X    = Self\n  OK   = Status Ok\n  CNS  = Chipset not supported\n  NS   = Not supported\n  U    = Unknown"
    )
    calls = {
        (): lambda: table(machine),
        ("-L",): lambda: list_gpus(machine),
        ("--list-gpus",): lambda: list_gpus(machine),
        ("-q", "-x"): lambda: query_xml(machine),
        ("-x", "-q"): lambda: query_xml(machine),
        ("nvlink", "-s"): lambda: link_status(machine),
        ("nvlink", "--status"): lambda: link_status(machine),
        ("nvlink", "-e"): lambda: link_errors(machine),
        ("topo", "-p2p", "r"): lambda: matrix(machine, "OK", "CNS", legend),
        ("topo", "-m"): lambda: matrix(
            machine, f"NV{machine.profile['links']}", "SYS", "  NV#  = Bonded set of NVLinks"
        ),
    }
    if tuple(arguments) in calls:
        return calls[tuple(arguments)]()
    if any(argument.startswith("--query-gpu=") for argument in arguments):
        return query_csv(machine, arguments)
    raise CallError(f"nvidia-smi {' '.join(arguments)}")


def unit(value: Any, name: str) -> dict[str, Any]:
    """Return a value with its unit, as amd-smi prints it."""
    return {"value": value, "unit": name}


def amd_gpus(machine: Machine) -> list[int]:
    """Return the GPUs that amd-smi tells of."""
    lost = machine.victim if machine.shows("fallen-off-the-bus") else None
    return [gpu for gpu in range(machine.count) if gpu != lost]


def amd_static(machine: Machine, gpu: int) -> dict[str, Any]:
    """Return what ``amd-smi static`` tells of a GPU."""
    profile = machine.profile
    name = "AMD Radeon PRO V710" if machine.hits("wrong-product", gpu) else profile["product"]
    limit = profile["temperature_limit"]
    return {
        "gpu": gpu,
        "asic": {
            "market_name": name,
            "vendor_id": "0x1002",
            "device_id": profile["device_id"],
            "asic_serial": f"0x{uuid.uuid5(uuid.NAMESPACE_DNS, machine.uuid(gpu)).hex[:16].upper()}",
        },
        "bus": {
            "bdf": machine.bus(gpu),
            "max_pcie_width": profile["pcie_width"],
            "max_pcie_speed": unit(32, "GT/s"),
            "pcie_interface_version": f"Gen {profile['pcie_generation']}",
            "slot_type": "OAM",
        },
        "limit": {
            "max_power": unit(profile["power_cap_watts"], "W"),
            "socket_power": unit(machine.watts(gpu), "W"),
            "slowdown_hotspot_temperature": unit(limit, "C"),
            "slowdown_vram_temperature": unit(limit + 5, "C"),
            "shutdown_hotspot_temperature": unit(limit + 10, "C"),
        },
        "driver": {"name": "amdgpu", "version": machine.driver},
        "board": {"product_serial": f"simulated-{gpu}", "product_name": SIMULATED},
        "ras": {
            "eeprom_version": "0x10000",
            "ecc_block_state": {
                "UMC": "DISABLED" if machine.hits("ecc-off", gpu) else "ENABLED",
                "SDMA": "ENABLED",
                "GFX": "ENABLED",
            },
        },
        "partition": {
            "compute_partition": "CPX" if machine.hits("wrong-partition", gpu) else "SPX",
            "memory_partition": "NPS1",
        },
        "vram": {"type": "HBM3", "size": unit(profile["memory_mib"], "MB")},
    }


def amd_metric(machine: Machine, gpu: int) -> dict[str, Any]:
    """Return what ``amd-smi metric`` tells of a GPU."""
    slow = "ACTIVE" if machine.hits("throttling", gpu) else "NOT ACTIVE"
    heat = machine.celsius(gpu)
    errors = 2 if machine.hits("ecc-error", gpu) else 0
    return {
        "gpu": gpu,
        "usage": {"gfx_activity": unit(0, "%"), "umc_activity": unit(0, "%")},
        "power": {"socket_power": unit(136, "W"), "throttle_status": "N/A"},
        "clock": {
            "gfx_0": {
                "clk": unit(132, "MHz"),
                "min_clk": unit(500, "MHz"),
                "max_clk": unit(machine.megahertz(gpu), "MHz"),
                "clk_locked": "DISABLED",
            }
        },
        "temperature": {"edge": "N/A", "hotspot": unit(heat, "C"), "mem": unit(heat - 6, "C")},
        "pcie": {"width": machine.lanes(gpu), "speed": unit(32, "GT/s"), "replay_count": 0},
        "ecc": {
            "total_correctable_count": 0,
            "total_uncorrectable_count": errors,
            "total_deferred_count": 0,
            "cache_correctable_count": 0,
            "cache_uncorrectable_count": 0,
        },
        "xgmi_err": "ERRORS" if machine.hits("link-errors", gpu) else "NO ERRORS",
        "mem_usage": {"total_vram": unit(machine.profile["memory_mib"], "MB"), "used_vram": unit(283, "MB")},
        "throttle": {
            "prochot_violation_status": "NOT ACTIVE",
            "ppt_violation_status": "NOT ACTIVE",
            "socket_thermal_violation_status": slow,
            "vr_thermal_violation_status": "NOT ACTIVE",
            "hbm_thermal_violation_status": "NOT ACTIVE",
        },
    }


def amd_links(machine: Machine, gpu: int) -> dict[str, Any]:
    """Return what ``amd-smi topology`` tells of a GPU."""

    def link(other: int) -> dict[str, Any]:
        apart = machine.shows("no-peer-access") and other != gpu and machine.victim in (gpu, other)
        return {
            "gpu": other,
            "bdf": machine.bus(other),
            "weight": 0 if other == gpu else 15,
            "link_status": "DISABLED" if apart else "ENABLED",
            "link_type": "SELF" if other == gpu else "XGMI",
            "num_hops": 0 if other == gpu else 1,
        }

    return {"gpu": gpu, "bdf": machine.bus(gpu), "links": [link(other) for other in amd_gpus(machine)]}


def amd_states(machine: Machine, gpu: int) -> dict[str, Any]:
    """Return what ``amd-smi xgmi -l`` tells of a GPU."""

    def state(other: int) -> str:
        if other == gpu:
            return "X"
        return "D" if machine.hits("link-down", gpu) and other == (gpu + 1) % machine.count else "U"

    return {"gpu": gpu, "bdf": machine.bus(gpu), "link_status": [state(other) for other in range(machine.count)]}


def amd_pages(machine: Machine, gpu: int) -> dict[str, Any]:
    """Return what ``amd-smi bad-pages`` tells of a GPU."""
    bad = machine.hits("retired-pages", gpu)
    page = {"page_address": "0x7f0a1c000", "page_size": 4096, "status": "PENDING"}
    return {
        "gpu": gpu,
        "retired": [page] * 64 if bad else "No bad pages found.",
        "pending": [page] if bad else "No bad pages found.",
        "un_res": "No bad pages found.",
    }


def amd_smi(machine: Machine, arguments: list[str]) -> str:
    """Return what amd-smi prints."""
    versions = [
        {
            "tool": f"AMDSMI Tool ({SIMULATED})",
            "version": "26.0.0",
            "rocm_version": "7.0.0",
            "amdgpu_version": machine.driver,
        }
    ]
    of_gpu = {
        "list": lambda gpu: {"gpu": gpu, "bdf": machine.bus(gpu), "uuid": machine.uuid(gpu)[4:]},
        "static": lambda gpu: amd_static(machine, gpu),
        "metric": lambda gpu: amd_metric(machine, gpu),
        "topology": lambda gpu: amd_links(machine, gpu),
        "xgmi": lambda gpu: amd_states(machine, gpu),
        "bad-pages": lambda gpu: amd_pages(machine, gpu),
    }
    name = arguments[0] if arguments else ""
    rest = set(arguments[1:])
    if "--json" not in rest or rest - {"--json", "-l", "--link-status"}:
        raise CallError(f"amd-smi {' '.join(arguments)}")
    if name == "version":
        return json.dumps(versions, indent=4) + "\n"
    if name not in of_gpu:
        raise CallError(f"amd-smi {' '.join(arguments)}")
    entries = [of_gpu[name](gpu) for gpu in amd_gpus(machine)]
    key = {"static": "gpu_data", "metric": "gpu_data", "xgmi": "link_status"}.get(name)
    return json.dumps({key: entries} if key else entries, indent=4) + "\n"


def dmesg(machine: Machine, arguments: list[str]) -> str:
    """Return the lines of a kernel log: an old trouble, a program's mistake, and what the fault brings."""
    if [argument for argument in arguments if not argument.startswith("--since=")]:
        raise CallError(f"simulated-dmesg {' '.join(arguments)}")
    now = dt.datetime.now(dt.timezone.utc)  # noqa: UP017  # Python 3.9
    nvidia = machine.profile["vendor"] == "nvidia"
    lost = machine.bus(machine.victim)
    short = lost[: -len(".0")]
    old = "NVRM: Xid (PCI:{}): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
    mistake = (
        "NVRM: Xid (PCI:{}): 31, pid=4711, name=python3, MMU Fault: ENGINE GRAPHICS, FAULT_PDE ACCESS_TYPE_VIRT_READ"
    )
    double = "NVRM: Xid (PCI:{}): 48, pid='<unknown>', name=<unknown>, DBE (double bit error) ECC Error"
    if not nvidia:
        old = "amdgpu {}.0: amdgpu: 1 uncorrectable hardware errors detected in umc block"
        mistake = "amdgpu {}.0: amdgpu: no uncorrectable hardware errors detected in umc block"
        double = "amdgpu {}.0: amdgpu: socket: 0, die: 0 2 uncorrectable hardware errors detected in umc block"
    lines = [(now - dt.timedelta(days=40), old.format(short)), (now, mistake.format(short))]
    if machine.shows("xid"):
        lines.append((now, double.format(short)))
    if machine.shows("fallen-off-the-bus"):
        gone = old if nvidia else "amdgpu {}.0: amdgpu: device lost from bus!"
        lines.append((now, gone.format(short)))
    told = [f"{time.strftime('%Y-%m-%dT%H:%M:%S+00:00')} simulated kernel: {text}" for time, text in lines]
    return "\n".join([f"# {SIMULATED}", *told, ""])


def nvidia_files(machine: Machine, count: int) -> dict[str, str | None]:
    """Return the files of a machine with NVIDIA's GPUs: path -> content, None for a device node."""
    names = [f"nvidia{gpu}" for gpu in range(count)]
    names += ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"]
    modules = ["nvidia_uvm", "nvidia_drm", "nvidia_modeset", "nvidia"]
    offered = [str(gpu) for gpu in range(count - (1 if machine.shows("stale-cdi") else 0))]
    files: dict[str, str | None] = {f"dev/{name}": None for name in names}
    if machine.shows("nouveau"):
        modules.append("nouveau")
    else:
        files["etc/modprobe.d/nvidia-blacklists-nouveau.conf"] = "blacklist nouveau\noptions nouveau modeset=0\n"
    build = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {machine.module}  Release Build  ({SIMULATED})"
    files["proc/modules"] = "".join(f"{name} 1048576 0 - Live 0x0000000000000000 (OE)\n" for name in modules)
    files["proc/driver/nvidia/version"] = f"{build}\n"
    files["usr/bin/nv-fabricmanager"] = script(f"Fabric Manager version is : {machine.driver}")
    if not machine.shows("no-toolkit"):
        files["usr/bin/nvidia-ctk"] = script("NVIDIA Container Toolkit CLI version 1.17.4")
        devices = [{"name": name, "containerEdits": edits([f"/dev/nvidia{name}"])} for name in offered]
        devices.append({"name": "all", "containerEdits": edits([f"/dev/nvidia{name}" for name in offered])})
        shared = edits(["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"])
        files["etc/cdi/nvidia.yaml"] = spec("nvidia.com/gpu", devices, shared)
    return files


def amd_files(machine: Machine, count: int) -> dict[str, str | None]:
    """Return the files of a machine with AMD's GPUs: path -> content, None for a device node."""
    files: dict[str, str | None] = {"dev/kfd": None}
    files |= {f"dev/dri/renderD{128 + gpu}": None for gpu in range(count)}
    files["proc/modules"] = "amdgpu 19722240 0 - Live 0x0000000000000000 (OE)\n"
    files["sys/module/amdgpu/version"] = f"{machine.module}\n"
    if not machine.shows("no-toolkit"):
        offered = range(count - (1 if machine.shows("stale-cdi") else 0))
        files["usr/bin/amd-ctk"] = script("AMD Container Toolkit CLI version 1.1.0")
        devices = [
            {"name": str(gpu), "containerEdits": edits(["/dev/kfd", f"/dev/dri/renderD{128 + gpu}"])} for gpu in offered
        ]
        devices.append(
            {"name": "all", "containerEdits": edits(["/dev/kfd", *(f"/dev/dri/renderD{128 + gpu}" for gpu in offered)])}
        )
        files["etc/cdi/amd.json"] = spec("amd.com/gpu", devices, {})
    return files


def script(text: str) -> str:
    """Return a program that says something."""
    return f"#!/bin/sh\n# {SIMULATED}\necho '{text}'\n"


def edits(paths: list[str]) -> dict[str, Any]:
    """Return what CDI puts into a container."""
    return {"deviceNodes": [{"path": path} for path in paths]}


def spec(kind: str, devices: list[dict[str, Any]], shared: dict[str, Any]) -> str:
    """Return a CDI specification; JSON, which is YAML too."""
    content = {"cdiVersion": "0.6.0", "kind": kind, "annotations": {"proving.ground/simulated": SIMULATED}}
    return json.dumps({**content, "devices": devices, "containerEdits": shared}, indent=2) + "\n"


def port_files(machine: Machine) -> dict[str, str | None]:
    """Return the files of InfiniBand ports."""
    files: dict[str, str | None] = {}
    wanted = machine.profile.get("infiniband") or {"ports": 0}
    for port in range(wanted["ports"]):
        down = machine.shows("infiniband-down") and port == min(VICTIM, wanted["ports"] - 1)
        base = f"sys/class/infiniband/mlx5_{port}/ports/1"
        files[f"{base}/state"] = "1: DOWN\n" if down else "4: ACTIVE\n"
        files[f"{base}/phys_state"] = "2: Polling\n" if down else "5: LinkUp\n"
        files[f"{base}/rate"] = f"{wanted['rate']}\n"
        files[f"{base}/link_layer"] = "InfiniBand\n"
    return files


def files_of(machine: Machine) -> dict[str, str | None]:
    """Return the files of a machine: path -> content, None for a device node."""
    count = machine.count + (1 if machine.shows("missing-gpu") else 0)
    own = nvidia_files(machine, count) if machine.profile["vendor"] == "nvidia" else amd_files(machine, count)
    if machine.shows("missing-device-node"):
        own.pop(f"dev/nvidia{machine.victim}", None)
        own.pop(f"dev/dri/renderD{128 + machine.victim}", None)
    own["proc/cmdline"] = "BOOT_IMAGE=/boot/vmlinuz ro quiet\n"
    own["SIMULATED"] = f"{SIMULATED}\n"
    return {**own, **port_files(machine)}


def put_node(path: Path) -> bool:
    """Make a device node, a plain file where that is not allowed; return whether something was made.

    It is the null device: a number of the real driver would lead to real GPUs of the machine that a container shares.
    """
    if path.exists():
        return False
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except (PermissionError, OSError):
        path.touch(mode=0o666)
    return True


def put(path: Path, content: str) -> bool:
    """Write a file where it differs; return whether it did."""
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return False
    path.write_text(content, encoding="utf-8")
    path.chmod(0o755 if content.startswith("#!") else 0o644)
    return True


def write_tree(directory: Path, files: dict[str, str | None]) -> bool:
    """Have a directory with these files and no others; return whether anything changed."""
    changed = False
    if directory.is_symlink():
        directory.unlink()
        changed = True
    for name, content in sorted(files.items()):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        changed |= put_node(path) if content is None else put(path, content)
    for path in sorted(directory.rglob("*"), reverse=True):
        if not path.is_dir() and str(path.relative_to(directory)) not in files:
            path.unlink()
            changed = True
    return changed


def write_files(state: dict[str, Any], directory: Path) -> str:
    """Have a directory for each fault; those that do not show in files lead to that of none."""
    changed = write_tree(directory / "none", files_of(Machine(state, "")))
    for fault in FAULTS:
        path = directory / fault
        if fault in IN_FILES:
            changed |= write_tree(path, files_of(Machine(state, fault)))
        elif not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
            path.symlink_to("none")
            changed = True
    return "changed\n" if changed else "unchanged\n"


def called(name: str, arguments: list[str]) -> str:
    """Return what a call prints."""
    try:
        state = json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CallError(f"{STATE}: {error}; run the role simulated_gpus") from None
    fault = os.environ.get(VARIABLE, "")
    unknown = [one for one in re.split(",", fault) if one and one not in FAULTS]
    machine = Machine(state, ",".join(one for one in fault.split(",") if one not in unknown))
    if name == "simulated-dmesg":
        return dmesg(machine, arguments)
    if arguments[:1] == ["files"]:
        return write_files(state, Path(arguments[1]))
    if arguments == ["--faults"]:
        return "".join(f"{one}\n" for one in FAULTS)
    tool = "amd-smi" if machine.profile["vendor"] == "amd" else "nvidia-smi"
    if name != tool:
        raise CallError(f"{name}: there is no such GPU in {STATE}")
    return (amd_smi if name == "amd-smi" else nvidia_smi)(machine, arguments)


def main() -> int:
    """Print what was asked for."""
    try:
        sys.stdout.write(called(Path(sys.argv[0]).name, sys.argv[1:]))
    except CallError as error:
        print(f"{error}: not simulated ({SIMULATED})", file=sys.stderr)  # noqa: T201
        return WRONG_CALL
    return 0


if __name__ == "__main__":
    sys.exit(main())
