"""Processes that scripts leave running, such as a port-forward that later operations use: they end with their test."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from pathlib import Path

#: In the environment of every process of a test, so that nobody else's process is taken for one of them.
MARK = "PROVING_GROUND_TEST_PROCESS"


class Background:
    """The process groups that the operations of one test left behind.

    Attributes:
        token: Value of `MARK` for the processes of this test.
    """

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        self._groups: set[int] = set()

    def keep(self, group: int) -> None:
        """Remember a group whose leader has ended; one without members is forgotten."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, 0)
            self._groups.add(group)

    def end(self) -> None:
        """Kill what is left of all groups."""
        groups, self._groups = self._groups, set()
        for pid in _members(groups) if groups else ():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if self._is_ours(pid):
                    os.kill(pid, signal.SIGKILL)

    def _is_ours(self, pid: int) -> bool:
        """Tell whether a process has the mark: a number may belong to another one by now."""
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"{MARK}={self.token}".encode() in environment.split(b"\0")


def _members(groups: set[int]) -> list[int]:
    """Return the processes of some groups."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(int(entry.name)) in groups:
                found.append(int(entry.name))
    return found
