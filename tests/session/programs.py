"""Programs that jobs run, and what becomes of them when somebody interrupts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

INTERRUPTED = 130


class _Running(NamedTuple):
    group: bool
    interruptible: bool


class Programs:
    """Runs programs to their ends, whatever that takes, from any thread.

    An interruption is handed to those under way, which clean up behind themselves; nothing further is started then,
    but what cannot be interrupted.

    Args:
        directory: Where they run.
    """

    def __init__(self, directory: Path) -> None:
        self.interrupted = False
        self._directory = directory
        self._running: dict[subprocess.Popen[bytes], _Running] = {}
        self._lock = threading.Lock()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._hand_on)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(
        self, *command: str, output: IO[bytes] | None = None, group: bool = False, interruptible: bool = True
    ) -> int:
        """Run a program and return its exit code.

        Args:
            command: The program and its arguments.
            output: Where it prints; on this process's own output otherwise.
            group: An interruption is for the programs that it started, too; none of them outlives it.
            interruptible: Otherwise it goes on to its end.
        """
        with self._lock:
            if self.interrupted and interruptible:
                return INTERRUPTED
            process = subprocess.Popen(
                command,
                cwd=self._directory,
                stdin=subprocess.DEVNULL if output else None,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                process_group=0,
            )
            self._running[process] = _Running(group, interruptible)
        try:
            code = process.wait()
        finally:
            with self._lock:
                del self._running[process]
        if group and self.interrupted:
            _end_group(process.pid)
        return 128 - code if code < 0 else code

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        # Only the main thread is interrupted, and it never holds this lock.
        with self._lock:
            self.interrupted = True
            for process, how in self._running.items():
                with contextlib.suppress(ProcessLookupError):
                    if how.group:
                        os.killpg(process.pid, number)
                    elif how.interruptible:
                        process.send_signal(number)


def _end_group(group: int, seconds: float = 15.0) -> None:
    """Wait until all processes of a group have ended; kill what has not in time."""
    with contextlib.suppress(ProcessLookupError):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)
