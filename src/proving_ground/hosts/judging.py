"""Whether hosts are as declared and equal: pure functions, each returning what is wrong, a line for each.

A line says the host, what was expected, what was found, and what to do about it.
"""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
import re
from typing import TYPE_CHECKING, Any

from proving_ground.hosts import journal
from proving_ground.hosts.certificates import certificates_in
from proving_ground.hosts.reading import UNREADABLE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from proving_ground.hosts.certificates import Certificate
    from proving_ground.hosts.declared import Declared
    from proving_ground.hosts.reading import Reading

_SHOWN = 5
_LIMITS = {
    "nofile": "Max open files",
    "nproc": "Max processes",
    "memlock": "Max locked memory",
    "core": "Max core file size",
    "stack": "Max stack size",
    "fsize": "Max file size",
    "as": "Max address space",
}
_FREE_FIELDS = 6
_VERSION = re.compile(r"\d+(?:\.\d+)+[^\s,]*|(?<=systemd )\d+")
_ENABLED = frozenset({"enabled", "enabled-runtime", "static", "indirect", "alias", "generated"})


@dataclasses.dataclass(frozen=True)
class Judged:
    """One host to judge: what is declared of it, and what it said."""

    name: str
    declared: Declared
    reading: Reading


def _line(host: str, what: str, expected: object, found: object, advice: str) -> str:
    return f"{host}: {what}: expected {expected}, found {found} ({advice})"


def _unequal(
    hosts: Sequence[Judged], what: str, value: Callable[[Judged], str], declared: Callable[[Judged], str], advice: str
) -> Iterator[str]:
    """Yield a line for each host that differs from most; only those of which the same is declared must be equal."""
    groups: dict[str, list[Judged]] = collections.defaultdict(list)
    for host in hosts:
        groups[declared(host)].append(host)
    for group in groups.values():
        values = {host.name: value(host) for host in group}
        most, _ = collections.Counter(values.values()).most_common(1)[0]
        for name, found in values.items():
            if found != most:
                having = [other for other, its in values.items() if its == most]
                yield _line(name, what, f"{most or 'none'} as on {_few(having)}", found or "none", advice)


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def _differs(declared: str, found: str) -> bool:
    return bool(declared) and not fnmatch.fnmatchcase(found, declared)


def _declared_or_equal(
    hosts: Sequence[Judged], what: str, key: str, declared: Callable[[Judged], str], advice: str
) -> list[str]:
    """Judge a reading of one line: as declared of each host, else equal across those of which the same is."""

    def found(host: Judged) -> str:
        return host.reading.text(key).strip()

    wrong = [
        _line(host.name, what, declared(host), found(host) or "none", advice)
        for host in hosts
        if _differs(declared(host), found(host))
    ]
    return wrong or list(_unequal(hosts, what, found, declared, advice))


def kernel(hosts: Sequence[Judged]) -> list[str]:
    """Kernels are as declared, and equal across hosts."""
    advice = "install that kernel and reboot the host, or declare `kernel` of it"
    return _declared_or_equal(hosts, "kernel", "kernel", lambda host: host.declared.kernel, advice)


def operating_system(hosts: Sequence[Judged]) -> list[str]:
    """Operating systems are as declared, and equal across hosts."""
    advice = "install that release, or declare `os` of the host"
    return _declared_or_equal(hosts, "operating system", "os", lambda host: host.declared.os, advice)


def modules(hosts: Sequence[Judged]) -> list[str]:
    """Kernel modules that are declared are loaded, or built in."""
    wrong = []
    for host in hosts:
        present = {line.strip().replace("-", "_") for line in host.reading.lines("modules")}
        advice = "load it on the machine whose kernel this is" if host.declared.shares_kernel else "modprobe it"
        wrong += [
            _line(host.name, "kernel module", f"{name} loaded or built in", "neither", advice)
            for name in host.declared.modules
            if name.replace("-", "_") not in present
        ]
    return wrong


def sysctls(hosts: Sequence[Judged]) -> list[str]:
    """Kernel settings have the values that are declared."""
    wrong = []
    for host in hosts:
        found = {key: " ".join(value.split()) for key, _, value in _pairs(host.reading.lines("sysctls"))}
        where = "on the machine whose kernel this is" if host.declared.shares_kernel else "in /etc/sysctl.d"
        for key, value in host.declared.sysctls.items():
            expected = " ".join(str(value).split())
            if found.get(key, "") != expected:
                shown = found.get(key) or "no such setting"
                wrong.append(_line(host.name, f"kernel setting {key}", expected, shown, f"set it {where}"))
    return wrong


