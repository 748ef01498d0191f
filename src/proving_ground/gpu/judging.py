"""Rules over what hosts say of their GPUs: each returns what is wrong, nothing where all is well."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from proving_ground.gpu.cdi import CdiSpec
    from proving_ground.gpu.collectives import Measured
    from proving_ground.gpu.declared import DeclaredGpu
    from proving_ground.gpu.document import Gpu, GpuDocument
    from proving_ground.gpu.host_files import DeviceNodes
    from proving_ground.gpu.infiniband import Port
    from proving_ground.gpu.kernel_log import KernelEvent

#: Reasons for a low clock that slow down work which is under way, beyond what a cap of power does to every GPU under
#: load. Source: NVML API reference, nvmlClocksEventReasons.
HARMFUL_REASONS: Mapping[str, str] = {
    "hw_slowdown": "check temperature and power supply of the GPU",
    "hw_thermal_slowdown": "check cooling and air flow",
    "hw_power_brake_slowdown": "check the host's power supplies and their cables",
    "sw_thermal_slowdown": "check cooling and air flow",
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is wrong."""

    subject: str
    expected: str
    found: str
    todo: str = ""

    def __str__(self) -> str:
        """Return the one line of it."""
        line = f"{self.subject}: expected {self.expected}, found {self.found}"
        return f"{line} ({self.todo})" if self.todo else line


