"""What the processes of a simulated platform use: told by /proc, for those that name its directory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def programs(directory: Path) -> dict[int, str]:
    """Return the processes that belong to a platform's directory: pid to the program's name."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
            words_of_it = [*words[1:], *(each for each in variables if each.startswith("KUBECONFIG="))]
            if any(str(directory) in word for word in words_of_it):
                found[int(entry.name)] = _name(words)
    return {pid: name for pid, name in found.items() if pid != os.getpid()}


def _name(words: list[str]) -> str:
    """Return the program's name, or that of the module where it is Python."""
    return words[words.index("-m") + 1] if "-m" in words[:3] else Path(words[0]).name


def cpu_seconds(pids: dict[int, str]) -> dict[str, float]:
    """Return the CPU seconds that each program has used so far."""
    used: dict[str, float] = {}
    for pid, name in pids.items():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used[name] = used.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / _TICKS
    return used