def _pairs(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for line in lines:
        yield line.strip().partition(" ")


def swap(hosts: Sequence[Judged]) -> list[str]:
    """No host swaps, unless it is declared that it may."""
    advice = "swapoff -a, and take it out of /etc/fstab; or declare `swap: true`"
    return [
        _line(host.name, "swap", "off", _few(line.split()[0] for line in host.reading.lines("swaps")), advice)
        for host in hosts
        if not host.declared.swap and host.reading.lines("swaps")
    ]


def clock(hosts: Sequence[Judged]) -> list[str]:
    """Clocks are synchronised, and agree with the controller's within a bound and the round trip."""
    wrong = []
    for host in hosts:
        reading, bound = host.reading, host.declared.clock_seconds
        # Whoever shares a kernel has its clock, and may not set it.
        synchronized = reading.text("synchronized").strip() or "unknown"
        if not host.declared.shares_kernel and synchronized != "yes":
            wrong.append(
                _line(host.name, "clock", "synchronised", f"synchronised: {synchronized}", "is chrony or timesyncd up?")
            )
        try:
            told = float(reading.text("clock"))
        except ValueError:
            wrong.append(_line(host.name, "clock", "a time", repr(reading.text("clock")[:40]), "does date(1) work?"))
            continue
        off = max(reading.asked - told, told - reading.answered, 0.0)
        if off > bound:
            wrong.append(
                _line(
                    host.name,
                    "clock",
                    f"within {bound:g} s of the controller's",
                    f"{off:.3f} s off",
                    "synchronise both with the same source",
                )
            )
    return wrong


def limits(hosts: Sequence[Judged]) -> list[str]:
    """Main processes of services have at least the limits that are declared."""
    wrong = []
    for host in hosts:
        found = _limits_of(host.reading.lines("limits"))
        for unit, wanted in host.declared.limits.items():
            if not found.get(unit):
                wrong.append(_line(host.name, f"limits of {unit}", "a running process", "none", "start the service"))
                continue
            for name, least in wanted.items():
                value = found[unit].get(_LIMITS[name], "")
                if _number(value) < _number(str(least)):
                    advice = f"set Limit{name.upper()} in a drop-in of the unit, and restart it"
                    wrong.append(
                        _line(host.name, f"limit {name} of {unit}", f"at least {least}", value or "none", advice)
                    )
    return wrong


def _limits_of(lines: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return soft limits by unit and name, from /proc/PID/limits (proc_pid_limits(5))."""
    found: dict[str, dict[str, str]] = {}
    unit = ""
    for line in lines:
        if line.startswith("> "):
            unit = line[2:].strip()
            found[unit] = {}
        elif (match := re.match(r"(Max [a-z ]+?)\s{2,}(\S+)\s", line)) and unit:
            found[unit][match.group(1)] = match.group(2)
    return found


def _number(text: str) -> float:
    if text == "unlimited":
        return float("inf")
    try:
        return float(text)
    except ValueError:
        return -1.0


def cgroup(hosts: Sequence[Judged]) -> list[str]:
    """Control groups have the version that is declared, and the same on all hosts."""
    advice = "boot with systemd.unified_cgroup_hierarchy=1, or declare `cgroup` of the host"
    wrong = [
        _line(host.name, "control groups", host.declared.cgroup, _cgroup(host) or "none", advice)
        for host in hosts
        if host.declared.cgroup and _cgroup(host) != host.declared.cgroup
    ]
    return wrong or list(_unequal(hosts, "control groups", _cgroup, lambda host: host.declared.cgroup, advice))


def _cgroup(host: Judged) -> str:
    """Return v1, hybrid or v2; empty: none is mounted."""
    types = [line.strip() for line in host.reading.lines("cgroup")]
    if not types:
        return ""
    if types[0] == "cgroup2fs":
        return "v2"
    return "hybrid" if "cgroup2fs" in types[1:] else "v1"


def mounts(hosts: Sequence[Judged]) -> list[str]:
    """What is declared to be mounted is mounted so."""
    wrong = []
    for host in hosts:
        found = {}
        for line in host.reading.lines("mounts"):
            fields = line.split(" ")
            if len(fields) >= 4:  # noqa: PLR2004  # source, path, type, options (fstab(5))
                # The last one of a path covers those before it.
                found[_unescaped(fields[1])] = (fields[2], fields[3].split(","))
        for path, mount in host.declared.mounts.items():
            if path not in found:
                wrong.append(_line(host.name, f"mount {path}", "a mount point", "none", "mount it, in /etc/fstab"))
                continue
            kind, options = found[path]
            if mount.type and kind != mount.type:
                wrong.append(_line(host.name, f"mount {path}", mount.type, kind, "mount another file system there"))
            if missing := [option for option in mount.options if option not in options]:
                wrong.append(
                    _line(host.name, f"mount {path}", f"option {_few(missing)}", ",".join(options), "see /etc/fstab")
                )
    return wrong


def _unescaped(path: str) -> str:
    """Return a path of /proc/mounts, where blanks and the like stand as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), path)