def version_key(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparison: ``570.124.06`` gives (570, 124, 6)."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def within_versions(version: str, lowest: str, highest: str) -> bool:
    """Return whether a version lies between two: an empty bound bounds nothing, ``570`` as the highest allows 570.x."""
    key = version_key(version)
    if not key:
        return False
    top = version_key(highest)
    return key >= version_key(lowest) and (not top or key[: len(top)] <= top)


def inventory(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge number, product and memory of the GPUs."""
    found: list[Finding] = []
    if document.vendor != declared.vendor:
        found.append(Finding("vendor", declared.vendor, document.vendor))
    if len(document.gpus) != declared.count:
        todo = "look at lspci and the kernel log: one may have fallen off the bus"
        found.append(Finding("GPUs", str(declared.count), str(len(document.gpus)), todo))
    for gpu in document.gpus:
        if declared.products and gpu.name not in declared.products:
            found.append(Finding(gpu.label, " or ".join(declared.products), gpu.name or "no name"))
        if declared.memory_mib is not None and gpu.memory_mib != declared.memory_mib:
            found.append(Finding(gpu.label, f"{declared.memory_mib} MiB of memory", _said(gpu.memory_mib, "{} MiB")))
    return found


def driver_range(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that a host's driver lies between the declared versions, for each of its GPUs."""
    wanted = f"a driver from {declared.driver_min or 'any'} to {declared.driver_max or 'any'}"
    return [
        Finding("driver", wanted, version or "none", "install the declared driver, then reboot")
        for version in sorted({gpu.driver for gpu in document.gpus} | {document.driver})
        if not within_versions(version, declared.driver_min, declared.driver_max)
    ]


def drivers_equal(documents: Mapping[str, tuple[GpuDocument, DeclaredGpu]]) -> list[Finding]:
    """Judge that hosts of one vendor have the same driver.

    Args:
        documents: Name of a host -> what it has and what is declared.
    """
    found: list[Finding] = []
    for vendor in sorted({document.vendor for document, _ in documents.values()}):
        versions: dict[str, list[str]] = {}
        for host, (document, _) in documents.items():
            if document.vendor == vendor:
                versions.setdefault(document.driver, []).append(host)
        if len(versions) > 1:
            told = "; ".join(f"{version} on {', '.join(hosts)}" for version, hosts in sorted(versions.items()))
            found.append(Finding(f"{vendor} drivers", "the same on every host", told, "upgrade those that are behind"))
    return found


def loaded_driver(document: GpuDocument, loaded: str) -> list[Finding]:
    """Judge that the module in the kernel is of the driver that the tools belong to.

    Args:
        document: Of the host.
        loaded: Version that the loaded module tells; empty: none.
    """
    if not loaded:
        return [Finding("loaded module", f"version {document.driver}", "none", "load the driver's module, or reboot")]
    if loaded != document.driver:
        return [Finding("loaded module", f"version {document.driver}", loaded, "reboot: another driver was installed")]
    return []


def modules(declared: DeclaredGpu, loaded: frozenset[str], blacklisted: frozenset[str]) -> list[Finding]:
    """Judge that the vendor's modules are loaded and that nouveau is neither loaded nor ever will be."""
    wanted = {"nvidia": ("nvidia", "nvidia_uvm"), "amd": ("amdgpu",)}[declared.vendor]
    found = [
        Finding("modules", f"{name} loaded", "not loaded", f"modprobe {name}, then look at the kernel log")
        for name in wanted
        if name not in loaded
    ]
    if declared.vendor != "nvidia":
        return found
    if "nouveau" in loaded:
        found.append(Finding("modules", "no nouveau", "nouveau loaded", "blacklist it, renew the initramfs, reboot"))
    if "nouveau" not in blacklisted:
        todo = "write `blacklist nouveau` to /etc/modprobe.d and renew the initramfs"
        found.append(Finding("modprobe.d", "nouveau blacklisted", "it is not", todo))
    return found


def device_nodes(document: GpuDocument, declared: DeclaredGpu, nodes: DeviceNodes) -> list[Finding]:
    """Judge that there is a device node for each GPU, and those that all of them need."""
    if declared.vendor == "nvidia":
        minors = [gpu.index if gpu.minor is None else gpu.minor for gpu in document.gpus]
        wanted = [f"/dev/nvidia{minor}" for minor in minors] + ["/dev/nvidiactl", "/dev/nvidia-uvm"]
        todo = "run nvidia-modprobe -c0 -u, or restart nvidia-persistenced"
        return [Finding("device nodes", path, "none", todo) for path in wanted if path not in nodes.present]
    found = []
    if "/dev/kfd" not in nodes.present:
        found.append(Finding("device nodes", "/dev/kfd", "none", "load amdgpu, then look at the kernel log"))
    renders = sorted(path for path in nodes.present if path.startswith("/dev/dri/renderD"))
    if len(renders) < declared.count:
        told = ", ".join(renders) or "none"
        found.append(Finding("device nodes", f"{declared.count} of /dev/dri/renderD*", told, "look at the kernel log"))
    return found


def _each(document: GpuDocument, judge: Callable[[Gpu], Iterable[Finding]]) -> list[Finding]:
    return [finding for gpu in document.gpus for finding in judge(gpu)]


def _said(value: object, form: str = "{}") -> str:
    return "nothing told" if value is None else form.format(value)


def _state(value: bool | None) -> str:
    return {None: "nothing told", True: "on", False: "off"}[value]


def persistence(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that the driver stays loaded, where there is such a thing (NVIDIA)."""
    if declared.vendor != "nvidia" or not declared.persistence:
        return []
    todo = "enable nvidia-persistenced"
    return [
        Finding(gpu.label, "persistence mode on", _state(gpu.persistence), todo)
        for gpu in document.gpus
        if not gpu.persistence
    ]


def partition(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that the GPUs are divided as declared; undeclared: all alike."""
    told = {gpu.partition or "none" for gpu in document.gpus}
    if declared.partition:
        todo = "divide it with nvidia-smi mig or amd-smi set, or declare it"
        return [
            Finding(gpu.label, f"partition {declared.partition}", gpu.partition or "none", todo)
            for gpu in document.gpus
            if (gpu.partition or "none").lower() != declared.partition.lower()
        ]
    return [] if len(told) <= 1 else [Finding("GPUs", "all divided alike", ", ".join(sorted(told)))]


def ecc(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that error correction is as declared, now and after the next reset."""

    def judge(gpu: Gpu) -> Iterator[Finding]:
        wanted = _state(declared.ecc)
        if gpu.ecc.enabled != declared.ecc:
            yield Finding(
                gpu.label, f"ECC {wanted}", _state(gpu.ecc.enabled), "nvidia-smi --ecc-config, then reset the GPU"
            )
        elif gpu.ecc.pending not in (None, declared.ecc):
            yield Finding(
                gpu.label, f"ECC {wanted} after the next reset", _state(gpu.ecc.pending), "somebody changed it"
            )

    return _each(document, judge)


def ecc_errors(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that no error of memory could not be corrected since the driver was loaded."""

    def judge(gpu: Gpu) -> Iterator[Finding]:
        if gpu.ecc.uncorrectable is None and declared.ecc:
            yield Finding(gpu.label, "a count of uncorrectable errors", "nothing told")
        elif gpu.ecc.uncorrectable:
            todo = "reset the GPU; replace it when errors come back"
            yield Finding(gpu.label, "no uncorrectable errors of memory", str(gpu.ecc.uncorrectable), todo)
        if gpu.ecc.threshold_exceeded:
            yield Finding(gpu.label, "few errors of SRAM", "more than the vendor allows", "have the GPU replaced")

    return _each(document, judge)


def repairs(document: GpuDocument) -> list[Finding]:
    """Judge that repairs of memory neither wait for a reset nor failed, and that spare rows are left."""

    def judge(gpu: Gpu) -> Iterator[Finding]:
        if gpu.repair.pending:
            yield Finding(gpu.label, "no repair pending", ", ".join(gpu.repair.pending), "reset the GPU")
        if gpu.repair.failed:
            yield Finding(gpu.label, "every repair of memory done", "one failed", "have the GPU replaced")
        if gpu.repair.exhausted_banks:
            told = f"{gpu.repair.exhausted_banks} banks without any"
            yield Finding(gpu.label, "spare rows in every bank", told, "plan the GPU's replacement")
        if gpu.recovery:
            yield Finding(gpu.label, "nothing to be done to it", gpu.recovery, "do what the driver asks for")

    return _each(document, judge)


def retired_pages(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that few pages are retired and none waits; GPUs that replace rows instead have none.

    The limit of 60 is where NVIDIA replaces a GPU: "Dynamic Page Retirement" (docs.nvidia.com/deploy), section on RMA.
    """

    def judge(gpu: Gpu) -> Iterator[Finding]:
        if gpu.repair.pages_pending:
            yield Finding(gpu.label, "no page that waits to be retired", "one waits", "reset the GPU")
        if (gpu.repair.pages or 0) > declared.retired_pages_max:
            wanted = f"at most {declared.retired_pages_max} retired pages"
            yield Finding(gpu.label, wanted, str(gpu.repair.pages), "have the GPU replaced")

    return _each(document, judge)


def pcie(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge lanes and generation of each GPU's slot.

    The lanes in use must be all that there are. The generation falls while a GPU idles: so the one that GPU and slot
    can agree on is judged, against what is declared and what the GPU can do.
    """

    def judge(gpu: Gpu) -> Iterator[Finding]:
        link = gpu.pcie
        lanes = declared.pcie_width or link.width_max
        if link.width is None or (lanes is not None and link.width < lanes):
            todo = "seat the GPU and its riser anew, look at the kernel log for errors of PCIe"
            yield Finding(gpu.label, f"PCIe x{lanes or '?'}", _said(link.width, "x{}"), todo)
        wanted = declared.pcie_generation or link.generation_device
        if link.generation_max is None or (wanted is not None and link.generation_max < wanted):
            todo = "check slot, riser and the firmware's settings"
            yield Finding(gpu.label, f"PCIe generation {wanted or '?'}", _said(link.generation_max), todo)

    return _each(document, judge)


def links(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that as many links between GPUs are active as declared; undeclared: all that there are."""

    def judge(gpu: Gpu) -> Iterator[Finding]:
        if gpu.links is None:
            if declared.links:
                yield Finding(gpu.label, f"{declared.links} links", "nothing told")
            return
        active = [link.number for link in gpu.links if link.active]
        wanted = len(gpu.links) if declared.links is None else declared.links
        if len(active) < wanted:
            down = ", ".join(str(link.number) for link in gpu.links if not link.active) or "others not there"
            todo = "look at the fabric manager and the kernel log, then at the hardware"
            yield Finding(gpu.label, f"{wanted} active links", f"{len(active)} (down: {down})", todo)

    return _each(document, judge)


def link_errors(document: GpuDocument) -> list[Finding]:
    """Judge that no link between GPUs counted an error."""

    def judge(gpu: Gpu) -> Iterator[Finding]:
        todo = "reset the GPU to zero the counters; when they grow again, check the link's hardware"
        for link in gpu.links or ():
            wrong = {name: count for name, count in link.errors.items() if count}
            if wrong:
                told = ", ".join(f"{count} {name}" for name, count in sorted(wrong.items()))
                yield Finding(f"{gpu.label} link {link.number}", "no errors", told, todo)
        if gpu.link_errors:
            yield Finding(gpu.label, "no errors of its links", "some", todo)

    return _each(document, judge)


def peers(document: GpuDocument, declared: DeclaredGpu, told: Mapping[tuple[int, int], str]) -> list[Finding]:
    """Judge that every GPU can read the memory of every other.

    Args:
        document: Of the host.
        declared: Whether they have to.
        told: What a tool says of each pair.
    """
    if not declared.peers:
        return []
    todo = "check IOMMU and ACS, and the fabric manager"
    return [
        Finding(
            f"GPU {one.index} to GPU {other.index}",
            "peer access",
            told.get((one.index, other.index), "nothing told"),
            todo,
        )
        for one in document.gpus
        for other in document.gpus
        if one.index != other.index and told.get((one.index, other.index)) != "OK"
    ]


def fabric(document: GpuDocument, declared: DeclaredGpu, active: str, version: str) -> list[Finding]:
    """Judge that the fabric manager runs, is of the driver's version, and knows the GPUs; where there are NVSwitches.

    Args:
        document: Of the host.
        declared: Whether there are switches.
        active: What systemd says of its service.
        version: That it tells.
    """
    if not declared.nvswitch:
        return []
    found = []
    if active != "active":
        found.append(
            Finding("fabric manager", "active", active or "no service", "systemctl start nvidia-fabricmanager")
        )
    if version != document.driver:
        todo = "install the fabric manager of the driver's version"
        found.append(Finding("fabric manager", f"version {document.driver}", version or "none", todo))
    return found + [
        Finding(gpu.label, "registered with the fabric manager", gpu.fabric, "restart the fabric manager")
        for gpu in document.gpus
        if gpu.fabric not in (None, "completed")
    ]


def infiniband(declared: DeclaredGpu, ports: Sequence[Port]) -> list[Finding]:
    """Judge that as many ports are active at their rate as declared; undeclared: none that is plugged in is down."""
    up = [port for port in ports if port.state == "ACTIVE"]
    todo = "check cable, switch port and subnet manager"
    if declared.infiniband is None:
        return [
            Finding(port.label, "ACTIVE", port.state, todo)
            for port in ports
            if port.state != "ACTIVE" and port.physical == "LinkUp"
        ]
    found = []
    if len(up) < declared.infiniband.ports:
        told = ", ".join(f"{port.label} {port.state}" for port in ports if port.state != "ACTIVE") or f"{len(up)} ports"
        found.append(Finding("InfiniBand", f"{declared.infiniband.ports} active ports", told, todo))
    return found + [
        Finding(port.label, f"{declared.infiniband.gbit:g} Gbit/s", f"{port.rate:g}", todo)
        for port in up
        if port.rate < declared.infiniband.gbit
    ]


def throttling(document: GpuDocument) -> list[Finding]:
    """Judge that nothing but idleness and the cap of power holds a clock down."""

    def judge(gpu: Gpu) -> Iterator[Finding]:
        if gpu.clocks.reasons is None:
            yield Finding(gpu.label, "reasons for its clocks", "nothing told")
        for reason in sorted((gpu.clocks.reasons or frozenset()) & HARMFUL_REASONS.keys()):
            yield Finding(gpu.label, "clocks that nothing holds down", reason, HARMFUL_REASONS[reason])

    return _each(document, judge)


def clocks(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that each GPU can reach its clock, and that nobody left another application clock behind."""

    def judge(gpu: Gpu) -> Iterator[Finding]:
        told = gpu.clocks
        if declared.clock_mhz is not None and (told.highest is None or told.highest < declared.clock_mhz):
            wanted = f"a clock up to {declared.clock_mhz:g} MHz"
            yield Finding(gpu.label, wanted, _said(told.highest, "{:g} MHz"), "nvidia-smi --reset-gpu-clocks")
        if told.chosen is not None and told.usual is not None and told.chosen < told.usual:
            wanted = f"application clock {told.usual:g} MHz"
            yield Finding(gpu.label, wanted, f"{told.chosen:g} MHz", "nvidia-smi --reset-applications-clocks")

    return _each(document, judge)


def temperature(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that no GPU, and no memory of one, is as hot as its limit."""

    def judge(gpu: Gpu) -> Iterator[Finding]:
        heat = gpu.thermal
        todo = "check cooling and air flow"
        if heat.gpu is None:
            yield Finding(gpu.label, "a temperature", "nothing told")
        limits = [limit for limit in (declared.temperature_limit, heat.slowdown) if limit is not None]
        if heat.gpu is not None and limits and heat.gpu >= min(limits):
            yield Finding(gpu.label, f"below {min(limits):g} C", f"{heat.gpu:g} C", todo)
        if heat.margin is not None and heat.margin <= 0:
            yield Finding(gpu.label, "a margin to its limit", f"{heat.margin:g} C", todo)
        limits = [limit for limit in (declared.memory_temperature_limit, heat.memory_slowdown) if limit is not None]
        if heat.memory is not None and limits and heat.memory >= min(limits):
            yield Finding(f"{gpu.label} memory", f"below {min(limits):g} C", f"{heat.memory:g} C", todo)

    return _each(document, judge)


def power(document: GpuDocument, declared: DeclaredGpu) -> list[Finding]:
    """Judge that the cap of power is the declared one; undeclared: the same on all GPUs."""
    caps = {gpu.power.cap for gpu in document.gpus}
    if declared.power_cap_watts is None:
        told = ", ".join(_said(cap, "{:g} W") for cap in sorted(caps, key=str))
        return [] if len(caps) <= 1 else [Finding("GPUs", "one cap of power", told)]
    todo = "nvidia-smi --power-limit or amd-smi set --power-cap"
    wanted = declared.power_cap_watts
    return [
        Finding(gpu.label, f"a cap of {wanted:g} W", _said(gpu.power.cap, "{:g} W"), todo)
        for gpu in document.gpus
        if gpu.power.cap is None or round(gpu.power.cap) != round(wanted)
    ]


def kernel_events(declared: DeclaredGpu, events: Iterable[KernelEvent]) -> list[Finding]:
    """Judge that the kernel's log tells of no trouble of hardware, firmware or driver within the window."""
    harmful = [
        event
        for event in events
        if event.blame in ("hardware", "driver") and (event.code is None or event.code not in declared.xids_allowed)
    ]
    return [
        Finding(event.bus, "no trouble in the kernel log", f"{event.label}: {event.meaning} [{event.text}]", event.todo)
        for event in harmful
    ]


def toolkit(declared: DeclaredGpu, tools: Mapping[str, str]) -> list[Finding]:
    """Judge that the vendor's container toolkit is installed.

    Args:
        declared: Whether it has to be.
        tools: Name of a tool that is there -> what it says of its version.
    """
    name = {"nvidia": "nvidia-ctk", "amd": "amd-ctk"}[declared.vendor]
    if not declared.toolkit or name in tools:
        return []
    return [Finding("container toolkit", name, ", ".join(tools) or "none", "install the vendor's container toolkit")]


def cdi(document: GpuDocument, declared: DeclaredGpu, specs: Sequence[CdiSpec], nodes: DeviceNodes) -> list[Finding]:
    """Judge that a CDI specification offers each GPU and all of them, by device nodes that are there."""
    if not declared.toolkit:
        return []
    kind = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}[declared.vendor]
    mine = [spec for spec in specs if spec.kind == kind]
    todo = "nvidia-ctk cdi generate, or amd-ctk cdi generate"
    if not mine:
        told = ", ".join(spec.kind for spec in specs) or "none"
        return [Finding("CDI", f"a specification of {kind}", told, todo)]
    offered = {name for spec in mine for name in spec.devices}
    names = [str(gpu.index) for gpu in document.gpus] if document.gpus else []
    found = [
        Finding("CDI", f"device {name}", ", ".join(sorted(offered)) or "none", todo)
        for name in [*names, "all"]
        if name not in offered and not any(gpu.uuid in offered for gpu in document.gpus if str(gpu.index) == name)
    ]
    used = {path for spec in mine for paths in (*spec.devices.values(), spec.shared) for path in paths}
    gpu_nodes = re.compile(r"^/dev/(?:nvidia\d+|dri/renderD\d+|kfd)$")
    return found + [
        Finding("CDI", "device nodes that are there", f"{path}, which is not", todo)
        for path in sorted(used)
        if gpu_nodes.match(path) and path not in nodes.present
    ]


def collective(declared: DeclaredGpu, measured: Measured) -> list[Finding]:
    """Judge an all-reduce over all GPUs: right values, and the declared bus bandwidth with its largest message."""
    found = []
    if measured.wrong:
        found.append(Finding("all-reduce", "right values", f"{measured.wrong} wrong ones", "check links and memory"))
    if measured.ranks and measured.ranks != declared.count:
        found.append(Finding("all-reduce", f"{declared.count} GPUs", str(measured.ranks)))
    if declared.bus_bandwidth is not None and measured.bus < declared.bus_bandwidth:
        wanted = f"{declared.bus_bandwidth:g} GB/s of bus bandwidth"
        found.append(Finding("all-reduce", wanted, f"{measured.bus:g}", "check links, clocks and NCCL's settings"))
    return found
