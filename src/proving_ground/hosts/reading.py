"""What is read of a host: everything by one command, in sections, so that it costs one round trip."""

from __future__ import annotations

import dataclasses
import re
import secrets
import shlex
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError
from proving_ground.hosts.journal import GREP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proving_ground.hosts.declared import Declared
    from proving_ground.hosts.machine import Machine

READING_SECONDS = 60.0
LINES = 200
"""Lines of the journal that a host sends at most, the last ones."""
# Present where a module that takes no parameters is built in: the kernel then names it nowhere else.
EVIDENCE = {
    "br_netfilter": "/proc/sys/net/bridge/bridge-nf-call-iptables",
    "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
    "ip_tables": "/proc/net/ip_tables_names",
    "ip_vs": "/proc/net/ip_vs",
    "tun": "/dev/net/tun",
    "fuse": "/dev/fuse",
    "kvm": "/dev/kvm",
}
PROGRAMS = {
    "containerd": "containerd --version",
    "runc": "runc --version",
    "kubelet": "kubelet --version",
    "kubeadm": "kubeadm version -o short",
    "systemd": "systemctl --version",
    "openssh": "ssh -V 2>&1",
}
_MODULES = """cut -d' ' -f1 /proc/modules
ls /sys/module
awk '{print $NF}' /proc/filesystems
sed 's,.*/,,;s,\\.ko.*,,' "/lib/modules/$(uname -r)/modules.builtin\""""
_PUBLIC = (
    "-e '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' "
    "-e '/^ *client-certificate-data:/p' -e '/^ *certificate-authority-data:/p'"
)
"""What sed prints of a file with certificates: never a key."""
UNREADABLE = "unreadable"
_STAT = "%a %b %S %d %c"
_INTERFACE = r"""interface=$(ip route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
address=$(echo "$SSH_CONNECTION" | cut -d' ' -f3)
test -n "$interface" || interface=$(ip -o addr show to "$address" | awk '{print $2; exit}')
made='^(lo$|veth|cni|docker|podman|flannel|cali|kube|virbr|br-)'
test -n "$interface" || interface=$(ls /sys/class/net | grep -Ev "$made" | head -n 1)
"""
"""That of the default route, else that of the address that was connected to, else the first that is a real one."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """What one host said.

    Attributes:
        sections: Texts by name, as they were printed; the functions that judge know their forms.
        asked: Seconds since the epoch when its clock was asked for, by the controller's clock.
        answered: The same for its answer.
    """

    sections: Mapping[str, str]
    asked: float = 0.0
    answered: float = 0.0

    def text(self, section: str) -> str:
        """Return a section; one that is missing is empty."""
        return self.sections.get(section, "")

    def lines(self, section: str) -> list[str]:
        """Return the lines of a section that are not blank."""
        return [line for line in self.text(section).splitlines() if line.strip()]


def script(declared: Declared, *, since: float, mark: str) -> str:
    """Return the shell command that prints every section.

    Args:
        declared: What is declared of the host.
        since: Seconds since the epoch from which on the journal counts.
        mark: A line that begins so begins a section; nothing on the host can know it.
    """
    parts = ["export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/local/bin"]
    for name, command in _commands(declared, since):
        parts.append(f"echo '{mark} {name}'\n{{ {command or 'true'}\n}} 2>/dev/null </dev/null")
    return "\n".join([*parts, f"echo '{mark} end'"])


def _commands(declared: Declared, since: float) -> Iterator[tuple[str, str]]:
    """Yield name and command of each section; what a host does not have prints nothing."""
    quoted = shlex.quote
    yield "kernel", "uname -r"
    yield "os", '. /etc/os-release; echo "$ID $VERSION_ID"'
    evidence = "\n".join(f"test -e {path} && echo {module}" for module, path in EVIDENCE.items())
    yield "modules", f"{_MODULES}\n{evidence}"
    yield "sysctls", "\n".join(f"echo {quoted(key)} $(cat {quoted(_sysctl_path(key))})" for key in declared.sysctls)
    yield "swaps", "tail -n +2 /proc/swaps"
    yield "synchronized", "timeout 10 timedatectl show -p NTPSynchronized --value"
    units = sorted({*declared.services, *declared.limits})
    yield (
        "limits",
        "\n".join(
            f"echo '> '{quoted(unit)}; cat /proc/$(systemctl show -p MainPID --value {quoted(unit)})/limits"
            for unit in declared.limits
        ),
    )
    yield "cgroup", "stat -f -c %T /sys/fs/cgroup; stat -f -c %T /sys/fs/cgroup/unified"
    yield "mounts", "cat /proc/self/mounts"
    yield (
        "free",
        "\n".join(f"echo $(timeout 10 stat -f -c '{_STAT}' {quoted(path)}) {quoted(path)}" for path in declared.free),
    )
    chosen = f"interface={quoted(declared.interface)}\n" if declared.interface else _INTERFACE
    yield "mtu", f'{chosen}echo "$interface $(cat "/sys/class/net/$interface/mtu")"'
    names = " ".join(['"$(hostname)"', *(quoted(name) for name in declared.dns)])
    address = 'timeout 5 getent ahosts "$name" | head -n 1 | cut -d" " -f1'
    yield "dns", f'for name in {names}; do echo "$name $({address})"; done'
    show = " ".join(quoted(unit) for unit in units)
    yield (
        "services",
        f"systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState,Result -- {show}" if units else "",
    )
    yield "versions", "\n".join(f"echo {name} $({command} | head -n 1)" for name, command in PROGRAMS.items())
    # Patterns stay unquoted so that the shell expands them, but only as patterns: they hold no blanks and no quotes.
    paths = " ".join(re.sub(r"[^A-Za-z0-9_./*?-]", "?", path) for path in declared.certificates.paths)
    printed = f'if test -r "$file"; then sed -n {_PUBLIC} "$file"; else echo {UNREADABLE}; fi'
    yield "certificates", f'for file in {paths}; do test -f "$file" || continue; echo "> $file"; {printed}; done'
    yield "failed", "systemctl list-units --failed --plain --no-legend --no-pager"
    shown = f"timeout 30 journalctl -q --no-pager -o short-iso --since=@{since:.0f}"
    chosen = f"{shown} _TRANSPORT=kernel + SYSLOG_IDENTIFIER=systemd | grep -E {quoted(GREP)} | tail -n {LINES}"
    yield "journal", f"{chosen}\njournalctl -q --system --no-pager -n 1 | grep -q . && echo readable"


def _sysctl_path(key: str) -> str:
    """Return the file of a kernel setting; a key that has slashes has dots in its parts (sysctl(8))."""
    return f"/proc/sys/{key if '/' in key else key.replace('.', '/')}"


def sections_of(printed: str, mark: str) -> dict[str, str]:
    """Return the sections of what the command printed.

    Raises:
        ValueError: It is not complete.
    """
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in printed.splitlines():
        if line.startswith(f"{mark} "):
            current = found.setdefault(line.removeprefix(f"{mark} "), [])
        else:
            current.append(line)
    if "end" not in found:
        raise ValueError(f"it ends in section {list(found)[-1]!r}" if found else "it has no section")
    return {name: "\n".join(lines) for name, lines in found.items()}


async def read(machine: Machine, declared: Declared, *, since: float) -> Mapping[str, str]:
    """Read every section of a host.

    Args:
        machine: The host.
        declared: What is declared of it.
        since: Seconds since the epoch from which on the journal counts.

    Raises:
        InfrastructureError: It cannot be reached, or did not say all.
    """
    mark = f"@{secrets.token_hex(8)}@"
    output = await machine.run(script(declared, since=since, mark=mark), timeout=READING_SECONDS)
    try:
        return sections_of(output.stdout, mark)
    except ValueError as error:
        said = output.stderr.strip().splitlines()
        raise InfrastructureError(
            f"what the host says of itself is not complete: {error}{': ' + said[-1] if said else ''}",
            where=machine.name,
            hint="is its shell a POSIX shell, and does sudo ask for a password?",
        ) from error