def free_space(hosts: Sequence[Judged]) -> list[str]:
    """File systems have as much space and as many inodes free as is declared."""
    wrong = []
    for host in hosts:
        found = {}
        for line in host.reading.lines("free"):
            fields = line.split(" ", _FREE_FIELDS - 1)
            if len(fields) == _FREE_FIELDS and all(field.isdigit() for field in fields[:-1]):
                found[fields[-1]] = [int(field) for field in fields[:-1]]
        for path, space in host.declared.free.items():
            if path not in found:
                wrong.append(
                    _line(host.name, f"file system of {path}", "one", "no such path", "mount it, or declare less")
                )
                continue
            available, blocks, size, inodes_free, inodes = found[path]
            percent = 100.0 * available / blocks if blocks else 0.0
            left = available * size
            if percent < space.percent or left < space.bytes:
                expected = f"at least {space.percent:g} %" + (f" and {space.bytes} bytes" if space.bytes else "")
                wrong.append(
                    _line(host.name, f"free space of {path}", expected, f"{percent:.1f} %, {left} bytes", "make room")
                )
            # Some file systems have no fixed number of inodes and tell 0.
            if inodes and (share := 100.0 * inodes_free / inodes) < space.inodes_percent:
                expected = f"at least {space.inodes_percent:g} %"
                wrong.append(
                    _line(host.name, f"free inodes of {path}", expected, f"{share:.1f} %", "remove small files")
                )
    return wrong


def mtu(hosts: Sequence[Judged]) -> list[str]:
    """The MTU is as declared, and equal across hosts: packets that are too large for one are lost silently."""
    advice = "set it in the host's network configuration, and on the switch"

    def found(host: Judged) -> str:
        return host.reading.text("mtu").strip().partition(" ")[2].strip()

    wrong = [
        _line(host.name, "MTU", host.declared.mtu or "a network interface that has one", found(host) or "none", advice)
        for host in hosts
        if not found(host) or (host.declared.mtu and found(host) != str(host.declared.mtu))
    ]
    return wrong or list(_unequal(hosts, "MTU", found, lambda host: str(host.declared.mtu), advice))


def dns(hosts: Sequence[Judged]) -> list[str]:
    """Each host resolves its own name, and the names that are declared."""
    wrong = []
    for host in hosts:
        answers = {name: address.strip() for name, _, address in _pairs(host.reading.lines("dns"))}
        asked = [*answers, *(name for name in host.declared.dns if name not in answers)]
        if not answers:
            wrong.append(_line(host.name, "name resolution", "answers", "none", "does getent(1) work there?"))
        wrong += [
            _line(host.name, "name resolution", f"an address of {name}", "none", "see /etc/hosts and /etc/resolv.conf")
            for name in asked
            if not answers.get(name)
        ]
    return wrong


def services(hosts: Sequence[Judged]) -> list[str]:
    """Declared services are active, and start with the host."""
    wrong = []
    for host in hosts:
        found = _units(host.reading.text("services"))
        for unit in host.declared.services:
            full = unit if re.search(r"\.(service|socket|timer|target|mount)$", unit) else f"{unit}.service"
            state = found.get(full, {})
            active, enabled = state.get("ActiveState", "unknown"), state.get("UnitFileState") or "not installed"
            if active != "active":
                shown = f"{active} ({state.get('SubState', '')}, {state.get('Result', '')})"
                wrong.append(_line(host.name, unit, "active", shown, f"journalctl -u {unit}"))
            if enabled not in _ENABLED:
                wrong.append(_line(host.name, unit, "enabled", enabled, f"systemctl enable {unit}"))
    return wrong


def _units(text: str) -> dict[str, dict[str, str]]:
    """Return the properties of units by their names, from `systemctl show` (a blank line between units)."""
    found = {}
    for block in re.split(r"\n\s*\n", text):
        properties = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in properties:
            found[properties["Id"]] = properties
    return found


