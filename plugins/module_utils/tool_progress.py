# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Lines that tell a person what long work is doing, and programs that are run under them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_EVERY_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Progress:
    """Appends lines to a file that somebody watches; without a file, nobody does."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file

    def say(self, line: str) -> None:
        """Append one line. That nobody can read it is no reason to stop."""
        if self.file is not None:
            with contextlib.suppress(OSError), self.file.open("a", encoding="utf-8") as stream:
                stream.write(f"{' '.join(line.split())}\n")


def elapsed(seconds: float) -> str:
    """Return a duration as ``45 s`` or ``2 min 5 s``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def run(
    command: Sequence[str],
    *,
    log: Path,
    deadline: float,
    tick: Callable[[float], None],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    every: float = _EVERY_SECONDS,
) -> int:
    """Run a program to its end, with everything that it prints in ``log``, and return its exit status.

    It has a process group of its own, which ends with this call in every case; should this process
    be killed, the kernel ends the program too.

    Args:
        command: The program and its arguments.
        log: File that is appended to.
        deadline: ``time.monotonic()`` at which the program is ended.
        tick: Called with the seconds gone, each ``every`` seconds.
        env: Its environment; this process's if absent.
        cwd: Its working directory.
        every: Seconds between two ticks.

    Raises:
        ToolError: The program is not there, or did not end in time.
    """
    started = time.monotonic()
    libc = ctypes.CDLL(None, use_errno=True) if os.uname().sysname == "Linux" else None

    def die_with_parent() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - this process has one thread here
            )
        except OSError as error:
            raise ToolError(f"cannot start {command[0]}: {error.strerror}") from error
        try:
            while True:
                now = time.monotonic()
                if now > deadline:
                    raise ToolError(f"{Path(command[0]).name} did not end within {elapsed(now - started)}")
                try:
                    return process.wait(timeout=max(0.01, min(every, deadline - now)))
                except subprocess.TimeoutExpired:
                    tick(time.monotonic() - started)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def last_lines(log: Path, count: int = 3) -> str:
    """Return the last lines of a log, as one."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return " | ".join([line.strip() for line in lines if line.strip()][-count:])
