# Apache-2.0 (see LICENSE)
"""What /proc tells about processes: when they started, what they were given, which sockets they hold."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = pathlib.Path("/proc")
LISTENING = "0A"
WILDCARDS = frozenset({"0" * 8, "0" * 32})  # 0.0.0.0, and ::, which takes IPv4 as well


@dataclass(frozen=True)
class Process:
    """One process, named so that a reused process id is not mistaken for it."""

    pid: int
    start: int

    @property
    def alive(self) -> bool:
        """Tell whether this very process still runs; one that only waits to be reaped does not."""
        return start_time(self.pid) == self.start


def start_time(pid: int, proc: pathlib.Path = PROC) -> int | None:
    """Return field 22 of proc(5)'s stat, in clock ticks since boot; None where there is no such process."""
    try:
        fields = (proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in {"Z", "X"} else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


def pids(proc: pathlib.Path = PROC) -> Iterator[int]:
    """Yield the ids of all processes that are to be seen."""
    for entry in proc.iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def environment(pid: int, proc: pathlib.Path = PROC) -> dict[str, str]:
    """Return the environment that a process was started with; empty where that may not be read."""
    try:
        raw = (proc / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (part.partition(b"=") for part in raw.split(b"\0") if b"=" in part)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def command_line(pid: int, proc: pathlib.Path = PROC) -> str:
    """Return the command line of a process, for people."""
    try:
        raw = (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return os.fsdecode(raw.replace(b"\0", b" ").strip())[:200]


def with_environment(wanted: dict[str, str], proc: pathlib.Path = PROC) -> dict[Process, dict[str, str]]:
    """Return this user's processes that were started with all of these variables, and their environments."""
    found: dict[Process, dict[str, str]] = {}
    for pid in pids(proc):
        given = environment(pid, proc)
        start = start_time(pid, proc)
        if start is not None and pid != os.getpid() and wanted.items() <= given.items():
            found[Process(pid, start)] = given
    return found


def end(processes: list[Process], patience: float, last_resort: float = 5.0) -> list[Process]:
    """Ask processes to end, kill those that have not after `patience` seconds; return those still alive."""
    for sent, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, last_resort)):
        processes = [each for each in processes if each.alive]
        for each in processes:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(each.pid, sent)
        deadline = time.monotonic() + seconds
        while any(each.alive for each in processes) and time.monotonic() < deadline:
            time.sleep(0.02)
    return [each for each in processes if each.alive]


def listeners(table: str, address: str, port: int) -> list[tuple[str, int]]:
    """Find who blocks an IPv4 address and port in the text of /proc/net/tcp.

    Args:
        table: The text of /proc/net/tcp or /proc/net/tcp6, see proc_net_tcp(5).
        address: The address wanted; a listener on 0.0.0.0 blocks it too.
        port: The port wanted.

    Returns:
        Pairs of the listener's address and its socket's inode.
    """
    parts = [int(part) for part in address.split(".")]
    wanted = "".join(f"{part:02X}" for part in reversed(parts))
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != LISTENING:  # noqa: PLR2004 - the inode is the tenth column
            continue
        host, _, hexadecimal = fields[1].partition(":")
        if int(hexadecimal, 16) == port and host in {wanted, *WILDCARDS}:
            found.append((address if host == wanted else "every address", int(fields[9])))
    return found


def holder_of(inode: int, proc: pathlib.Path = PROC) -> int | None:
    """Return the id of the process that holds a socket, None where it may not be seen."""
    for pid in pids(proc):
        with contextlib.suppress(OSError):
            for descriptor in (proc / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) == f"socket:[{inode}]":
                        return pid
    return None


def describe_holder(address: str, port: int, proc: pathlib.Path = PROC) -> str:
    """Say who listens on an address and port, as `pid 7 (nginx -g ...) listens on port 8000 of every address`."""
    found = blockers(address, port, proc)
    for host, inode in found:
        pid = holder_of(inode, proc)
        who = f"pid {pid} ({command_line(pid, proc)})" if pid else "a process of another user"
        return f"{who} listens on port {port} of {host}"
    return f"something that cannot be seen listens on port {port}"


def blockers(address: str, port: int, proc: pathlib.Path = PROC) -> list[tuple[str, int]]:
    """Return the listeners that block an address and port, see `listeners`."""
    found = []
    for table in ("net/tcp", "net/tcp6"):
        with contextlib.suppress(OSError):
            found += listeners((proc / table).read_text(), address, port)
    return found
