"""Jobs side by side, as many as the machine has cores for."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tallies import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from programs import Programs

LINES_OF_A_FAILURE = 150


class Run(Protocol):
    """Runs a program, as ``Programs.run`` does; what it prints goes where that of its job goes."""

    def __call__(self, *command: str, group: bool = False, interruptible: bool = True) -> int: ...


@dataclass(frozen=True)
class Job:
    """Something to run beside others.

    Attributes:
        name: ``part`` or ``part:name``.
        work: Runs its programs; asked with the way to run them, and with what tells of an interruption.
        after: Names of jobs that have to end before; of those that are not run, nothing is asked.
        labs: It makes lab hosts, and runs beside no other that does: some look whether the machine is as it was before.
    """

    name: str
    work: Callable[[Run, Programs], Tally]
    after: frozenset[str] = field(default=frozenset())
    labs: bool = False

    @property
    def part(self) -> str:
        """The part of the tests that it belongs to."""
        return self.name.partition(":")[0]


def side_by_side(
    jobs: Iterable[Job], width: int, programs: Programs, *, logs: Path | None, say: Callable[[str], None]
) -> dict[str, Tally]:
    """Run jobs, the first ones first, and return what they came to, by name; after an interruption not of all.

    Args:
        jobs: In the order in which they are to begin, where nothing keeps one from it.
        width: How many at once.
        programs: Runs their programs.
        logs: Directory for what each prints; without one they print as they go.
        say: Is told of what begins and ends.
    """
    waiting = list(jobs)
    ended: queue.SimpleQueue[tuple[Job, Tally, float]] = queue.SimpleQueue()
    running: dict[str, Job] = {}
    tallies: dict[str, Tally] = {}
    total = len(waiting)
    if logs:
        logs.mkdir(parents=True, exist_ok=True)
    while waiting or running:
        while not programs.interrupted and len(running) < width and (job := _next(waiting, running)):
            waiting.remove(job)
            running[job.name] = job
            if logs:
                say(f"{job.name} begins")
            threading.Thread(target=_work, args=(job, programs, _log(logs, job), ended)).start()
        if not running:
            break
        job, tally, seconds = ended.get()
        del running[job.name]
        tallies[job.name] = tally
        said = "failed" if tally.code else f"not run: {tally.names[0]}" if tally.not_run else "passed"
        say(f"{job.name} {said} after {seconds:.0f} s ({len(tallies)} of {total})")
        if tally.code and (log := _log(logs, job)):
            _show_end(log)
    return tallies


def _next(waiting: list[Job], running: dict[str, Job]) -> Job | None:
    """Return the first job that may begin."""
    unfinished = {job.name for job in waiting} | set(running)
    labs = any(job.labs for job in running.values())
    return next((job for job in waiting if not job.after & unfinished and not (job.labs and labs)), None)


def _log(logs: Path | None, job: Job) -> Path | None:
    return logs / f"{job.name.replace(':', '-')}.log" if logs else None


def _work(job: Job, programs: Programs, log: Path | None, ended: queue.SimpleQueue[tuple[Job, Tally, float]]) -> None:
    began = time.monotonic()
    try:
        with log.open("wb") if log else contextlib.nullcontext() as output:
            tally = job.work(partial(programs.run, output=output), programs)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
        traceback.print_exc()
        tally = Tally(1, 0, 1, names=(repr(error),))
    ended.put((job, tally, time.monotonic() - began))


def _show_end(log: Path) -> None:
    """Print the last lines of a job's output."""
    with log.open(encoding="utf-8", errors="replace") as stream:
        lines = deque(stream, maxlen=LINES_OF_A_FAILURE)
    print(f"---- the last {len(lines)} lines of {log}:\n{''.join(lines)}----", flush=True)
