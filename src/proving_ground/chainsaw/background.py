"""Processes that scripts leave running, such as a port-forward that later operations use: they end with their test."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: In the environment of every process of a test, so that nobody else's process is taken for one of them.
MARK = "PROVING_GROUND_TEST_PROCESS"
_MOST_PASSES = 10
"""One that starts others while they are looked for is found at the next pass."""


class Background:
    """What the operations of one test left running, also outside their process groups.

    Attributes:
        token: Value of `MARK` for the processes of this test.
        used: Whether there can be any.
    """

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        self.used = False

    def end(self) -> None:
        """Kill what is left."""
        for _ in range(_MOST_PASSES if self.used else 0):
            processes = list(self._processes())
            if not processes:
                break
            for pid in processes:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def _processes(self) -> Iterator[int]:
        """Yield the processes that have the mark; one that has ended has no environment."""
        mark = f"{MARK}={self.token}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
