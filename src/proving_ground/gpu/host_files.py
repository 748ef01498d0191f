"""Files of a host that tell of its GPUs: device nodes, kernel modules, what keeps modules out."""

from __future__ import annotations

import dataclasses
import re

_BLACKLIST = re.compile(
    r"^\s*(?:blacklist\s+(?P<black>[\w-]+)|install\s+(?P<install>[\w-]+)\s+/(?:usr/)?bin/(?:false|true))"
)
_PARAMETER = re.compile(r"(?:^|\s)(?:module_blacklist|modprobe\.blacklist|rd\.driver\.blacklist)=(?P<names>\S+)")
_NVIDIA_VERSION = re.compile(r"^NVRM version:.*?\s(?P<version>\d+\.\d+(?:\.\d+)?)\s", re.MULTILINE)
_FABRIC_MANAGER = re.compile(r"version is\s*:\s*(?P<version>[\d.]+)")


@dataclasses.dataclass(frozen=True)
class DeviceNodes:
    """Device nodes by path, and what each is in words of stat(1): ``character special file``."""

    kinds: dict[str, str]

    @property
    def present(self) -> frozenset[str]:
        """Paths of those that are more than an empty directory (container engines leave such where a node was not)."""
        return frozenset(path for path, kind in self.kinds.items() if kind != "directory")


def device_nodes(content: str, root: str = "") -> DeviceNodes:
    """Return the device nodes of lines that hold kind and path; a directory that stands for ``/`` is taken off."""
    lines = [line.split("\t", 1) for line in content.splitlines() if "\t" in line]
    return DeviceNodes({path.removeprefix(root).strip(): kind.strip() for kind, path in lines})


def modules(content: str) -> frozenset[str]:
    """Return the names of the loaded modules of ``/proc/modules``, with underscores."""
    return frozenset(line.split()[0].replace("-", "_") for line in content.splitlines() if line.strip())


def blacklisted(modprobe: str, command_line: str) -> frozenset[str]:
    """Return the modules that modprobe.d(5) or the kernel's command line keeps from being loaded by themselves."""
    found = {match["black"] or match["install"] for match in map(_BLACKLIST.match, modprobe.splitlines()) if match}
    for match in _PARAMETER.finditer(command_line):
        found |= set(match["names"].split(","))
    return frozenset(name.replace("-", "_") for name in found)


def loaded_version(content: str) -> str:
    """Return the version of the loaded driver: of ``/proc/driver/nvidia/version`` or ``/sys/module/amdgpu/version``."""
    match = _NVIDIA_VERSION.search(content)
    if match:
        return match["version"]
    first = content.strip().splitlines()[:1]
    return first[0].strip() if first and re.fullmatch(r"[\w.+~-]+", first[0].strip()) else ""


def fabric_manager_version(content: str) -> str:
    """Return the version that ``nv-fabricmanager --version`` prints; empty where it prints none."""
    match = _FABRIC_MANAGER.search(content)
    return match["version"] if match else ""
