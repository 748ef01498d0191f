"""Reads what a host has to say of its GPUs: one command over SSH, its answers parsed when they are asked for.

So a host is asked once for all checks, and an answer that cannot be read fails the checks that need it and no others.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import secrets
import shlex
from typing import TYPE_CHECKING

from proving_ground.gpu import amd_smi, cdi, host_files, infiniband, kernel_log, nvidia_smi, nvml
from proving_ground.gpu.document import DocumentError, GpuDocument
from proving_ground.gpu.nvml_probe import NO_LIBRARY

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from proving_ground.gpu.declared import DeclaredGpu
    from proving_ground.hosts.machine import Machine

TOOL_SECONDS = 30
"""Seconds that one tool may take: it can hang on a GPU that is broken."""
READ_SECONDS = 120.0
"""Seconds that one host may take for all its answers."""
FAULT_VARIABLE = "SIMULATED_GPU_FAULT"
"""Environment variable that tells simulated tools to show a fault; real tools do not know it."""
_LOST = re.compile(r"unable to determine the device handle|gpu is lost|fallen off the bus", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one tool or file came to: exit status, what it printed, what it complained of."""

    rc: int
    stdout: str
    stderr: str


_FILES: Mapping[str, str] = {
    "device_nodes": (
        'stat --format="%F\t%n" "$root"/dev/nvidia* "$root"/dev/kfd "$root"/dev/dri/renderD* 2>/dev/null; true'
    ),
    "modules": 'cat "$root"/proc/modules',
    "modprobe": 'cat "$root"/etc/modprobe.d/*.conf "$root"/usr/lib/modprobe.d/*.conf 2>/dev/null; true',
    "command_line": 'cat "$root"/proc/cmdline',
    "loaded_driver": 'cat "$root"/proc/driver/nvidia/version "$root"/sys/module/amdgpu/version 2>/dev/null; true',
    "infiniband": 'for port in "$root"/sys/class/infiniband/*/ports/*; do [ -d "$port" ] || continue; '
    'device=${port%/ports/*}; for field in state phys_state rate link_layer; do [ -r "$port/$field" ] && '
    'printf "%s/%s/%s=%s\\n" "${device##*/}" "${port##*/}" "$field" "$(cat "$port/$field")"; done; done; true',
    "cdi": 'for file in "$root"/etc/cdi/* "$root"/var/run/cdi/*; do [ -f "$file" ] || continue; '
    'printf "\\n#### %s\\n" "$file"; cat "$file"; done; true',
    "toolkit": 'for tool in nvidia-ctk amd-ctk; do [ -x "$root/usr/bin/$tool" ] && '
    'printf "%s\t%s\\n" "$tool" "$("$root/usr/bin/$tool" --version | head -n 1)"; done; true',
    "fabric_service": "systemctl show --property=ActiveState --value nvidia-fabricmanager",
    "fabric_version": '"$root"/usr/bin/nv-fabricmanager --version',
}
_TOOLS: Mapping[str, Mapping[str, str]] = {
    "nvidia": {
        "gpus": "nvidia-smi -q -x",
        "link_status": "nvidia-smi nvlink -s",
        "link_errors": "nvidia-smi nvlink -e",
        "peers": "nvidia-smi topo -p2p r",
    },
    "amd": {
        "static": "amd-smi static --json",
        "metric": "amd-smi metric --json",
        "link_status": "amd-smi xgmi -l --json",
        "bad_pages": "amd-smi bad-pages --json",
        "peers": "amd-smi topology --json",
    },
}


def commands(declared: DeclaredGpu, since: dt.datetime) -> dict[str, str]:
    """Return what a host is asked: name of an answer -> command of a POSIX shell, which may use ``$root``."""
    found = {name: f"timeout {TOOL_SECONDS} {tool}" for name, tool in _TOOLS[declared.vendor].items()}
    if declared.vendor == "nvidia":
        found["nvml"] = (
            f"command -v python3 >/dev/null || exit {NO_LIBRARY}\n"
            f"timeout {TOOL_SECONDS} python3 -c {shlex.quote(nvml.program())}"
        )
    found["kernel_log"] = declared.kernel_log.replace("{since}", str(int(since.timestamp())))
    return {**found, **_FILES}


