"""Processes of a run: told by a tag in their environment, ended by their ids."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TAG = "PROVING_GROUND_RUN_ID"
# Run ids are unique in one state directory only, and a machine may have several.
STATE_TAG = "PROVING_GROUND_RUN_STATE"
# What one playbook of a run started, among all that belongs to the run.
PHASE_TAG = "PROVING_GROUND_RUN_PHASE"

_PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number.

    Attributes:
        pid: Process id.
        started: Start time in clock ticks since boot, field 22 of proc_pid_stat(5).
        boot: Boot id of the machine, so that a restart of it ends all processes.
    """

    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        """Whether this very process still exists, zombies excluded."""
        return identify(self.pid) == self


def _stat(pid: int) -> tuple[str, int] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[19])


def boot_id() -> str:
    """Return the boot id of this machine; empty where the kernel has none."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def identify(pid: int) -> ProcessId | None:
    """Return the identity of a live process, or None."""
    stat = _stat(pid)
    if stat is None or stat[0] in "ZX":
        return None
    return ProcessId(pid=pid, started=stat[1], boot=boot_id())


def current() -> ProcessId:
    """Return the identity of this process."""
    found = identify(os.getpid())
    if found is None:  # pragma: no cover - only where /proc is not mounted
        return ProcessId(pid=os.getpid(), started=0, boot="")
    return found


def _ancestors() -> set[int]:
    pids: set[int] = set()
    pid = os.getpid()
    while pid > 1:
        pids.add(pid)
        try:
            text = (_PROC / str(pid) / "stat").read_text()
        except OSError:
            break
        pid = int(text[text.rindex(")") + 2 :].split()[1])
    return pids


def tags(run_id: str, state: Path) -> dict[str, str]:
    """Return the environment variables that mark a process, and all that it starts, as the run's."""
    return {TAG: run_id, STATE_TAG: str(state)}


def tagged(run_id: str, state: Path | None = None) -> list[ProcessId]:
    """Return the live processes that carry the run's tag, this process and its ancestors excepted.

    Args:
        run_id: The run.
        state: Its private state directory: processes of a run of the same name that has another one are left
            out. Any state directory if absent.
    """
    return [
        process
        for process, environment in _with_environment({TAG: run_id})
        if state is None or not _of_another(environment, state)
    ]


def carrying(variables: Mapping[str, str]) -> list[ProcessId]:
    """Return the live processes that have these environment variables, this process and its ancestors excepted."""
    return [process for process, _ in _with_environment(variables)]


def _with_environment(variables: Mapping[str, str]) -> Iterator[tuple[ProcessId, list[bytes]]]:
    wanted = {os.fsencode(f"{name}={value}") for name, value in variables.items()}
    own = _ancestors()
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) in own:
            continue
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        process = identify(int(entry.name)) if wanted.issubset(environment) else None
        if process is not None:
            yield process, environment


def _of_another(environment: list[bytes], state: Path) -> bool:
    prefix = f"{STATE_TAG}=".encode()
    return any(entry.startswith(prefix) and entry != prefix + os.fsencode(state) for entry in environment)


def end(processes: list[ProcessId], *, patience: float = 5.0) -> list[ProcessId]:
    """End processes with SIGTERM, then SIGKILL; return those that are still there.

    Args:
        processes: Which; one that has ended already is passed over.
        patience: Seconds for each of the two signals to take effect.
    """
    left = processes
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = [process for process in left if process.alive]
        for process in left:
            try:
                os.kill(process.pid, number)
            except OSError:
                continue
        left = _await_end(left, patience)
        if not left:
            break
    return left


def _await_end(processes: list[ProcessId], patience: float) -> list[ProcessId]:
    deadline = time.monotonic() + patience
    pause = 0.005
    while (left := [process for process in processes if process.alive]) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
    return left