def versions(hosts: Sequence[Judged]) -> list[str]:
    """Programs have the versions that are declared, and others the same on all hosts."""
    told = {host.name: _versions(host.reading.lines("versions")) for host in hosts}
    wrong = []
    for host in hosts:
        for program, version in host.declared.versions.items():
            found = told[host.name].get(program, "")
            if _differs(version.removeprefix("v"), found):
                wrong.append(
                    _line(host.name, f"version of {program}", version, found or "none", "install that version")
                )
    if wrong:
        return wrong
    for name in dict.fromkeys(name for versions in told.values() for name in versions):
        wrong += _unequal(
            hosts,
            f"version of {name}",
            lambda host, name=name: told[host.name].get(name, ""),  # type: ignore[misc]
            lambda host, name=name: host.declared.versions.get(name, ""),  # type: ignore[misc]
            "install the same on all, or declare `versions` of the host",
        )
    return wrong


def _versions(lines: Iterable[str]) -> dict[str, str]:
    found = {}
    for program, _, said in _pairs(lines):
        match = _VERSION.search(said)
        if match:
            found[program] = match.group()
    return found


def read_certificates(host: Judged) -> list[Certificate]:
    """Return the certificates that a host has, with their files.

    Raises:
        ValueError: One of them cannot be read.
    """
    found = []
    for part in re.split(r"^> ", host.reading.text("certificates"), flags=re.MULTILINE):
        path, _, text = part.partition("\n")
        if text.strip() == UNREADABLE:
            raise ValueError(f"{path.strip()}: expected a file that may be read, and it may not: declare `sudo`")
        found += certificates_in(path.strip(), text)
    return found


def certificates(hosts: Sequence[Judged], now: dt.datetime) -> list[str]:
    """No certificate ends within the days that are declared; a host of a cluster has some."""
    wrong = []
    for host in hosts:
        days = host.declared.certificates.days
        try:
            found = read_certificates(host)
        except ValueError as error:
            wrong.append(f"{host.name}: {error} (look at that file on the host)")
            continue
        if not found and any(unit.partition(".")[0] == "kubelet" for unit in host.declared.services):
            paths = _few(host.declared.certificates.paths)
            wrong.append(
                _line(host.name, "certificates", f"some in {paths}", "none", "has the node joined the cluster?")
            )
        for certificate in found:
            if (left := certificate.days(now)) < days:
                shown = f"{left:.1f} days left" if left >= 0 else f"it ended {-left:.1f} days ago"
                what = f"certificate {certificate.where} ({certificate.subject})"
                advice = "kubeadm certs renew all; the kubelet renews its own while it runs"
                wrong.append(_line(host.name, what, f"valid for {days:g} days still", shown, advice))
    return wrong


def failed_units(hosts: Sequence[Judged]) -> list[str]:
    """No unit of systemd has failed."""
    return [
        _line(host.name, "unit", f"{unit} not failed", "failed", f"systemctl status {unit}")
        for host in hosts
        for unit in (line.split()[0] for line in host.reading.lines("failed"))
        if not any(fnmatch.fnmatchcase(unit, pattern) for pattern in host.declared.failed_units)
    ]


def out_of_memory(hosts: Sequence[Judged]) -> list[str]:
    """Memory did not run out within the window."""
    return _in_journal(hosts, journal.OUT_OF_MEMORY, "memory", "none that ran out", "give more, or ask for less")


def disk_errors(hosts: Sequence[Judged]) -> list[str]:
    """No disk failed within the window."""
    return _in_journal(hosts, journal.DISK, "disks", "no error", "look at smartctl -a and dmesg, replace the disk")


def _in_journal(hosts: Sequence[Judged], sign: re.Pattern[str], what: str, expected: str, advice: str) -> list[str]:
    wrong = []
    for host in hosts:
        lines = host.reading.lines("journal")
        if not lines or lines[-1] != "readable":
            advice_here = "is its user in group systemd-journal, or declare `sudo`"
            wrong.append(_line(host.name, "journal", "one that can be read", "none", advice_here))
            continue
        telling = journal.telling(lines[:-1], sign, host.declared.journal.ignore)
        if telling:
            shown = telling[-1] + (f" and {len(telling) - 1} lines before it" if len(telling) > 1 else "")
            wrong.append(_line(host.name, what, expected, shown, advice))
    return wrong


def properties(hosts: Sequence[Judged]) -> Mapping[str, Any]:
    """Return what is worth showing of the hosts in a report."""
    return {
        "kernels": _few(sorted({host.reading.text("kernel").strip() for host in hosts})),
        "operating_systems": _few(sorted({host.reading.text("os").strip() for host in hosts})),
    }