def script(asked: Mapping[str, str], token: str, *, root: str = "", fault: str = "") -> str:
    """Return one shell script that runs every command and marks what belongs to which.

    Args:
        asked: Name of an answer -> command.
        token: Starts every mark; nothing else that is printed contains it.
        root: What stands for ``/``; the shell expands it.
        fault: That simulated tools show.
    """
    lines = [
        f"export LC_ALL=C {FAULT_VARIABLE}={shlex.quote(fault)}",
        f'root="{root}"; export root',
        "errors=$(mktemp) || exit 1",
        "trap 'rm -f \"$errors\"' EXIT",
        "ask() {",
        f"printf '\\n%s begin %s\\n' {token} \"$1\"",
        'sh -c "$2" 2>"$errors" </dev/null',
        f"printf '\\n%s rc %s\\n' {token} $?",
        'head -c 65536 "$errors"',
        "}",
    ]
    lines += [f"ask {name} {shlex.quote(command)}" for name, command in asked.items()]
    lines.append(f"printf '\\n%s done\\n' {token}")
    return "\n".join(lines)


def answers(printed: str, token: str) -> dict[str, Answer]:
    """Return the answers that the script printed.

    Raises:
        DocumentError: It was cut off.
    """
    if not printed.rstrip().endswith(f"{token} done"):
        raise DocumentError("expected the answers of all tools, found some of them only", hint="did the host go away?")
    found = {}
    for part in printed.split(f"\n{token} begin ")[1:]:
        name, _, rest = part.partition("\n")
        stdout, _, end = rest.partition(f"\n{token} rc ")
        status, _, stderr = end.partition("\n")
        found[name.strip()] = Answer(int(status), stdout, stderr.partition(f"\n{token} done")[0])
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class HostGpus:
    """What one host says of its GPUs; everything is parsed when it is asked for.

    Attributes:
        host: Its name.
        declared: What it should be.
        answers: Name -> what was answered.
    """

    host: str
    declared: DeclaredGpu
    answers: Mapping[str, Answer]

    def _told(self, name: str) -> str:
        """Return what was printed.

        Raises:
            DocumentError: The command failed.
        """
        answer = self.answers.get(name)
        if answer is None:
            raise DocumentError(f"expected an answer of {name}, found none", where=self.host)
        if answer.rc != 0:
            said = answer.stderr.strip() or answer.stdout.strip()
            hint = "look at the kernel log: is a GPU broken?" if _LOST.search(said) else ""
            line = said.splitlines()[0] if said else "nothing"
            raise DocumentError(f"{name} ended with status {answer.rc}: {line}", where=self.host, hint=hint)
        return answer.stdout

    @functools.cached_property
    def document(self) -> GpuDocument:
        """The GPUs: by NVML where its library is, by the vendor's tool otherwise.

        Raises:
            DocumentError: No tool could tell.
        """
        if self.declared.vendor == "amd":
            return amd_smi.parse(self._told("static"), self._told("metric"))
        answer = self.answers.get("nvml")
        if answer is None or answer.rc in nvml.ABSENT:
            return nvidia_smi.parse(self._told("gpus"))
        return nvml.parse(self._told("nvml"))

    @functools.cached_property
    def with_links(self) -> GpuDocument:
        """The GPUs with their links.

        Raises:
            DocumentError: No tool could tell.
        """
        if self.declared.vendor == "amd":
            return amd_smi.with_links(self.document, self._told("link_status"))
        # NVML's older calls count no errors of NVLink 5; nvidia-smi does.
        if any(link.errors for gpu in self.document.gpus for link in gpu.links or ()):
            return self.document
        links = nvidia_smi.parse_links(self._told("link_status"), self._told("link_errors"))
        return nvidia_smi.with_links(self.document, links)

    @functools.cached_property
    def with_pages(self) -> GpuDocument:
        """The GPUs with their retired pages.

        Raises:
            DocumentError: No tool could tell.
        """
        if self.declared.vendor == "amd":
            return amd_smi.with_bad_pages(self.document, self._told("bad_pages"))
        return self.document

    @functools.cached_property
    def peers(self) -> dict[tuple[int, int], str]:
        """What is said of each pair of GPUs; ``OK`` is good.

        Raises:
            DocumentError: The tool could not tell.
        """
        read = {"amd": amd_smi.parse_peers, "nvidia": nvidia_smi.parse_peers}[self.declared.vendor]
        return read(self._told("peers")) if self.declared.count > 1 else {}

    @functools.cached_property
    def device_nodes(self) -> host_files.DeviceNodes:
        """Device nodes below /dev."""
        told = self._told("device_nodes")
        # The shell expanded the root: what is before /dev is it.
        return host_files.device_nodes(re.sub(r"(?m)\t.*?(/dev/)", r"\t\1", told))

    @functools.cached_property
    def modules(self) -> frozenset[str]:
        """Modules that are loaded."""
        return host_files.modules(self._told("modules"))

    @functools.cached_property
    def blacklisted(self) -> frozenset[str]:
        """Modules that are kept out."""
        return host_files.blacklisted(self._told("modprobe"), self._told("command_line"))

    @functools.cached_property
    def loaded_driver(self) -> str:
        """Version of the module in the kernel; empty: there is none."""
        return host_files.loaded_version(self._told("loaded_driver"))

    @functools.cached_property
    def events(self) -> tuple[kernel_log.KernelEvent, ...]:
        """What the kernel's log tells of GPUs, whenever it was."""
        return kernel_log.parse(self._told("kernel_log"))

    @functools.cached_property
    def ports(self) -> tuple[infiniband.Port, ...]:
        """Ports to other hosts."""
        return infiniband.parse(self._told("infiniband"))

    @functools.cached_property
    def cdi_specs(self) -> tuple[cdi.CdiSpec, ...]:
        """Specifications of devices for containers."""
        parts = re.split(r"(?m)^#### (.+)$", self._told("cdi"))[1:]
        return tuple(cdi.parse(text, file) for file, text in zip(parts[::2], parts[1::2], strict=True))

    @functools.cached_property
    def toolkit(self) -> dict[str, str]:
        """Container tools that are there -> what they say of their version."""
        lines = [line.split("\t", 1) for line in self._told("toolkit").splitlines() if "\t" in line]
        return {name: version for name, version in lines}  # noqa: C416  # lists of two are no pairs for mypy

    @property
    def fabric_service(self) -> str:
        """State of the fabric manager's service; ``inactive`` where there is no such service."""
        return self._told("fabric_service").strip()

    @property
    def fabric_version(self) -> str:
        """Version of the fabric manager; empty where there is none."""
        answer = self.answers.get("fabric_version")
        return host_files.fabric_manager_version(answer.stdout if answer else "")


async def read(machine: Machine, declared: DeclaredGpu, since: dt.datetime, fault: str = "") -> HostGpus:
    """Ask a host everything, by one command.

    Args:
        machine: The host.
        declared: What is declared of its GPUs.
        since: Start of the window in which the kernel's log is read.
        fault: That simulated tools show.

    Raises:
        InfrastructureError: The host cannot be reached.
        DocumentError: It went away meanwhile.
    """
    token = f"=={secrets.token_hex(8)}=="
    text = script(commands(declared, since), token, root=declared.root, fault=fault)
    output = await machine.run(text, timeout=READ_SECONDS)
    return HostGpus(machine.name, declared, answers(output.stdout, token))


def having_gpus(machines: Sequence[Machine]) -> list[Machine]:
    """Return the hosts that declare GPUs."""
    return [machine for machine in machines if machine.declared.get("gpu")]
